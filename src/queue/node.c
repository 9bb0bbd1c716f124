/* node.c - see node.h. Control has a thread and connections of its own: a worker that answers only between tasks looks offline. */
#include "queue/node.h"

#include "base/clock.h"
#include "base/log.h"
#include "queue/names.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    CONNECT_MS = 1000,
    BEAT_US = 2000 * 1000, /* half of what Celery's tools wait before a worker counts as gone */
    TURN_MS = 200,
    SILENT_US = 30 * 1000 * 1000, /* our own heartbeats do not come by here: ping to find a dead subscription */
    MAX_CONTROL = 64 << 10,
    CONTROL_ARENA = 4 << 20,
    KNOWN_TASKS = JOB_KINDS + 1, /* the last: any other */
    SHORT = 128,
};

struct slot {
    bool     busy;
    char     id[SHORT], name[SHORT], routing_key[SHORT];
    unsigned priority;
    int64_t  started_us; /* wall clock */
};

struct node {
    char               name[CELERY_NODE_BYTES], mailbox[32];
    const char *const *queues;
    unsigned           threads;
    struct redis      *ear, *mouth; /* of the control thread */
    pthread_t          thread;
    atomic_bool        stopping, events; /* events: task events are wanted */
    int64_t            opened_us, beat_us, heard_us, pinged_us;

    pthread_mutex_t lock; /* for all that follows */
    struct slot     slots[NODE_MAX_SLOTS];
    uint64_t        total[KNOWN_TASKS], clock;
    char (*revoked)[SHORT]; /* a ring of NODE_MAX_REVOKED */
    size_t revoked_count;
};

static uint64_t tick(struct node *n, uint64_t heard)
{
    pthread_mutex_lock(&n->lock);
    n->clock = (heard > n->clock ? heard : n->clock) + 1;
    uint64_t now = n->clock;
    pthread_mutex_unlock(&n->lock);
    return now;
}

static unsigned active(struct node *n)
{
    unsigned count = 0;

    pthread_mutex_lock(&n->lock);
    for (unsigned i = 0; i < NODE_MAX_SLOTS; i++)
        count += n->slots[i].busy;
    pthread_mutex_unlock(&n->lock);
    return count;
}

static uint64_t processed(struct node *n)
{
    uint64_t sum = 0;

    pthread_mutex_lock(&n->lock);
    for (unsigned i = 0; i < KNOWN_TASKS; i++)
        sum += n->total[i];
    pthread_mutex_unlock(&n->lock);
    return sum;
}

/* Events. */

static void begin_event(struct node *n, struct sb *b)
{
    sb_puts(b, "{\"hostname\": ");
    sb_json(b, n->name);
    sb_printf(b, ", \"utcoffset\": 0, \"pid\": %d, \"clock\": %llu", (int)getpid(), (unsigned long long)tick(n, 0));
}

static void put_text(struct sb *b, const char *name, const char *value)
{
    sb_printf(b, ", \"%s\": ", name);
    sb_json(b, value);
}

/* Closes the event and puts its PUBLISH: one answer. type: "worker-heartbeat". */
static unsigned put_event(struct node *n, struct redis *r, struct sb *b, const char *type)
{
    struct sb envelope = SB(b->arena), channel = SB(b->arena), headers = SB(b->arena), key = SB(b->arena);

    sb_printf(b, ", \"timestamp\": %.6f, \"type\": \"%s\"}", (double)clock_wall_us() / 1e6, type);
    for (const char *p = type; *p; p++)
        sb_putc(&key, *p == '-' ? '.' : *p);
    sb_printf(&channel, "/%u.celeryev/%s", redis_db(r), sb_str(&key).p);
    sb_puts(&headers, "{\"hostname\": ");
    sb_json(&headers, n->name);
    sb_putc(&headers, '}');
    celery_write_envelope(&envelope, sb_str(b), sb_str(&headers).p, "celeryev", sb_str(&key).p);
    REDIS(r, S("PUBLISH"), sb_str(&channel), sb_str(&envelope));
    return 1;
}

