/* credential_watch.c - how a server learns of what no request would tell it: a new signing key, one that is gone, an open event stream whose
   credential has ended. It looks, every few seconds. Knows nothing of what a key or a credential is. */
#include "api/api.h"

#include "base/log.h"

#include <pthread.h>
#include <time.h>

enum {
    LOOK_S = 2
}; /* with the way to the database's truth (auth_cache_ms) within the 5 s that are promised for everything revoked */

struct credential_watch {
    struct api     *api;
    struct db      *db; /* opened with the first event stream; the watching thread's */
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  stop;
    bool            stopping, failing, gone; /* failing, gone: at the look before */
};

/* A credential that was being checked while a key went may have been put into the cache after it was emptied: it is emptied again. */
static void look_at_keys(struct credential_watch *w)
{
    struct error err = { 0 };
    int          rc = token_keys_reload(w->api->keys, &err);

    if (rc > 0)
        log_at(LOG_INFO, "the signing keys have changed");
    if (rc < 0 && !w->failing)
        log_at(LOG_WARNING, "the signing keys cannot be read anew, those of before stay: %s", err.detail);
    if (rc == 2 || w->gone)
        auth_cache_forget_all(w->api->auth);
    w->failing = rc < 0;
    w->gone = rc == 2;
}

/* Without the database nothing can be seen; streams are told nothing meanwhile either. */
static void look_at_streams(struct credential_watch *w)
{
    struct error ignored = { 0 };

    if (event_hub_empty(w->api->events))
        return;
    if (!w->db) {
        w->db = db_open(w->api->conninfo, "dms streams", &ignored);
        if (!w->db)
            return;
        db_plan_once(w->db);
    }
    event_hub_check(w->api->events, w->db);
}

static void *watch(void *arg)
{
    struct credential_watch *w = arg;
    struct timespec          until;

    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_S;
        if (pthread_cond_timedwait(&w->stop, &w->lock, &until) == 0)
            continue;
        pthread_mutex_unlock(&w->lock);
        look_at_keys(w);
        look_at_streams(w);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct credential_watch *credential_watch_open(struct api *api, struct error *err)
{
    struct credential_watch *w = calloc(1, sizeof *w);
    pthread_condattr_t       steady;

    if (!w) {
        error_set(err, ERR_UNAVAILABLE, "no memory to watch credentials");
        return NULL;
    }
    w->api = api;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&w->stop, &steady);
    pthread_condattr_destroy(&steady);
    int rc = pthread_create(&w->thread, NULL, watch, w);
    if (rc == 0)
        return w;
    error_set(err, ERR_UNAVAILABLE, "no thread to watch credentials: %s", strerror(rc));
    pthread_cond_destroy(&w->stop);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}

void credential_watch_close(struct credential_watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->stop);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->stop);
    pthread_mutex_destroy(&w->lock);
    db_close(w->db);
    free(w);
}
