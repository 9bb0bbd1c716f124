/* work.c - see work.h. A list under one mutex: at most some thousand pieces a second pass here. */
#include "base/work.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

struct work_pool {
    pthread_mutex_t   lock;
    pthread_cond_t    some;
    struct work      *first, **last;
    unsigned          queued, running, max_queued, threads;
    bool              closing;
    struct work_hooks hooks;
    pthread_t         thread[];
};

/* The next piece; ran: this thread has run one before. NULL at the end. */
static struct work *take(struct work_pool *p, bool ran)
{
    struct work *w;

    pthread_mutex_lock(&p->lock);
    p->running -= ran;
    while (!p->first && !p->closing)
        pthread_cond_wait(&p->some, &p->lock);
    w = p->first;
    if (w) {
        p->first = w->next;
        if (!p->first)
            p->last = &p->first;
        p->queued--;
        p->running++;
    }
    pthread_mutex_unlock(&p->lock);
    return w;
}

static void *thread_main(void *arg)
{
    struct work_pool *p = arg;
    void             *thread = p->hooks.thread_open ? p->hooks.thread_open(p->hooks.shared) : NULL;
    bool              ran = false;

    for (struct work *w; (w = take(p, ran)); ran = true)
        w->run(w, thread);
    if (p->hooks.thread_close)
        p->hooks.thread_close(thread);
    return NULL;
}

struct work_pool *work_pool_open(unsigned threads, unsigned max_queued, struct work_hooks hooks, struct error *err)
{
    struct work_pool *p = calloc(1, sizeof *p + threads * sizeof p->thread[0]);
    sigset_t          all, before;

    if (!p) {
        error_set(err, ERR_UNAVAILABLE, "no memory for a pool of %u threads", threads);
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->some, NULL);
    p->last = &p->first;
    p->max_queued = max_queued;
    p->hooks = hooks;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals belong to the main thread */
    for (; p->threads < threads; p->threads++) {
        int e = pthread_create(&p->thread[p->threads], NULL, thread_main, p);

        if (e != 0) {
            error_set(err, ERR_UNAVAILABLE, "cannot start a thread: %s", strerror(e));
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->threads == threads)
        return p;
    work_pool_close(p);
    return NULL;
}

void work_pool_close(struct work_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->some);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->some);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

bool work_submit(struct work_pool *p, struct work *w)
{
    bool ok;

    pthread_mutex_lock(&p->lock);
    ok = !p->closing && p->queued < p->max_queued;
    if (ok) {
        w->next = NULL;
        w->queued_us = clock_steady_us();
        *p->last = w;
        p->last = &w->next;
        p->queued++;
        pthread_cond_signal(&p->some);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

unsigned work_running(struct work_pool *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned n = p->running;
    pthread_mutex_unlock(&p->lock);
    return n;
}

unsigned work_queued(struct work_pool *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned n = p->queued;
    pthread_mutex_unlock(&p->lock);
    return n;
}