/* worker-online, worker-heartbeat, worker-offline. */
static bool beat(struct node *n, const char *type)
{
    struct arena a = ARENA(64 << 10);
    struct sb    b = SB(&a);
    double       load[3] = { 0 };

    n->beat_us = clock_steady_us();
    if (getloadavg(load, 3) < 0)
        load[0] = load[1] = load[2] = 0;
    begin_event(n, &b);
    sb_printf(
        &b,
        ", \"freq\": %.1f, \"active\": %u, \"processed\": %llu, \"loadavg\": [%.2f, %.2f, %.2f], \"sw_ident\": \"dms\", "
        "\"sw_ver\": \"1\", \"sw_sys\": \"Linux\"",
        (double)BEAT_US / 1e6, active(n), (unsigned long long)processed(n), load[0], load[1], load[2]);
    bool good = redis_ready(n->mouth) && redis_skip(n->mouth, put_event(n, n->mouth, &b, type));
    arena_free(&a);
    return good;
}

static void begin_task_event(struct node *n, struct sb *b, const struct celery_message *m)
{
    begin_event(n, b);
    put_text(b, "uuid", m->id);
}

static unsigned put_received(struct node *n, struct redis *r, struct arena *a, const struct celery_message *m)
{
    struct sb b = SB(a), started = SB(a);

    begin_task_event(n, &b, m);
    put_text(&b, "name", m->task);
    put_text(&b, "args", m->argsrepr);
    put_text(&b, "kwargs", m->kwargsrepr);
    put_text(&b, "root_id", m->root_id);
    put_text(&b, "parent_id", m->parent_id);
    sb_printf(&b, ", \"retries\": %u, \"eta\": null, \"expires\": null", m->retries);
    begin_task_event(n, &started, m);
    return put_event(n, r, &b, "task-received") + put_event(n, r, &started, "task-started");
}

static unsigned put_ended(struct node *n, struct redis *r, struct arena *a, const struct celery_message *m,
                          const struct celery_end *end, int64_t took_us)
{
    static const char *const types[] = { "task-succeeded", "task-failed", "task-failed", "task-revoked" };
    struct sb                b = SB(a), exception = SB(a);

    begin_task_event(n, &b, m);
    if (end->state == CELERY_SUCCESS)
        sb_printf(&b, ", \"result\": \"None\", \"runtime\": %.6f", (double)took_us / 1e6);
    else if (end->state == CELERY_REVOKED)
        sb_printf(&b, ", \"terminated\": false, \"signum\": null, \"expired\": %s",
                  m->expires_us > 0 ? "true" : "false");
    else {
        sb_printf(&exception, "%s('%s')", end->state == CELERY_UNKNOWN_TASK ? "NotRegistered" : end->exc_type,
                  end->why);
        put_text(&b, "exception", sb_str(&exception).p);
        put_text(&b, "traceback", "");
    }
    return put_event(n, r, &b, types[end->state]);
}

void node_started(struct node *n, struct redis *r, const struct celery_message *m, int *ret_slot)
{
    struct arena a = ARENA(256 << 10);

    *ret_slot = -1;
    pthread_mutex_lock(&n->lock);
    for (int i = 0; i < NODE_MAX_SLOTS && *ret_slot < 0; i++) {
        struct slot *s = &n->slots[i];

        if (s->busy)
            continue;
        *s = (struct slot){ .busy = true, .priority = m->priority, .started_us = clock_wall_us() };
        snprintf(s->id, sizeof s->id, "%s", m->id);
        snprintf(s->name, sizeof s->name, "%s", m->task);
        snprintf(s->routing_key, sizeof s->routing_key, "%s", m->routing_key);
        *ret_slot = i;
    }
    pthread_mutex_unlock(&n->lock);
    if (r && atomic_load(&n->events))
        redis_skip(r, put_received(n, r, &a, m));
    arena_free(&a);
}

unsigned node_ended(struct node *n, struct redis *r, struct arena *a, const struct celery_message *m, int slot,
                    const struct celery_end *end, int64_t took_us)
{
    enum job_kind kind;
    size_t        known = job_kind_of_task(m->task, &kind) == 0 ? (size_t)kind : KNOWN_TASKS - 1;

    pthread_mutex_lock(&n->lock);
    if (slot >= 0)
        n->slots[slot].busy = false;
    if (end)
        n->total[known]++;
    pthread_mutex_unlock(&n->lock);
    return r && end && atomic_load(&n->events) ? put_ended(n, r, a, m, end, took_us) : 0;
}

/* Answers. Each writes the value that stands under our name. */

typedef void answer_fn(struct node *n, struct sb *b, const json_t *arguments);

static void answer_ping(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)n, (void)arguments;
    sb_puts(b, "{\"ok\": \"pong\"}");
}

