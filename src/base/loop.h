/* loop.h - an epoll loop of one thread: descriptors, timers, and calls handed over from other threads. */
#ifndef DMS_BASE_LOOP_H
#define DMS_BASE_LOOP_H

#include "base/error.h"

#include <sys/epoll.h>

struct loop;

/* Watched descriptor, embedded in its owner. events: EPOLLIN, EPOLLOUT; level triggered. */
struct loop_fd {
    int fd;
    void (*ready)(struct loop_fd *w, uint32_t events);
    uint32_t events; /* kept by loop_watch */
};

/* A timer, embedded in its owner; fires once. */
struct loop_timer {
    int64_t due_us; /* steady clock; 0: not set */
    void (*fire)(struct loop_timer *t);
    struct loop_timer *next;
};

/* A call for the loop's own thread, embedded in its owner. */
struct loop_call {
    struct loop_call *next;
    void (*run)(struct loop_call *c);
};

struct loop *loop_open(struct error *err);
void         loop_close(struct loop *l);

/* events 0 stops watching. */
MUST_CHECK int loop_watch(struct loop *l, struct loop_fd *w, uint32_t events, struct error *err);
void           loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due_us); /* replaces; 0 clears */
void           loop_call(struct loop *l, struct loop_call *c);                       /* any thread */

/* Runs at the end of each turn (flush what the turn gathered). before_wait may shorten the wait: it returns the longest
   wait in ms it can bear, or -1. */
void loop_on_turn(struct loop *l, void (*end_of_turn)(void *arg), int (*before_wait)(void *arg), void *arg);

void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l); /* any thread, or a signal handler */
/* Runs the calls that were handed over by now, without waiting: for the time between loop_run's return and loop_close. */
void loop_run_calls(struct loop *l);

#endif
