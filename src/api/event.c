/* event.c - open event streams by tenant: what happens to documents and jobs, told live. Events come over Redis from every process; what
   is missed is told by "resync": look again. */
#include "api/api.h"
#include "api/handlers.h"

#include <pthread.h>

struct subscriber {
    struct subscriber   *next;
    struct event_stream *stream;
    char                 tenant_id[37];
};

struct event_hub {
    pthread_mutex_t    lock;
    struct subscriber *first;
};

struct event_hub *event_hub_open(struct error *err)
{
    struct event_hub *h = calloc(1, sizeof *h);

    if (!h) {
        error_set(err, ERR_UNAVAILABLE, "no memory for event streams");
        return NULL;
    }
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

void event_hub_close(struct event_hub *h)
{
    if (!h)
        return;
    for (struct subscriber *s = h->first, *next; s; s = next) {
        next = s->next;
        event_release(s->stream);
        free(s);
    }
    pthread_mutex_destroy(&h->lock);
    free(h);
}

void event_hub_publish(struct event_hub *h, const char *tenant_id, const char *type, struct str json)
{
    pthread_mutex_lock(&h->lock);
    for (struct subscriber **at = &h->first, *s; (s = *at);) {
        bool theirs = !tenant_id || strcmp(s->tenant_id, tenant_id) == 0; /* NULL: resync, for everybody */

        if (!theirs || event_send(s->stream, type, json)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        event_release(s->stream);
        free(s);
    }
    pthread_mutex_unlock(&h->lock);
}

/* Streams of organizations where nothing happens would stay for ever after their clients have gone. With the lock held. */
static void forget_over(struct event_hub *h)
{
    for (struct subscriber **at = &h->first, *s; (s = *at);) {
        if (!event_over(s->stream)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        event_release(s->stream);
        free(s);
    }
}

int events_open(struct request *req)
{
    struct event_hub  *h = api_of(req)->events;
    struct subscriber *s = calloc(1, sizeof *s);

    if (!s)
        return error_set(&req->err, ERR_UNAVAILABLE, "no memory for an event stream");
    s->stream = response_events(req);
    if (!s->stream) {
        free(s);
        return error_set(&req->err, ERR_UNAVAILABLE, "too many event streams are open");
    }
    memcpy(s->tenant_id, req->who.tenant_id, sizeof s->tenant_id);
    event_send(s->stream, "resync", S("{}"));
    pthread_mutex_lock(&h->lock);
    forget_over(h);
    s->next = h->first;
    h->first = s;
    pthread_mutex_unlock(&h->lock);
    return 0;
}
