/* loop.c - see loop.h. Timers are a sorted list: a loop has a handful of them. */
#include "base/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct loop {
    int                epoll, wake;
    struct loop_timer *timers;
    pthread_mutex_t    lock;
    struct loop_call  *calls, **calls_last;
    atomic_bool        stop;
    void (*end_of_turn)(void *arg);
    int (*before_wait)(void *arg);
    void          *turn_arg;
    struct loop_fd wake_fd;
};

static void wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t  ignored = write(l->wake, &one, sizeof one); /* a full counter wakes as well */

    (void)ignored;
}

void loop_run_calls(struct loop *l)
{
    struct loop_call *c;

    pthread_mutex_lock(&l->lock);
    c = l->calls;
    l->calls = NULL;
    l->calls_last = &l->calls;
    pthread_mutex_unlock(&l->lock);
    for (struct loop_call *next; c; c = next) {
        next = c->next;
        c->run(c);
    }
}

static void wake_ready(struct loop_fd *w, uint32_t events)
{
    struct loop *l = (struct loop *)((char *)w - offsetof(struct loop, wake_fd));
    uint64_t     count;
    ssize_t      ignored = read(l->wake, &count, sizeof count);

    (void)ignored;
    (void)events;
    loop_run_calls(l);
}

struct loop *loop_open(struct error *err)
{
    struct loop *l = calloc(1, sizeof *l);

    if (!l) {
        error_set(err, ERR_UNAVAILABLE, "no memory for an event loop");
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->calls_last = &l->calls;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->wake_fd = (struct loop_fd){ .fd = l->wake, .ready = wake_ready };
    if (l->epoll >= 0 && l->wake >= 0 && loop_watch(l, &l->wake_fd, EPOLLIN, err) == 0)
        return l;
    error_set(err, ERR_UNAVAILABLE, "cannot open an event loop: %s", strerror(errno));
    loop_close(l);
    return NULL;
}

void loop_close(struct loop *l)
{
    if (!l)
        return;
    closep(&l->epoll);
    closep(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

int loop_watch(struct loop *l, struct loop_fd *w, uint32_t events, struct error *err)
{
    struct epoll_event e = { .events = events, .data.ptr = w };
    int                op = w->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

    if (events == w->events)
        return 0;
    if (epoll_ctl(l->epoll, op, w->fd, &e) < 0)
        return error_set(err, ERR_UNAVAILABLE, "cannot watch a descriptor: %s", strerror(errno));
    w->events = events;
    return 0;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due_us)
{
    struct loop_timer **at;

    for (at = &l->timers; t->due_us != 0 && *at; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            break;
        }
    }
    t->due_us = due_us;
    if (due_us == 0)
        return;
    for (at = &l->timers; *at && (*at)->due_us <= due_us; at = &(*at)->next)
        ;
    t->next = *at;
    *at = t;
}

void loop_call(struct loop *l, struct loop_call *c)
{
    pthread_mutex_lock(&l->lock);
    bool first = !l->calls;
    c->next = NULL;
    *l->calls_last = c;
    l->calls_last = &c->next;
    pthread_mutex_unlock(&l->lock);
    if (first)
        wake(l);
}

void loop_on_turn(struct loop *l, void (*end_of_turn)(void *), int (*before_wait)(void *), void *arg)
{
    l->end_of_turn = end_of_turn;
    l->before_wait = before_wait;
    l->turn_arg = arg;
}

/* How long the loop may sleep: until the next timer, or as the owner of the turn says. */
static int wait_ms(struct loop *l)
{
    int     ms = l->before_wait ? l->before_wait(l->turn_arg) : -1;
    int64_t left;

    if (!l->timers)
        return ms;
    left = (l->timers->due_us - clock_steady_us() + 999) / 1000;
    left = left < 0 ? 0 : left > 60000 ? 60000 : left;
    return ms < 0 || left < ms ? (int)left : ms;
}

static void fire_timers(struct loop *l)
{
    int64_t now = l->timers ? clock_steady_us() : 0;

    while (l->timers && l->timers->due_us <= now) {
        struct loop_timer *t = l->timers;

        l->timers = t->next;
        t->due_us = 0;
        t->fire(t);
    }
}

void loop_run(struct loop *l)
{
    struct epoll_event events[64];

    while (!atomic_load(&l->stop)) {
        int n = epoll_wait(l->epoll, events, (int)ARRAY_LEN(events), wait_ms(l));

        for (int i = 0; i < n; i++) {
            struct loop_fd *w = events[i].data.ptr;

            w->ready(w, events[i].events);
        }
        fire_timers(l);
        if (l->end_of_turn)
            l->end_of_turn(l->turn_arg);
    }
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    wake(l);
}
