/* celery.c - see celery.h. Spaces after ':' and ',' as Python's json writes them: some tools compare texts. */
#include "queue/celery.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { MAX_DEPTH = 16, MAX_KEYS = 500, MAX_NAME = 255 };

const char *celery_list(struct arena *a, const char *queue, unsigned step)
{
    struct sb b = SB(a);

    sb_puts(&b, queue);
    if (step > 0)
        sb_printf(&b, "\x06\x16%u", step * 3);
    return sb_str(&b).p;
}

unsigned celery_step(unsigned priority)
{
    return priority >= 9 ? 3 : priority / 3;
}

void celery_sender_init(struct celery_sender *s)
{
    char host[64] = "";

    if (gethostname(host, sizeof host - 1) < 0 || !host[0] || !text_printable(str_of(host)))
        snprintf(host, sizeof host, "localhost");
    snprintf(s->origin, sizeof s->origin, "gen%d@%s", (int)getpid(), host);
    s->reply_to = uuid_v7();
}

void celery_base64(struct sb *b, struct str bytes)
{
    char *out = arena_alloc(b->arena, bytes.n * 4 / 3 + 4);

    if (!out)
        return;
    size_t n = base64url_encode(out, bytes.p, bytes.n);
    for (size_t i = 0; i < n; i++)
        sb_putc(b, out[i] == '-' ? '+' : out[i] == '_' ? '/' : out[i]);
    for (; n % 4 != 0; n++)
        sb_putc(b, '=');
}

bool celery_from_base64(struct arena *a, struct str s, struct str *ret)
{
    char *copy = arena_alloc(a, s.n + 1);

    if (!copy || s.n % 4 != 0)
        return false;
    for (int i = 0; i < 2 && s.n > 0 && s.p[s.n - 1] == '='; i++)
        s.n--;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '-' || s.p[i] == '_')
            return false;
        copy[i] = s.p[i] == '+' ? '-' : s.p[i] == '/' ? '_' : s.p[i];
    }
    return base64url_decode(a, (struct str){ copy, s.n }, ret);
}

/* Writing. */

