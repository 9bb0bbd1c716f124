/* mail.h - mail as files, one a message, for installations without an SMTP server. Knows no templates. */
#ifndef DMS_NET_MAIL_H
#define DMS_NET_MAIL_H

#include "base/text.h"

/* Writes DIR/<time>-<id>.eml (RFC 5322, UTF-8, newest last by name), making DIR. to and subject hold no line breaks. */
MUST_CHECK int mail_file(const char *dir, const char *to, const char *subject, struct str text, struct error *err);

#endif