static void put_revoked(struct node *n, struct sb *b, const char *form)
{
    pthread_mutex_lock(&n->lock);
    size_t count = n->revoked_count < NODE_MAX_REVOKED ? n->revoked_count : NODE_MAX_REVOKED;
    for (size_t i = 0; i < count; i++) {
        sb_puts(b, i > 0 ? ", " : "");
        sb_json(b, n->revoked[i]);
        sb_puts(b, form);
    }
    pthread_mutex_unlock(&n->lock);
}

static void answer_hello(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)arguments;
    sb_puts(b, "{\"revoked\": {");
    put_revoked(n, b, ": 0");
    sb_printf(b, "}, \"clock\": %llu}", (unsigned long long)tick(n, 0));
}

static void answer_revoked(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)arguments;
    sb_putc(b, '[');
    put_revoked(n, b, "");
    sb_putc(b, ']');
}

static void answer_stats(struct node *n, struct sb *b, const json_t *arguments)
{
    struct rusage u;
    bool          first = true;

    (void)arguments;
    getrusage(RUSAGE_SELF, &u);
    sb_puts(b, "{\"total\": {");
    pthread_mutex_lock(&n->lock);
    for (unsigned i = 0; i < JOB_KINDS; i++)
        if (n->total[i] > 0) {
            sb_printf(b, "%s\"%s\": %llu", first ? "" : ", ", job_kinds[i].task, (unsigned long long)n->total[i]);
            first = false;
        }
    unsigned long long clock = n->clock;
    pthread_mutex_unlock(&n->lock);
    sb_printf(b,
              "}, \"pid\": %d, \"clock\": \"%llu\", \"uptime\": %lld, \"pool\": {\"implementation\": \"dms:threads\", "
              "\"max-concurrency\": %u, \"threads\": %u, \"processes\": [%d]}, \"broker\": {\"hostname\": ",
              (int)getpid(), clock, (long long)((clock_steady_us() - n->opened_us) / 1000000), n->threads, n->threads,
              (int)getpid());
    sb_json(b, redis_host(n->mouth));
    sb_printf(
        b,
        ", \"userid\": null, \"virtual_host\": \"%u\", \"port\": %u, \"transport\": \"redis\", \"ssl\": false, \"heartbeat\": 0}, "
        "\"prefetch_count\": %u, \"rusage\": {\"utime\": %.2f, \"stime\": %.2f, \"maxrss\": %ld}}",
        redis_db(n->mouth), redis_port(n->mouth), n->threads,
        (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6,
        (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6, u.ru_maxrss);
}

static void put_slot(struct node *n, struct sb *b, const struct slot *s)
{
    sb_puts(b, "{\"id\": ");
    sb_json(b, s->id);
    put_text(b, "name", s->name);
    sb_puts(b, ", \"args\": [], \"kwargs\": {}");
    put_text(b, "type", s->name);
    put_text(b, "hostname", n->name);
    sb_printf(b, ", \"time_start\": %.6f, \"acknowledged\": false, \"delivery_info\": {\"exchange\": \"\"",
              (double)s->started_us / 1e6);
    put_text(b, "routing_key", s->routing_key);
    sb_printf(b, ", \"priority\": %u, \"redelivered\": false}, \"worker_pid\": %d}", s->priority, (int)getpid());
}

static void answer_active(struct node *n, struct sb *b, const json_t *arguments)
{
    bool first = true;

    (void)arguments;
    sb_putc(b, '[');
    pthread_mutex_lock(&n->lock);
    for (unsigned i = 0; i < NODE_MAX_SLOTS; i++)
        if (n->slots[i].busy) {
            sb_puts(b, first ? "" : ", ");
            put_slot(n, b, &n->slots[i]);
            first = false;
        }
    pthread_mutex_unlock(&n->lock);
    sb_putc(b, ']');
}

/* reserved, scheduled: we take one message at a time, when a thread is free for it. */
static void answer_nothing(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)n, (void)arguments;
    sb_puts(b, "[]");
}

static void answer_query_task(struct node *n, struct sb *b, const json_t *arguments)
{
    const json_t *ids = jv_get(arguments, "ids");
    bool          first = true;

    sb_putc(b, '{');
    pthread_mutex_lock(&n->lock);
    for (unsigned i = 0; i < NODE_MAX_SLOTS; i++)
        for (size_t k = 0; n->slots[i].busy && k < jv_count(ids); k++) {
            const char *id = jv_string(jv_at(ids, k));

            if (!id || strcmp(id, n->slots[i].id) != 0)
                continue;
            sb_puts(b, first ? "" : ", ");
            sb_json(b, id);
            sb_puts(b, ": [\"active\", ");
            put_slot(n, b, &n->slots[i]);
            sb_putc(b, ']');
            first = false;
        }
    pthread_mutex_unlock(&n->lock);
    sb_putc(b, '}');
}

static void answer_registered(struct node *n, struct sb *b, const json_t *arguments)
{
    const char *names[JOB_KINDS];

    (void)n, (void)arguments;
    for (unsigned i = 0; i < JOB_KINDS; i++) { /* sorted by insertion: there are few */
        unsigned at = i;

        for (; at > 0 && strcmp(names[at - 1], job_kinds[i].task) > 0; at--)
            names[at] = names[at - 1];
        names[at] = job_kinds[i].task;
    }
    for (unsigned i = 0; i < JOB_KINDS; i++)
        sb_printf(b, "%s\"%s\"", i > 0 ? ", " : "[", names[i]);
    sb_putc(b, ']');
}

static void answer_active_queues(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)arguments;
    sb_putc(b, '[');
    for (size_t i = 0; n->queues[i]; i++)
        sb_printf(
            b,
            "%s{\"name\": \"%s\", \"exchange\": {\"name\": \"%s\", \"type\": \"direct\", \"arguments\": null, \"durable\": true, "
            "\"passive\": false, \"auto_delete\": false, \"delivery_mode\": null, \"no_declare\": false}, \"routing_key\": \"%s\", "
            "\"queue_arguments\": null, \"binding_arguments\": null, \"consumer_arguments\": null, \"durable\": true, "
            "\"exclusive\": false, \"auto_delete\": false, \"no_ack\": false, \"alias\": null, \"bindings\": [], \"no_declare\": null, "
            "\"expires\": null, \"message_ttl\": null, \"max_length\": null, \"max_length_bytes\": null, \"max_priority\": null}",
            i > 0 ? ", " : "", n->queues[i], n->queues[i], n->queues[i]);
    sb_putc(b, ']');
}

