/* mail.h - mail out of templates (tbl/mails.def): as a message, and handed over to an SMTP server, or to files where there is none. One
   encoder builds all headers. Knows neither the outbox nor whose mail it is. */
#ifndef DMS_NET_MAIL_H
#define DMS_NET_MAIL_H

#include "base/json.h"
#include "domain/settings.h"

#include <stdatomic.h>

struct mail {
    const char   *id, *template, *to, *language; /* id: a UUID */
    const json_t *given;                         /* the values of the template: an object of texts; null: not given */
};

/* There is such a template, to is an address, and given is an object of printable texts: no line break reaches a mail. */
MUST_CHECK int mail_check(const struct mail *m, struct error *err);

/* READABLE: 8bit, for files that people open. WIRE: quoted-printable, for servers that take 7 bits. */
enum mail_form { MAIL_READABLE, MAIL_WIRE };
/* RFC 5322 with a plain and an HTML part. from: ADDRESS or NAME <ADDRESS>. */
MUST_CHECK int mail_message(struct arena *a, const struct mail *m, const char *from, enum mail_form form,
                            struct str *ret, struct error *err);
/* The bare address of NAME <ADDRESS>; NULL: it is none. */
const char *mail_address(struct arena *a, const char *from);

/* A header's value as people read it: the encoded words that mail_message makes, decoded. */
const char *mail_header_text(struct arena *a, struct str value);

struct mailer; /* belongs to one thread */
/* s and stopping outlive it; *stopping ends a mail on its way. Refuses settings that cannot work. */
struct mailer *mailer_open(const struct settings *s, const atomic_bool *stopping, struct error *err);
void           mailer_close(struct mailer *m);
/* By SMTP, or as DIR/<time>-<id>.eml (newest last by name). -1: ERR_UNPROCESSABLE is for good (the server refuses this mail), all else may work
   later. */
MUST_CHECK int mailer_send(struct mailer *m, struct arena *a, const struct mail *mail, struct error *err);

#endif
