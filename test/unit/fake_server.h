/* fake_server.h - an HTTP server for tests of what calls one: a thread on a free loopback port that answers what the test tells it to.
   One connection at a time, kept open until the client closes it. */
#ifndef DMS_TEST_FAKE_SERVER_H
#define DMS_TEST_FAKE_SERVER_H

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fake_server {
    /* The whole answer to a whole request (head and body as they came); n == 0: none, ever. In the arena. */
    struct str (*answer)(void *arg, struct arena *a, struct str request);
    void       *arg;
    int         fd;
    unsigned    port;
    atomic_uint connections, requests;
    pthread_t   thread;
};

/* "HTTP/1.1 STATUS" with these header lines (each with its CRLF) and body. */
static inline struct str fake_answer(struct arena *a, const char *status, const char *headers, struct str body)
{
    struct sb b = SB(a);

    sb_printf(&b, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers, body.n);
    sb_put(&b, body);
    return sb_str(&b);
}

static inline bool fake_complete(struct str all)
{
    const char *end = memmem(all.p, all.n, "\r\n\r\n", 4);
    const char *length = all.n > 0 ? memmem(all.p, all.n, "Content-Length: ", 16) : NULL;

    if (!end)
        return false;
    if (memmem(all.p, all.n, "Transfer-Encoding: chunked", 26))
        return all.n >= 5 && memcmp(all.p + all.n - 5, "0\r\n\r\n", 5) == 0;
    size_t body = all.n - (size_t)(end + 4 - all.p), wanted = 0;
    for (length = length && length < end ? length + 16 : ""; *length >= '0' && *length <= '9'; length++)
        wanted = wanted * 10 + (size_t)(*length - '0');
    return body >= wanted;
}

static inline void fake_send(int fd, struct str s)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        s.p += n;
        s.n -= (size_t)n;
    }
}

static inline bool fake_one_request(struct fake_server *s, int fd)
{
    struct arena a = ARENA(64 << 20);
    struct sb    b = SB(&a);
    char         piece[65536];
    ssize_t      n = 1;
    bool         told = false;

    while (n > 0 && !fake_complete(sb_str(&b))) {
        n = recv(fd, piece, sizeof piece, 0);
        if (n > 0)
            sb_put(&b, (struct str){ piece, (size_t)n });
        if (!told && b.n > 0 && memmem(b.p, b.n, "100-continue", 12)) {
            fake_send(fd, S("HTTP/1.1 100 Continue\r\n\r\n"));
            told = true;
        }
    }
    if (n > 0) {
        s->requests++;
        struct str answer = s->answer(s->arg, &a, sb_str(&b));
        fake_send(fd, answer);
        if (answer.n == 0)
            n = recv(fd, piece, sizeof piece, 0); /* until the client gives up */
    }
    arena_free(&a);
    return n > 0;
}

static inline void *fake_main(void *arg)
{
    struct fake_server *s = arg;

    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd)) {
        s->connections++;
        while (fake_one_request(s, fd))
            ;
    }
    return NULL;
}

static inline void fake_start(struct fake_server *s)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          n = sizeof address;

    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &n), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, fake_main, s), 0);
}

/* The clients must have closed their connections. */
static inline void fake_stop(struct fake_server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

#endif
