/* event.c - open event streams by tenant: what happens to documents and jobs, told live. Events come over Redis from every process; what
   is missed is told by "resync": look again. A stream ends when the credential that opened it does. */
#include "api/api.h"
#include "api/handlers.h"

#include "base/address.h"
#include "base/log.h"

#include <pthread.h>
#include <stdio.h>

enum {
    EVENT_ARENA = 4 << 20,   /* a thousand streams of one tenant and a long event */
    STREAMS_ARENA = 16 << 20 /* as many as events_max can be */
};

/* Of documents: all that the person may see, those that grants open, or none (a credential without document.read). */
enum hears { HEARS_NOTHING, HEARS_GRANTED, HEARS_SEEN };

struct subscriber {
    struct subscriber   *next;
    struct event_stream *stream;
    struct principal     who;
    char                 ip[ADDRESS_TEXT];
    enum hears           hears;
    uint64_t             number; /* never given again, unlike its memory */
};

struct event_hub {
    pthread_mutex_t    lock;
    struct subscriber *first;
    uint64_t           opened; /* streams, ever */
};

static enum hears hears_of(const struct principal *who)
{
    if (who->confined)
        return HEARS_NOTHING;
    return who->granted & PERM(document_read)    ? HEARS_SEEN
           : who->by_grant & PERM(document_read) ? HEARS_GRANTED
                                                 : HEARS_NOTHING;
}

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

/* Who is to be asked about: the people with open streams of a tenant. */
struct listeners {
    const char **users, **by_grant; /* each ends with NULL */
    size_t       n;
    bool        *may; /* what was answered */
};

static bool of_tenant(const struct subscriber *s, const char *tenant_id)
{
    return !tenant_id || strcmp(s->who.tenant_id, tenant_id) == 0; /* NULL: resync, for everybody */
}

static size_t listener_of(const struct listeners *l, const struct subscriber *s)
{
    for (size_t i = 0; i < l->n && s->hears != HEARS_NOTHING; i++)
        if (strcmp(l->users[i], s->who.user_id) == 0 && (l->by_grant[i][0] == 't') == (s->hears == HEARS_GRANTED))
            return i;
    return l->n;
}

/* Each person once. With the lock held. */
static bool listeners_collect(const struct event_hub *h, struct arena *a, const char *tenant_id, struct listeners *ret)
{
    size_t most = 1;

    for (const struct subscriber *s = h->first; s; s = s->next)
        most += of_tenant(s, tenant_id) && s->hears != HEARS_NOTHING;
    *ret = (struct listeners){ .users = arena_alloc_array(a, most, sizeof *ret->users),
                               .by_grant = arena_alloc_array(a, most, sizeof *ret->by_grant),
                               .may = arena_alloc_array(a, most, sizeof *ret->may) };
    if (!ret->users || !ret->by_grant || !ret->may)
        return false;
    for (const struct subscriber *s = h->first; s; s = s->next) {
        if (!of_tenant(s, tenant_id) || s->hears == HEARS_NOTHING || listener_of(ret, s) < ret->n)
            continue;
        ret->users[ret->n] = arena_text(a, s->who.user_id, strlen(s->who.user_id));
        ret->by_grant[ret->n] = s->hears == HEARS_GRANTED ? "t" : "f";
        ret->may[ret->n++] = false;
    }
    ret->users[ret->n] = ret->by_grant[ret->n] = NULL;
    return !a->failed;
}

/* Asks the database which of them may see the document. */
static int listeners_ask(struct db *db, struct arena *a, const char *tenant_id, const char *document_id,
                         struct listeners *l)
{
    struct error err = { 0 };
    struct rows  r;

    if (db_query_alone(db, db_scope_system(tenant_id), a, SQL_EVENT_READERS,
                       ARGS(document_id, db_array(a, l->users), db_array(a, l->by_grant)), &r, &err)
        < 0) {
        log_at(LOG_WARNING, "events: who may see a document could not be asked: %s", err.detail);
        return -1;
    }
    while (row_next(&r)) {
        int64_t at = row_int(&r, "place");

        if (at >= 0 && (size_t)at < l->n)
            l->may[at] = true;
    }
    return r.bad ? -1 : 0;
}

