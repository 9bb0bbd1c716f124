/* mail.c - see jobs.h: empties the outbox, in a thread of its own, so that a slow mail server holds up nobody. What is sent is gone from the
   database; what is not is tried again, later each time, until mail_give_up. No address and no text of a mail is logged. */
#include "jobs/jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/mail.h"

#include <pthread.h>

enum { POLL_MS = 400, MAIL_MEMORY = 1 << 20, VALUES_MAX = 64, LONGEST_WAIT_S = 600, SPARE_S = 30 };

struct mail_sender {
    const struct settings *settings;
    struct db             *db;
    struct mailer         *mailer;
    pthread_t              thread;
    atomic_bool            stopping;
};

static unsigned wait_before(const struct settings *s, int64_t attempts)
{
    uint64_t wait = s->mail_backoff;

    while (--attempts > 0 && wait < LONGEST_WAIT_S)
        wait *= 2;
    return (unsigned)(wait < LONGEST_WAIT_S ? wait : LONGEST_WAIT_S);
}

static int run(struct mail_sender *m, struct arena *a, enum sql q, const char *id, int64_t seconds, struct error *err)
{
    struct db_scope nobody = { 0 };
    struct rows     r;

    if (q == SQL_MAIL_LATER)
        return db_query_alone(m->db, nobody, a, q, ARGS(id, db_int(a, seconds)), &r, err);
    return db_query_alone(m->db, nobody, a, q, ARGS(id), &r, err);
}

/* What becomes of a mail that was not sent. */
static int put_back(struct mail_sender *m, struct arena *a, const struct mail *mail, struct rows *r,
                    const struct error *why, struct error *err)
{
    bool     over = row_real(r, "age") > (double)m->settings->mail_give_up;
    unsigned wait = wait_before(m->settings, row_int(r, "attempts"));

    if (why->code == ERR_UNPROCESSABLE || over) {
        log_at(LOG_ERROR, "mail %s (%s) is given up: %s", mail->id, mail->template, why->detail);
        metric_add(METRIC_MAILS_GIVEN_UP, 1);
        return run(m, a, SQL_MAIL_DONE, mail->id, 0, err);
    }
    log_at(LOG_WARNING, "mail %s (%s) is tried again in %u s: %s", mail->id, mail->template, wait, why->detail);
    metric_add(METRIC_MAILS_RETRIED, 1);
    return run(m, a, SQL_MAIL_LATER, mail->id, wait, err);
}

/* 1: one was taken, there may be more. 0: none waits. */
static int send_next(struct mail_sender *m, struct arena *a, struct error *err)
{
    struct db_scope nobody = { 0 };
    struct rows     r;
    struct error    why = { 0 }, ignored = { 0 }; /* of values that are no JSON: mailer_send says so */
    int64_t         held_s = (int64_t)m->settings->mail_timeout_ms / 1000 + SPARE_S;

    if (db_query_alone(m->db, nobody, a, SQL_MAIL_TAKE, ARGS(db_int(a, held_s)), &r, err) < 0)
        return -1;
    if (!row_next(&r))
        return 0;
    struct mail mail = { .id = row_text(&r, "id"),
                         .template = row_text(&r, "template"),
                         .to = row_text(&r, "recipient"),
                         .language = row_text(&r, "locale"),
                         .given = json_read(a, row_str(&r, "given"), 4, VALUES_MAX, &ignored) };

    if (mail.to[0] == '\0') /* to nobody: see account.c */
        return run(m, a, SQL_MAIL_DONE, mail.id, 0, err) < 0 ? -1 : 1;
    int rc = mailer_send(m->mailer, a, &mail, &why);
    if (rc < 0 && atomic_load(&m->stopping))
        return 0; /* cut off by us; its time comes again */
    if (rc < 0)
        return put_back(m, a, &mail, &r, &why, err) < 0 ? -1 : 1;
    metric_add(METRIC_MAILS_SENT, 1);
    return run(m, a, SQL_MAIL_DONE, mail.id, 0, err) < 0 ? -1 : 1;
}

static void *thread_run(void *arg)
{
    struct mail_sender *m = arg;
    bool                away = false;

    while (!atomic_load(&m->stopping)) {
        struct arena a = ARENA(MAIL_MEMORY);
        struct error err = { 0 };
        int          more = send_next(m, &a, &err);

        arena_free(&a);
        if (more < 0 && !away)
            log_at(LOG_WARNING, "mail waits: %s", err.detail);
        away = more < 0;
        if (more <= 0)
            clock_sleep_ms(POLL_MS);
    }
    return NULL;
}

struct mail_sender *mail_sender_open(const struct settings *s, const char *conninfo, struct error *err)
{
    struct mail_sender *m = calloc(1, sizeof *m);

    if (!m) {
        error_set(err, ERR_UNAVAILABLE, "no memory for mail");
        return NULL;
    }
    m->settings = s;
    m->mailer = mailer_open(s, &m->stopping, err);
    m->db = m->mailer ? db_open(conninfo, "dms mail", err) : NULL;
    if (m->db && pthread_create(&m->thread, NULL, thread_run, m) == 0)
        return m;
    error_set(err, ERR_UNAVAILABLE, "the system gives no more threads");
    mailer_close(m->mailer);
    db_close(m->db);
    free(m);
    return NULL;
}

void mail_sender_close(struct mail_sender *m)
{
    if (!m)
        return;
    atomic_store(&m->stopping, true);
    pthread_join(m->thread, NULL);
    mailer_close(m->mailer);
    db_close(m->db);
    free(m);
}