static void answer_conf(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)arguments;
    sb_printf(
        b,
        "{\"worker_concurrency\": %u, \"broker_url\": \"redis://:********@********/%u\", \"task_acks_late\": true, "
        "\"task_reject_on_worker_lost\": true, \"worker_prefetch_multiplier\": 1, \"accept_content\": [\"json\"], "
        "\"task_serializer\": \"json\", \"result_serializer\": \"json\", \"broker_transport_options\": {\"visibility_timeout\": 7200}}",
        n->threads, redis_db(n->mouth));
}

static void answer_clock(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)arguments;
    sb_printf(b, "{\"clock\": %llu}", (unsigned long long)tick(n, 0));
}

static void revoke_one(struct node *n, const char *id)
{
    if (!id || !id[0] || strlen(id) >= SHORT || !text_printable(str_of(id)) || node_revoked(n, id))
        return;
    pthread_mutex_lock(&n->lock);
    snprintf(n->revoked[n->revoked_count++ % NODE_MAX_REVOKED], SHORT, "%s", id);
    pthread_mutex_unlock(&n->lock);
}

static void answer_revoke(struct node *n, struct sb *b, const json_t *arguments)
{
    const json_t *ids = jv_get(arguments, "task_id");

    revoke_one(n, jv_string(ids));
    for (size_t i = 0; i < jv_count(ids); i++)
        revoke_one(n, jv_string(jv_at(ids, i)));
    sb_puts(b, "{\"ok\": \"tasks flagged as revoked\"}");
}

static void answer_enable_events(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)arguments;
    sb_puts(b, atomic_exchange(&n->events, true) ? "{\"ok\": \"task events already enabled\"}"
                                                 : "{\"ok\": \"task events enabled\"}");
}

static void answer_disable_events(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)arguments;
    sb_puts(b, atomic_exchange(&n->events, false) ? "{\"ok\": \"task events disabled\"}"
                                                  : "{\"ok\": \"task events already disabled\"}");
}

static void answer_heartbeat(struct node *n, struct sb *b, const json_t *arguments)
{
    (void)arguments;
    beat(n, "worker-heartbeat");
    sb_puts(b, "null");
}

