/* celery.h - texts of the Celery message protocol 2 on kombu's Redis layout: task messages, results, events, replies. No I/O.
   The bytes are those that Celery 5.6 writes, so that its tools and workers read ours; what we read may be anybody's. */
#ifndef DMS_QUEUE_CELERY_H
#define DMS_QUEUE_CELERY_H

#include "base/json.h"
#include "domain/job.h"

enum {
    CELERY_MAX_MESSAGE = 64 << 10, /* bytes; larger ones go to the dead letters unread */
    CELERY_STEPS = 4,              /* lists of a queue by priority: 0, 3, 6, 9 */
    CELERY_NODE_BYTES = 128,
};

/* The name of the list: "queue", or "queue" 06 16 "3" and so on. step 0 is the most urgent. */
const char *celery_list(struct arena *a, const char *queue, unsigned step);
unsigned    celery_step(unsigned priority);

/* Who sends: "gen<pid>@<host>", and a reply address that nobody listens to. */
struct celery_sender {
    char        origin[CELERY_NODE_BYTES];
    struct uuid reply_to;
};
void celery_sender_init(struct celery_sender *s);

/* A task message as it is pushed. args, kwargs: JSON texts; the reprs are what Flower shows. */
struct celery_task {
    const char *task, *id, *queue;
    const char *args, *kwargs, *argsrepr, *kwargsrepr;
    unsigned    retries, priority;
    bool        ignore_result;
    const char *tag;                     /* fresh for each sending */
    const char *traceparent, *tenant_id; /* custom headers; NULL: left out */
};
void celery_write(struct sb *b, const struct celery_sender *s, const struct celery_task *t);
/* The message of a job: kwargs are its ids, no more. */
void celery_write_job(struct sb *b, const struct celery_sender *s, const struct job_ref *job, const char *tag);

/* What we read of a message. Texts are never NULL but where said so. */
struct celery_message {
    const char   *task, *id, *tag, *exchange, *routing_key, *parent_id /* or NULL */, *root_id, *argsrepr, *kwargsrepr;
    const char   *traceparent; /* or NULL */
    const json_t *args, *kwargs;
    unsigned      priority, retries;
    bool          ignore_result, linked; /* linked: has callbacks, a chain or a chord, which we do not carry out */
    int64_t       expires_us, eta_us;    /* wall clock; 0 without */
};
/* ERR_VALIDATION for what is no JSON message of protocol 2 with a delivery tag. Everything lives in the arena. */
MUST_CHECK int celery_read(struct arena *a, struct str raw, struct celery_message *ret, struct error *err);

/* How a task ended, in Celery's words. exc_type: a class of Python's builtins; why: for people. Both NULL with CELERY_SUCCESS. */
enum celery_state { CELERY_SUCCESS, CELERY_FAILURE, CELERY_UNKNOWN_TASK, CELERY_REVOKED };
struct celery_end {
    enum celery_state state;
    const char       *exc_type, *why;
};
/* The value of celery-task-meta-<id>. */
void celery_write_result(struct sb *b, const char *task_id, const struct celery_end *end, int64_t wall_us);

/* The envelope of events and replies around body. headers: a JSON object. */
void celery_write_envelope(struct sb *b, struct str body, const char *headers, const char *exchange,
                           const char *routing_key);
/* RFC 4648 section 4, padded. */
void celery_base64(struct sb *b, struct str bytes);
bool celery_from_base64(struct arena *a, struct str s, struct str *ret);

#endif
