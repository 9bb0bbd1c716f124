/* wire.c - what libmicrohttpd reads from a client is looked at first. It has no place to hook into before it parses, and answers what it
   finds wrong by itself, as HTML and without a request's id (docs/decisions/0007-*). But it reads by calling recv, and a program's own
   definition of that name comes before the C library's: ours reads, checks, and lets only through what is in order. */
#include "http/private.h"

#include "base/log.h"

#include <errno.h>
#include <sys/socket.h>

static _Thread_local struct http_loop *running; /* whose libmicrohttpd runs on this thread now */

ssize_t wire_recv(int fd, void *to, size_t n, int flags) __asm__("recv");

void wire_run(struct http_loop *l, struct MHD_Daemon *d)
{
    running = l;
    MHD_run(d);
    running = NULL;
}

bool wire_open(struct conn *c, size_t memory)
{
    struct http_loop *l = c->loop;
    size_t            fd = (size_t)c->fd;

    if (fd >= l->wire_count) {
        size_t        count = fd + 64;
        struct conn **grown = realloc(l->wires, count * sizeof *grown);

        if (!grown)
            return false;
        memset(grown + l->wire_count, 0, (count - l->wire_count) * sizeof *grown);
        l->wires = grown;
        l->wire_count = count;
    }
    c->framing = (struct framing){ .limits = &request_head_limits, .memory = memory };
    c->framing.head.limits = &request_head_limits;
    l->wires[fd] = c;
    return true;
}

struct conn *wire_conn(const struct http_loop *l, int fd)
{
    return (size_t)fd < l->wire_count ? l->wires[fd] : NULL;
}

void wire_close(struct conn *c)
{
    framing_close(&c->framing);
    free(c->fault);
    if (wire_conn(c->loop, c->fd) == c)
        c->loop->wires[c->fd] = NULL;
}

/* What libmicrohttpd gets of these bytes: all; or those of whole messages before a fault, which is told when they are answered; or none,
   and the end of the connection. */
static ssize_t check(struct conn *c, struct str bytes)
{
    struct error err = { 0 };
    size_t       good;

    if (c->fault) { /* what came before it is still being answered */
        errno = EAGAIN;
        return -1;
    }
    if (c->phase == CONN_IDLE)
        conn_phase(c, CONN_HEAD);
    if (framing_take(&c->framing, bytes, &good, &err) == 0)
        return (ssize_t)bytes.n;
    c->fault = malloc(sizeof *c->fault);
    if (c->fault)
        *c->fault = err;
    if (good > 0)
        return (ssize_t)good;
    conn_refuse(c);
    errno = ECONNRESET;
    return -1;
}

__attribute__((visibility("default"))) ssize_t wire_recv(int fd, void *to, size_t n, int flags)
{
    ssize_t      got = recvfrom(fd, to, n, flags, NULL, NULL);
    struct conn *c = got > 0 && running && (flags & MSG_PEEK) == 0 ? wire_conn(running, fd) : NULL;

    return c && c->phase != CONN_CLOSED ? check(c, (struct str){ to, (size_t)got }) : got;
}