static void put_body(struct sb *b, const struct celery_task *t)
{
    struct sb body = SB(b->arena);

    sb_printf(&body, "[%s, %s, {\"callbacks\": null, \"errbacks\": null, \"chain\": null, \"chord\": null}]", t->args,
              t->kwargs);
    sb_puts(b, "{\"body\": \"");
    celery_base64(b, sb_str(&body));
    sb_puts(b, "\", \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", ");
}

static void put_member(struct sb *b, const char *name, const char *value)
{
    sb_printf(b, "\"%s\": ", name);
    sb_json(b, value);
    sb_puts(b, ", ");
}

static void put_headers(struct sb *b, const struct celery_sender *s, const struct celery_task *t)
{
    sb_puts(b, "\"headers\": {\"lang\": \"py\", ");
    put_member(b, "task", t->task);
    put_member(b, "id", t->id);
    sb_printf(
        b,
        "\"shadow\": null, \"eta\": null, \"expires\": null, \"group\": null, \"group_index\": null, \"retries\": %u, "
        "\"timelimit\": [null, null], ",
        t->retries);
    put_member(b, "root_id", t->id);
    put_member(b, "parent_id", NULL);
    put_member(b, "argsrepr", t->argsrepr);
    put_member(b, "kwargsrepr", t->kwargsrepr);
    put_member(b, "origin", s->origin);
    sb_printf(b, "\"ignore_result\": %s, \"replaced_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}",
              t->ignore_result ? "true" : "false");
    if (t->traceparent) {
        sb_puts(b, ", \"traceparent\": ");
        sb_json(b, t->traceparent);
    }
    if (t->tenant_id) {
        sb_puts(b, ", \"tenant_id\": ");
        sb_json(b, t->tenant_id);
    }
    sb_puts(b, "}, ");
}

void celery_write(struct sb *b, const struct celery_sender *s, const struct celery_task *t)
{
    put_body(b, t);
    put_headers(b, s, t);
    sb_puts(b, "\"properties\": {");
    put_member(b, "correlation_id", t->id);
    put_member(b, "reply_to", s->reply_to.text);
    sb_puts(b, "\"delivery_mode\": 2, \"delivery_info\": {\"exchange\": \"\", \"routing_key\": ");
    sb_json(b, t->queue);
    sb_printf(b, "}, \"priority\": %u, \"body_encoding\": \"base64\", \"delivery_tag\": ", t->priority);
    sb_json(b, t->tag);
    sb_puts(b, "}}");
}

void celery_write_job(struct sb *b, const struct celery_sender *s, const struct job_ref *job, const char *tag)
{
    struct sb kwargs = SB(b->arena), repr = SB(b->arena);

    sb_printf(&kwargs, "{\"tenant_id\": \"%s\", \"job_id\": \"%s\"}", job->tenant_id.text, job->id.text);
    sb_printf(&repr, "{'tenant_id': '%s', 'job_id': '%s'}", job->tenant_id.text, job->id.text);
    celery_write(b, s,
                 &(struct celery_task){ .task = job_kinds[job->kind].task,
                                        .id = job->id.text,
                                        .queue = job_kinds[job->kind].queue,
                                        .args = "[]",
                                        .kwargs = sb_str(&kwargs).p,
                                        .argsrepr = "()",
                                        .kwargsrepr = sb_str(&repr).p,
                                        .retries = job->attempts,
                                        .priority = job->priority,
                                        .ignore_result = true,
                                        .tag = tag,
                                        .traceparent = job->traceparent[0] ? job->traceparent : NULL,
                                        .tenant_id = job->tenant_id.text });
}

/* Python's isoformat of an aware time in UTC. */
static void put_time(struct sb *b, int64_t wall_us)
{
    char text[32];

    clock_rfc3339(text, wall_us);
    sb_printf(b, "\"%.*s+00:00\"", (int)strcspn(text, "Z"), text);
}

void celery_write_result(struct sb *b, const char *task_id, const struct celery_end *end, int64_t wall_us)
{
    static const char *const status[] = { "SUCCESS", "FAILURE", "FAILURE", "REVOKED" };
    static const char *const of_celery[] = { NULL, NULL, "NotRegistered", "TaskRevokedError" };

    sb_printf(b, "{\"status\": \"%s\", \"result\": ", status[end->state]);
    if (end->state == CELERY_SUCCESS)
        sb_puts(b, "null");
    else {
        sb_puts(b, "{\"exc_type\": ");
        sb_json(b, of_celery[end->state] ? of_celery[end->state] : end->exc_type);
        sb_puts(b, ", \"exc_message\": [");
        sb_json(b, end->why);
        sb_printf(b, "], \"exc_module\": \"%s\"}", of_celery[end->state] ? "celery.exceptions" : "builtins");
    }
    sb_puts(b, ", \"traceback\": null, \"children\": [], \"date_done\": ");
    put_time(b, wall_us);
    sb_puts(b, ", \"task_id\": ");
    sb_json(b, task_id);
    sb_putc(b, '}');
}

void celery_write_envelope(struct sb *b, struct str body, const char *headers, const char *exchange,
                           const char *routing_key)
{
    struct uuid tag = uuid_v7();

    sb_puts(b, "{\"body\": \"");
    celery_base64(b, body);
    sb_printf(b,
              "\", \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", \"headers\": %s, "
              "\"properties\": {\"delivery_mode\": 1, \"delivery_info\": {\"exchange\": ",
              headers);
    sb_json(b, exchange);
    sb_puts(b, ", \"routing_key\": ");
    sb_json(b, routing_key);
    sb_printf(b, "}, \"priority\": 0, \"body_encoding\": \"base64\", \"delivery_tag\": \"%s\"}}", tag.text);
}

/* Reading. */

/* ISO 8601; without a zone it is UTC. */
static bool read_time(const char *text, int64_t *ret_us)
{
    char utc[64];

    if (!text || clock_parse_rfc3339(text, ret_us) == 0)
        return true;
    snprintf(utc, sizeof utc, "%.50sZ", text);
    return clock_parse_rfc3339(utc, ret_us) == 0;
}

static int bad(struct error *err, const char *why)
{
    return error_set(err, ERR_VALIDATION, "message: %s", why);
}

/* A text of bounded length, or the fallback when absent or null; NULL when it is something else. */
static const char *short_text(const json_t *v, const char *name, const char *fallback)
{
    const json_t *m = jv_get(v, name);

    if (!m || jv_is_null(m))
        return fallback;
    const char *s = jv_string(m);
    return s && strlen(s) <= MAX_NAME ? s : NULL;
}

/* Made for display by whoever sent it: what is not fit for that is not shown. */
static const char *display(const json_t *headers, const char *name, const char *fallback)
{
    const char *s = jv_text(headers, name, fallback);

    return text_printable(str_of(s)) ? s : fallback;
}

static int read_headers(const json_t *h, struct celery_message *m, struct error *err)
{
    if (!jv_is_object(h))
        return bad(err, "no headers");
    m->task = short_text(h, "task", NULL);
    m->id = short_text(h, "id", NULL);
    if (!m->task || !m->id || !m->id[0] || !text_printable(str_of(m->task)) || !text_printable(str_of(m->id)))
        return bad(err, "no task name or id");
    m->parent_id = short_text(h, "parent_id", NULL);
    m->root_id = short_text(h, "root_id", m->id);
    if (!m->root_id)
        m->root_id = m->id;
    m->traceparent = short_text(h, "traceparent", NULL);
    m->argsrepr = display(h, "argsrepr", "()");
    m->kwargsrepr = display(h, "kwargsrepr", "{}");
    m->retries = (unsigned)jv_int(h, "retries", 0);
    m->ignore_result = jv_bool(h, "ignore_result", false);
    if (!read_time(short_text(h, "expires", NULL), &m->expires_us)
        || !read_time(short_text(h, "eta", NULL), &m->eta_us))
        return bad(err, "a time that is none");
    return 0;
}

static int read_properties(const json_t *p, struct celery_message *m, bool *ret_base64, struct error *err)
{
    const json_t *info = jv_get(p, "delivery_info");

    m->tag = short_text(p, "delivery_tag", NULL);
    if (!m->tag || !m->tag[0])
        return bad(err, "no delivery tag");
    m->exchange = short_text(info, "exchange", "");
    m->routing_key = short_text(info, "routing_key", "");
    const char *encoding = short_text(p, "body_encoding", "");
    if (!m->exchange || !m->routing_key || !encoding)
        return bad(err, "delivery_info is not as it should be");
    int64_t priority = jv_int(p, "priority", 0);
    m->priority = priority < 0 ? 0 : priority > 9 ? 9 : (unsigned)priority;
    *ret_base64 = strcmp(encoding, "base64") == 0;
    return 0;
}

/* [args, kwargs, embed] */
static int read_body(struct arena *a, struct str body, bool base64, struct celery_message *m, struct error *err)
{
    static const char *const links[] = { "callbacks", "errbacks", "chain", "chord" };

    if (base64 && !celery_from_base64(a, body, &body))
        return bad(err, "the body is no base64");
    const json_t *v = json_read(a, body, MAX_DEPTH, MAX_KEYS, err);
    if (!v || !jv_is_array(v) || jv_count(v) != 3)
        return bad(err, "the body is not [args, kwargs, embed]");
    m->args = jv_at(v, 0);
    m->kwargs = jv_at(v, 1);
    if (!jv_is_array(m->args) || !jv_is_object(m->kwargs))
        return bad(err, "args or kwargs of the wrong type");
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        const json_t *link = jv_get(jv_at(v, 2), links[i]);

        m->linked = m->linked || (link && !jv_is_null(link) && !(jv_is_array(link) && jv_count(link) == 0));
    }
    return 0;
}

int celery_read(struct arena *a, struct str raw, struct celery_message *ret, struct error *err)
{
    struct celery_message m = { 0 };
    bool                  base64 = false;

    if (raw.n > CELERY_MAX_MESSAGE)
        return bad(err, "too large");
    const json_t *v = json_read(a, raw, MAX_DEPTH, MAX_KEYS, err);
    if (!v || !jv_is_object(v))
        return bad(err, "no JSON object");
    const char *type = jv_text(v, "content-type", ""), *body = jv_text(v, "body", NULL);
    if (strcmp(type, "application/json") != 0)
        return bad(err, "a content type other than application/json");
    if (!body)
        return bad(err, "no body");
    if (read_headers(jv_get(v, "headers"), &m, err) < 0
        || read_properties(jv_get(v, "properties"), &m, &base64, err) < 0
        || read_body(a, str_of(body), base64, &m, err) < 0)
        return -1;
    *ret = m;
    return 0;
}
