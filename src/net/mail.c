/* mail.c - see mail.h: by SMTP with libcurl, one connection a mail, or into files. A server on another machine is spoken to with TLS only. */
#include "net/mail.h"

#include "base/clock.h"
#include "base/file.h"

#include <curl/curl.h>

struct mailer {
    const struct settings *settings;
    const atomic_bool     *stopping;
    bool                   tls; /* with smtp://: STARTTLS or nothing */
    CURL                  *curl;
};

/* smtp:// and smtps:// with a host and perhaps a port; who signs in stands elsewhere, so that no log shows it. */
static bool is_server(const char *url)
{
    struct str u = str_of(url);
    size_t     scheme = str_starts(u, S("smtps://")) ? 8 : str_starts(u, S("smtp://")) ? 7 : 0;

    for (size_t i = scheme; scheme > 0 && i < u.n; i++)
        if (u.p[i] <= ' ' || u.p[i] >= 0x7f || strchr("@/?#\"\\", u.p[i]))
            return false;
    return scheme > 0 && u.n > scheme;
}

static bool on_this_machine(const char *url)
{
    struct str host = { strstr(url, "://") + 3, strlen(strstr(url, "://") + 3) };

    if (str_starts(host, S("[")))
        return str_starts(host, S("[::1]"));
    host = str_cut(&host, ':');
    if (str_eq(host, S("localhost")))
        return true;
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
            return false; /* a name, whatever it begins with */
    return str_starts(host, S("127."));
}

static bool wants_tls(const struct settings *s)
{
    if (strcmp(s->smtp_starttls, "auto") == 0)
        return !on_this_machine(s->smtp_url);
    return strcmp(s->smtp_starttls, "required") == 0;
}

struct mailer *mailer_open(const struct settings *s, const atomic_bool *stopping, struct error *err)
{
    struct arena   a = ARENA(4096);
    bool           smtp = s->smtp_url[0] != '\0', sender = mail_address(&a, s->mail_from) != NULL;
    struct mailer *m = calloc(1, sizeof *m);

    arena_free(&a);
    if (!sender)
        error_say(err, ERR_VALIDATION, "mail_from", "mail_from must be ADDRESS or NAME <ADDRESS>.");
    else if (smtp && !is_server(s->smtp_url))
        error_say(err, ERR_VALIDATION, "smtp_url", "smtp_url must be smtp://HOST[:PORT] or smtps://HOST[:PORT].");
    else if (!m || (smtp && (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(m->curl = curl_easy_init()))))
        error_set(err, ERR_UNAVAILABLE, "no memory for mail");
    else {
        m->settings = s;
        m->stopping = stopping;
        m->tls = smtp && wants_tls(s);
        return m;
    }
    mailer_close(m);
    return NULL;
}

void mailer_close(struct mailer *m)
{
    if (!m)
        return;
    curl_easy_cleanup(m->curl);
    free(m);
}

static size_t on_read(char *buf, size_t size, size_t n, void *arg)
{
    struct str *rest = arg;
    size_t      taken = rest->n < size * n ? rest->n : size * n;

    memcpy(buf, rest->p, taken);
    *rest = (struct str){ rest->p + taken, rest->n - taken };
    return taken;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct mailer *m = arg;

    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(m->stopping) ? 1 : 0;
}

static void set_server(struct mailer *m)
{
    const struct settings *s = m->settings;

    curl_easy_reset(m->curl);
    curl_easy_setopt(m->curl, CURLOPT_URL, s->smtp_url);
    curl_easy_setopt(m->curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(m->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(m->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(m->curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(m->curl, CURLOPT_TIMEOUT_MS, (long)s->mail_timeout_ms);
    curl_easy_setopt(m->curl, CURLOPT_USE_SSL, m->tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
    curl_easy_setopt(m->curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(m->curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (s->smtp_ca_file[0] != '\0')
        curl_easy_setopt(m->curl, CURLOPT_CAINFO, s->smtp_ca_file);
    if (s->smtp_user[0] != '\0') {
        curl_easy_setopt(m->curl, CURLOPT_USERNAME, s->smtp_user);
        curl_easy_setopt(m->curl, CURLOPT_PASSWORD, s->smtp_password);
    }
    curl_easy_setopt(m->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(m->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(m->curl, CURLOPT_XFERINFODATA, m);
}

/* A 5xx to this very mail is for good; one to us as a client (no TLS, wrong password) is the operator's to mend. */
static int explain(struct mailer *m, CURLcode e, struct error *err)
{
    long code = 0;

    curl_easy_getinfo(m->curl, CURLINFO_RESPONSE_CODE, &code);
    bool ours = e == CURLE_LOGIN_DENIED || e == CURLE_USE_SSL_FAILED || e == CURLE_REMOTE_ACCESS_DENIED;
    return error_set(err, code / 100 == 5 && !ours ? ERR_UNPROCESSABLE : ERR_UNAVAILABLE, "%s (last answer %ld)",
                     curl_easy_strerror(e), code);
}

/* What cannot be a message never will be. */
static int compose(struct mailer *m, struct arena *a, const struct mail *mail, enum mail_form form, struct str *ret,
                   struct error *err)
{
    if (mail_message(a, mail, m->settings->mail_from, form, ret, err) == 0)
        return 0;
    err->code = ERR_UNPROCESSABLE;
    return -1;
}

static int send_by_smtp(struct mailer *m, struct arena *a, const struct mail *mail, struct error *err)
{
    struct str         text;
    const char        *from = mail_address(a, m->settings->mail_from);
    struct curl_slist *to = NULL;

    if (compose(m, a, mail, MAIL_WIRE, &text, err) < 0)
        return -1;
    to = curl_slist_append(NULL, mail->to);
    if (!to || !from) {
        curl_slist_free_all(to);
        return error_set(err, ERR_UNAVAILABLE, "no memory for a mail");
    }
    set_server(m);
    curl_easy_setopt(m->curl, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(m->curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(m->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(m->curl, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(m->curl, CURLOPT_READDATA, &text);
    CURLcode e = curl_easy_perform(m->curl);
    int      rc = e == CURLE_OK ? 0 : explain(m, e, err);
    curl_easy_reset(m->curl); /* before what it refers to */
    curl_slist_free_all(to);
    return rc;
}

static int write_file(struct mailer *m, struct arena *a, const struct mail *mail, struct error *err)
{
    const char *dir = m->settings->mail_dir;
    char        now[32];
    struct sb   path = SB(a);
    struct str  text;

    clock_rfc3339(now, clock_wall_us());
    sb_printf(&path, "%s/%s-%s.eml", dir, now, mail->id);
    if (compose(m, a, mail, MAIL_READABLE, &text, err) < 0 || file_make_dirs(dir, 0700, err) < 0)
        return -1;
    return file_write(path.p, text, 0600, err);
}

int mailer_send(struct mailer *m, struct arena *a, const struct mail *mail, struct error *err)
{
    return m->curl ? send_by_smtp(m, a, mail, err) : write_file(m, a, mail, err);
}
