/* mail.c - see mail.h. */
#include "net/mail.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/uuid.h"

#include <time.h>

int mail_file(const char *dir, const char *to, const char *subject, struct str text, struct error *err)
{
    struct arena a = ARENA(262144);
    struct sb    path = SB(&a), mail = SB(&a);
    struct uuid  id = uuid_v7();
    char         now[32], date[64];
    time_t       t = (time_t)(clock_wall_us() / 1000000);
    struct tm    tm;

    if (strpbrk(to, "\r\n") || strpbrk(subject, "\r\n"))
        return error_set(err, ERR_INTERNAL, "a line break in a mail header");
    clock_rfc3339(now, clock_wall_us());
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&t, &tm));
    sb_printf(&path, "%s/%s-%s.eml", dir, now, id.text);
    sb_printf(
        &mail,
        "From: CODITECT DMS <no-reply@localhost>\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@localhost>\r\n",
        to, subject, date, id.text);
    sb_put(
        &mail,
        S("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"));
    sb_put(&mail, text);
    int rc = a.failed ? error_set(err, ERR_TOO_LARGE, "a mail over its memory") : file_make_dirs(dir, 0700, err);
    if (rc == 0)
        rc = file_write(path.p, sb_str(&mail), 0600, err);
    arena_free(&a);
    return rc;
}
