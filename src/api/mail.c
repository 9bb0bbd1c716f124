/* mail.c - from an act to the outbox of mail; the worker sends it (jobs/mail.c). Knows no texts: tbl/mails.def. */
#include "api/api.h"

#include "base/uuid.h"
#include "domain/language.h"
#include "net/mail.h"

enum { VALUES_MAX = 64 };

int api_mail(struct db *db, struct request *req, const char *template, const char *to, const char *values,
             struct error *err)
{
    struct uuid id = uuid_v7();
    struct mail m = { .id = id.text,
                      .template = template,
                      .to = to,
                      .language = language_wanted(request_header(req, "Accept-Language")),
                      .given = json_read(&req->arena, str_of(values), 4, VALUES_MAX, err) };

    if (!m.given || mail_check(&m, err) < 0)
        return -1;
    return db_exec(db, SQL_MAIL_ADD, ARGS(m.id, template, to, m.language, values), err) < 0 ? -1 : 0;
}
