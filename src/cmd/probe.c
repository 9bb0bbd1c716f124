/* probe.c - see probe.h. */
#include "cmd/probe.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Waits for events on the socket; false when the time is over. */
static bool wait_for(int fd, short events, int64_t deadline_us)
{
    struct pollfd p = { .fd = fd, .events = events };
    int64_t       left = (deadline_us - clock_steady_us()) / 1000;

    return left > 0 && poll(&p, 1, (int)left) > 0;
}

static bool talk(int fd, const struct sockaddr *address, socklen_t size, const char *question, const char *expected,
                 unsigned wait_ms)
{
    int64_t deadline = clock_steady_us() + (int64_t)wait_ms * 1000;
    char    answer[256];
    size_t  n = 0, want = strlen(expected);

    if (want > sizeof answer || (connect(fd, address, size) < 0 && errno != EINPROGRESS)
        || !wait_for(fd, POLLOUT, deadline))
        return false;
    if (send(fd, question, strlen(question), MSG_NOSIGNAL) != (ssize_t)strlen(question))
        return false;
    while (n < want && wait_for(fd, POLLIN, deadline)) {
        ssize_t got = recv(fd, answer + n, want - n, 0);

        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    return n == want && memcmp(answer, expected, want) == 0;
}

bool probe_unix(const char *path, const char *question, const char *expected, unsigned wait_ms)
{
    struct sockaddr_un    address = { .sun_family = AF_UNIX };
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    return talk(fd, (const struct sockaddr *)&address, sizeof address, question, expected, wait_ms);
}

static struct addrinfo *resolve(const char *address, unsigned port)
{
    struct addrinfo  hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    char             service[16];

    snprintf(service, sizeof service, "%u", port);
    return getaddrinfo(address, service, &hints, &list) == 0 ? list : NULL;
}

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

bool probe_tcp(const char *address, unsigned port, const char *question, const char *expected, unsigned wait_ms)
{
    struct addrinfo *ai = resolve(is(address, "0.0.0.0") ? "127.0.0.1" : is(address, "::") ? "::1" : address, port);
    bool             yes = false;

    if (ai) {
        _cleanup_(closep) int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        yes = fd >= 0 && talk(fd, ai->ai_addr, ai->ai_addrlen, question, expected, wait_ms);
        freeaddrinfo(ai);
    }
    return yes;
}

int probe_port_free(const char *address, unsigned port, struct error *err)
{
    struct addrinfo *ai = resolve(address, port);
    int              on = 1, why = 0;

    if (!ai)
        return error_say(err, ERR_VALIDATION, "listen",
                         "listen must be an IP address, such as 127.0.0.1 or ::, not %.60s.", address);
    _cleanup_(closep) int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
        || bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 1) < 0)
        why = errno;
    freeaddrinfo(ai);
    if (why == EADDRINUSE)
        return error_say(
            err, ERR_CONFLICT, "port",
            "Port %u is taken by another program. Choose another with --port, or --port 0 for any free one.", port);
    if (why == EACCES)
        return error_say(
            err, ERR_FORBIDDEN, "port",
            "Port %u may not be used by this user: ports below 1024 are the system's. Choose another with --port.",
            port);
    return why == 0 ? 0
                    : error_say(err, ERR_UNAVAILABLE, "listen", "Cannot listen on %.60s port %u: %s.", address, port,
                                strerror(why));
}