/* To the streams of a tenant; l: only to those of people who may, NULL: to all. */
static void tell(struct event_hub *h, const char *tenant_id, const struct listeners *l, const char *type,
                 struct str json)
{
    pthread_mutex_lock(&h->lock);
    for (struct subscriber **at = &h->first, *s; (s = *at);) {
        size_t place = l ? listener_of(l, s) : 0;
        bool   theirs = of_tenant(s, tenant_id) && (!l || (place < l->n && l->may[place]));

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

/* Which document an event is about; NULL: none. */
static const char *document_of(struct arena *a, const char *type, struct str json)
{
    struct error  ignored = { 0 };
    const json_t *v = json_read(a, json, 16, 1000, &ignored);

    return jv_text(v, strcmp(type, "document") == 0 ? "id" : "document_id", NULL);
}

/* Events of documents go to those who may see the document at that moment; when that cannot be found out, they are told to look themselves. */
void event_hub_publish(struct event_hub *h, struct db *db, const char *tenant_id, const char *type, struct str json)
{
    struct arena     a = ARENA(EVENT_ARENA);
    struct listeners l = { 0 };
    const char      *document_id = tenant_id ? document_of(&a, type, json) : NULL;

    if (!document_id) {
        tell(h, tenant_id, NULL, type, json);
        arena_free(&a);
        return;
    }
    pthread_mutex_lock(&h->lock);
    bool collected = listeners_collect(h, &a, tenant_id, &l);
    pthread_mutex_unlock(&h->lock);
    if (collected && l.n > 0) {
        bool answered = listeners_ask(db, &a, tenant_id, document_id, &l) == 0;

        for (size_t i = 0; !answered && i < l.n; i++)
            l.may[i] = true;
        tell(h, tenant_id, &l, answered ? type : "resync", answered ? json : S("{}"));
    }
    arena_free(&a);
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

bool event_hub_empty(struct event_hub *h)
{
    pthread_mutex_lock(&h->lock);
    bool empty = !h->first;
    pthread_mutex_unlock(&h->lock);
    return empty;
}

/* A copy of each open one, for looking at without the lock; *ret_n how many. NULL without memory. */
static struct subscriber *copy_all(struct event_hub *h, struct arena *a, size_t *ret_n)
{
    pthread_mutex_lock(&h->lock);
    forget_over(h);
    *ret_n = 0;
    for (const struct subscriber *s = h->first; s; s = s->next)
        ++*ret_n;
    struct subscriber *all = arena_alloc_array(a, *ret_n + 1, sizeof *all), *to = all;
    for (const struct subscriber *s = h->first; s && all; s = s->next)
        *to++ = *s;
    pthread_mutex_unlock(&h->lock);
    return all;
}

static void end_numbered(struct event_hub *h, uint64_t number)
{
    pthread_mutex_lock(&h->lock);
    for (struct subscriber *s = h->first; s; s = s->next)
        if (s->number == number)
            event_end(s->stream);
    pthread_mutex_unlock(&h->lock);
}

/* 1: it may go on. 0: it has ended. -1: the database cannot say. */
static int still_holds(struct db *db, const struct subscriber *s)
{
    struct arena     a = ARENA(EVENT_ARENA);
    struct principal now = s->who;
    struct error     err = { 0 };

    int rc = api_principal_renew(db, &a, s->ip, &now, &err);
    arena_free(&a);
    if (rc == 0)
        return hears_of(&now) == s->hears;
    return err.code == ERR_UNAUTHORIZED || err.code == ERR_FORBIDDEN ? 0 : -1;
}

void event_hub_check(struct event_hub *h, struct db *db)
{
    struct arena       a = ARENA(STREAMS_ARENA);
    size_t             n;
    struct subscriber *all = copy_all(h, &a, &n);

    for (size_t i = 0; all && i < n; i++) {
        int holds = still_holds(db, &all[i]);

        if (holds < 0)
            break; /* each of them would wait for it; while it is away nobody can be told anything anyway */
        if (holds == 0)
            end_numbered(h, all[i].number);
    }
    arena_free(&a);
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
    s->who = req->who;
    snprintf(s->ip, sizeof s->ip, "%s", req->ip ? req->ip : "");
    s->hears = hears_of(&s->who);
    event_send(s->stream, "resync", S("{}"));
    pthread_mutex_lock(&h->lock);
    forget_over(h);
    s->number = ++h->opened;
    s->next = h->first;
    h->first = s;
    pthread_mutex_unlock(&h->lock);
    return 0;
}