static const struct {
    const char *method;
    answer_fn  *answer;
} answers[] = {
    { "ping", answer_ping },
    { "hello", answer_hello },
    { "stats", answer_stats },
    { "active", answer_active },
    { "reserved", answer_nothing },
    { "scheduled", answer_nothing },
    { "revoked", answer_revoked },
    { "registered", answer_registered },
    { "active_queues", answer_active_queues },
    { "conf", answer_conf },
    { "query_task", answer_query_task },
    { "clock", answer_clock },
    { "revoke", answer_revoke },
    { "enable_events", answer_enable_events },
    { "disable_events", answer_disable_events },
    { "heartbeat", answer_heartbeat },
};

static void answer(struct node *n, struct sb *b, const char *method, const json_t *arguments)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        if (strcmp(answers[i].method, method) == 0) {
            answers[i].answer(n, b, arguments);
            return;
        }
    sb_puts(b, "{\"error\": \"not supported by this worker\"}");
}

/* Mail. */

/* Is it for us: by name, by glob, or for all. Other matchers (pcre) are not supported: then it is not for us. */
static bool for_us(struct node *n, const json_t *v)
{
    const json_t *names = jv_get(v, "destination");
    const char   *pattern = jv_text(v, "pattern", NULL);

    if (names && !jv_is_null(names)) {
        for (size_t i = 0; i < jv_count(names); i++)
            if (jv_string(jv_at(names, i)) && strcmp(jv_string(jv_at(names, i)), n->name) == 0)
                return true;
        return false;
    }
    if (!pattern)
        return true;
    return strcmp(jv_text(v, "matcher", ""), "glob") == 0 && fnmatch(pattern, n->name, 0) == 0;
}

/* The queue that is bound for this reply, or NULL: then the caller is gone, and a list pushed now would stay for ever. */
static const char *reply_queue(struct node *n, struct arena *a, const char *exchange, const char *routing_key)
{
    struct sb key = SB(a);

    sb_printf(&key, NAME_BINDING "%s", exchange);
    REDIS(n->mouth, S("SMEMBERS"), sb_str(&key));
    _cleanup_(freeReplyObjectp) redisReply *reply = redis_next(n->mouth);
    for (size_t i = 0; reply && i < reply->elements; i++) { /* "key 06 16 pattern 06 16 queue" */
        struct str rest = reply_str(reply->element[i]), name = str_cut(&rest, '\x06');

        str_cut(&rest, '\x06');
        if (str_eq(name, str_of(routing_key)) && rest.n > 1)
            return str_dup(a, (struct str){ rest.p + 1, rest.n - 1 });
    }
    return NULL;
}

static void reply_to(struct node *n, struct arena *a, const json_t *v, struct str value)
{
    const json_t *to = jv_get(v, "reply_to");
    const char   *exchange = jv_text(to, "exchange", NULL), *key = jv_text(to, "routing_key", NULL),
               *ticket = jv_text(v, "ticket", NULL);
    const char *queue = exchange && key && redis_ready(n->mouth) ? reply_queue(n, a, exchange, key) : NULL;
    struct sb   body = SB(a), headers = SB(a), envelope = SB(a);

    if (!queue)
        return;
    sb_putc(&body, '{');
    sb_json(&body, n->name);
    sb_puts(&body, ": ");
    sb_put(&body, value);
    sb_putc(&body, '}');
    sb_puts(&headers, "{\"ticket\": ");
    sb_json(&headers, ticket);
    sb_printf(&headers, ", \"clock\": %llu}", (unsigned long long)tick(n, 0));
    celery_write_envelope(&envelope, sb_str(&body), sb_str(&headers).p, exchange, key);
    REDIS(n->mouth, S("LPUSH"), str_of(queue), sb_str(&envelope));
    redis_skip(n->mouth, 1);
}

static void hear(struct node *n, struct arena *a, struct str raw)
{
    struct error  ignored = { 0 }; /* what is not Celery's control is nobody's */
    struct str    text;
    struct sb     value = SB(a);
    const json_t *envelope = raw.n <= MAX_CONTROL ? json_read(a, raw, 16, 500, &ignored) : NULL;
    const char   *body = jv_text(envelope, "body", NULL);
    double        expires = jv_real(jv_get(envelope, "headers"), "expires", 0);

    if (!body || (expires > 0 && expires < (double)clock_wall_us() / 1e6)
        || !celery_from_base64(a, str_of(body), &text))
        return;
    tick(n, (uint64_t)jv_int(jv_get(envelope, "headers"), "clock", 0));
    const json_t *v = json_read(a, text, 16, 500, &ignored);
    const char   *method = jv_text(v, "method", NULL);
    const char   *from = jv_text(jv_get(v, "arguments"), "from_node", NULL);
    if (!method || !for_us(n, v) || (from && strcmp(from, n->name) == 0))
        return;
    answer(n, &value, method, jv_get(v, "arguments"));
    if (jv_is_object(jv_get(v, "reply_to")) && !a->failed)
        reply_to(n, a, v, sb_str(&value));
}

static void heard(struct node *n, const redisReply *r)
{
    struct arena a = ARENA(CONTROL_ARENA);

    n->heard_us = clock_steady_us();
    if (r->type == REDIS_REPLY_ARRAY && r->elements == 3 && str_eq(reply_str(r->element[0]), S("message")))
        hear(n, &a, reply_str(r->element[2]));
    arena_free(&a);
}

static bool subscribe(struct redis *r, void *arg)
{
    struct node *n = arg;

    snprintf(n->mailbox, sizeof n->mailbox, "/%u.celery.pidbox", redis_db(r));
    REDIS(r, S("SUBSCRIBE"), str_of(n->mailbox));
    n->heard_us = n->pinged_us = clock_steady_us();
    return redis_skip(r, 1);
}

static void keep_alive(struct node *n)
{
    int64_t now = clock_steady_us();

    if (now - n->heard_us > SILENT_US)
        redis_drop(n->ear);
    else if (now - n->heard_us > SILENT_US / 2 && now - n->pinged_us > SILENT_US / 2) {
        REDIS(n->ear, S("PING"));
        redis_flush(n->ear);
        n->pinged_us = now;
    }
}

static void *node_run(void *arg)
{
    struct node *n = arg;
    bool         known = false; /* we have said that we are here */

    while (!atomic_load(&n->stopping)) {
        redisReply *reply = NULL;

        if (!redis_ready(n->ear)) {
            clock_sleep_ms(50);
            continue;
        }
        if (redis_wait(n->ear, TURN_MS, &reply) > 0)
            heard(n, reply);
        if (reply)
            freeReplyObject(reply);
        keep_alive(n);
        if (clock_steady_us() - n->beat_us >= BEAT_US)
            known = beat(n, known ? "worker-heartbeat" : "worker-online");
    }
    if (known)
        beat(n, "worker-offline");
    return NULL;
}

struct node *node_open(const char *url, const char *const *queues, unsigned threads, struct error *err)
{
    struct node         *n = calloc(1, sizeof *n);
    struct celery_sender me;

    if (!n || !(n->revoked = calloc(NODE_MAX_REVOKED, sizeof *n->revoked))) {
        free(n);
        error_set(err, ERR_UNAVAILABLE, "no memory for the node");
        return NULL;
    }
    pthread_mutex_init(&n->lock, NULL);
    celery_sender_init(&me);
    snprintf(n->name, sizeof n->name, "dms-%.120s", me.origin + strlen("gen"));
    n->queues = queues;
    n->threads = threads;
    n->opened_us = clock_steady_us();
    n->ear = redis_open(url, CONNECT_MS, err);
    n->mouth = n->ear ? redis_open(url, CONNECT_MS, err) : NULL;
    if (n->mouth) {
        redis_on_connect(n->ear, subscribe, n);
        if (pthread_create(&n->thread, NULL, node_run, n) == 0)
            return n;
        error_set(err, ERR_UNAVAILABLE, "no thread for the node");
    }
    redis_close(n->ear);
    redis_close(n->mouth);
    free(n->revoked);
    free(n);
    return NULL;
}

void node_close(struct node *n)
{
    if (!n)
        return;
    atomic_store(&n->stopping, true);
    pthread_join(n->thread, NULL);
    redis_close(n->ear);
    redis_close(n->mouth);
    pthread_mutex_destroy(&n->lock);
    free(n->revoked);
    free(n);
}

const char *node_name(const struct node *n)
{
    return n->name;
}

bool node_revoked(struct node *n, const char *task_id)
{
    bool found = false;

    pthread_mutex_lock(&n->lock);
    size_t count = n->revoked_count < NODE_MAX_REVOKED ? n->revoked_count : NODE_MAX_REVOKED;
    for (size_t i = 0; i < count && !found; i++)
        found = strcmp(n->revoked[i], task_id) == 0;
    pthread_mutex_unlock(&n->lock);
    return found;
}
