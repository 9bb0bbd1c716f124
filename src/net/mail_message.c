/* mail_message.c - see mail.h: a template and its values become a message. The HTML part is made from the same text as the plain one; every
   value is escaped there, and refused with a control character in it everywhere. */
#include "net/mail.h"

#include "base/clock.h"

#include <time.h>

enum { HEADER_PLAIN = 60, ENCODED_WORD = 50, QUOTED_LINE = 75, ADDRESS_MAX = 254 };

static const struct template
{
    const char *name, *language, *subject, *button, *text;
}
templates[] = {
#define X(name, language, subject, button, text) { name, language, subject, button, text },
#include "tbl/mails.def"
#undef X
};

/* In that language, else in the first. */
static const struct template *find(const char *name, const char *language)
{
    const struct template *found = NULL;

    for (size_t i = 0; i < ARRAY_LEN(templates); i++)
        if (strcmp(templates[i].name, name) == 0 && (!found || strcmp(templates[i].language, language) == 0))
            found = &templates[i];
    return found;
}

/* Printable ASCII, one @ with something on both sides, nothing that has a meaning in a header. */
static bool is_address(struct str s)
{
    size_t at = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"(),:;<>[\\]", c) || (c == '@' && (at > 0 || i == 0)))
            return false;
        at = c == '@' ? i : at;
    }
    return at > 0 && at + 1 < s.n && s.n <= ADDRESS_MAX;
}

int mail_check(const struct mail *m, struct error *err)
{
    if (!find(m->template, m->language))
        return error_set(err, ERR_INTERNAL, "there is no mail template %.40s", m->template);
    if (*m->to && !is_address(str_of(m->to)))
        return error_set(err, ERR_VALIDATION, "a mail to what is no address");
    if (!jv_is_object(m->given))
        return error_set(err, ERR_INTERNAL, "the values of a mail are no object");
    for (void *it = jv_first(m->given); it; it = jv_next(m->given, it)) {
        const char *text = jv_string(jv_value(it));

        if (!jv_is_null(jv_value(it)) && (!text || !text_printable(str_of(text))))
            return error_set(err, ERR_VALIDATION, "the value %.40s of a mail is no printable text", jv_key(it));
    }
    return 0;
}

/* --- headers --- */

static bool letter_or_digit(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* RFC 2047, Q: words of whole characters, a line each. */
static void put_encoded(struct sb *b, struct str s)
{
    while (s.n > 0) {
        size_t room = ENCODED_WORD;

        sb_puts(b, "=?utf-8?Q?");
        while (s.n > 0) {
            struct str rest = s;

            utf8_next(&rest);
            size_t n = s.n - rest.n, takes = letter_or_digit((unsigned char)s.p[0]) || s.p[0] == ' ' ? 1 : 3 * n;
            if (takes > room)
                break;
            for (size_t i = 0; takes > 1 && i < n; i++)
                sb_printf(b, "=%02X", (unsigned char)s.p[i]);
            if (takes == 1)
                sb_putc(b, s.p[0] == ' ' ? '_' : s.p[0]);
            room -= takes;
            s = rest;
        }
        sb_puts(b, s.n > 0 ? "?=\r\n " : "?=");
    }
}

const char *mail_header_text(struct arena *a, struct str value)
{
    static const struct str open = { "=?utf-8?Q?", 10 }, close = { "?=", 2 };
    struct sb               b = SB(a);

    while (value.n > 0) {
        const char *end = str_starts(value, open) ? memmem(value.p + open.n, value.n - open.n, close.p, close.n) : NULL;

        for (const char *p = value.p + open.n; end && p < end; p++) {
            char byte = *p == '_' ? ' ' : *p;

            if (*p == '=' && end - p > 2 && hex_decode(&byte, 1, (struct str){ p + 1, 2 }))
                p += 2;
            sb_putc(&b, byte);
        }
        size_t taken = end ? (size_t)(end - value.p) + close.n : 1;
        if (!end)
            sb_putc(&b, value.p[0]);
        value = (struct str){ value.p + taken, value.n - taken };
        if (end && str_starts(str_trim(value), open)) /* what parts two words is not of the text */
            value = str_trim(value);
    }
    return utf8_valid(sb_str(&b)) && b.p ? b.p : "";
}

/* Plain where it is short and of the characters that mean nothing: of a phrase (a name before an address) only letters, digits, spaces. */
static void put_text(struct sb *b, struct str s, bool phrase)
{
    bool plain = s.n <= HEADER_PLAIN;

    for (size_t i = 0; plain && i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        plain = c == ' ' || letter_or_digit(c) || (!phrase && c > ' ' && c < 0x7f && c != '=');
    }
    if (plain)
        sb_put(b, s);
    else
        put_encoded(b, s);
}

/* All headers with a value from outside come through here. */
static int put_header(struct sb *b, const char *name, struct str text, bool phrase, const char *address,
                      struct error *err)
{
    if (!text_printable(text))
        return error_set(err, ERR_VALIDATION, "the header %s of a mail would hold what is not printable", name);
    if (address && !is_address(str_of(address)))
        return error_set(err, ERR_VALIDATION, "the header %s of a mail would hold what is no address", name);
    sb_printf(b, "%s: ", name);
    put_text(b, text, phrase);
    if (address)
        sb_printf(b, "%s<%s>", text.n > 0 ? " " : "", address);
    sb_puts(b, "\r\n");
    return 0;
}

/* NAME <ADDRESS> or ADDRESS, taken apart. */
static bool split_from(struct arena *a, const char *from, struct str *ret_name, const char **ret_address)
{
    struct str rest = str_trim(str_of(from)), name = S("");

    if (rest.n > 0 && rest.p[rest.n - 1] == '>') {
        rest.n--;
        name = str_trim(str_cut(&rest, '<'));
        if (!rest.p)
            return false;
    }
    *ret_name = name;
    *ret_address = str_dup(a, rest);
    return is_address(rest) && text_printable(name);
}

const char *mail_address(struct arena *a, const char *from)
{
    struct str  name;
    const char *address;

    return split_from(a, from, &name, &address) ? address : NULL;
}

static int put_headers(struct sb *b, const struct mail *m, const char *from, struct str subject, struct error *err)
{
    time_t      now = (time_t)(clock_wall_us() / 1000000);
    char        date[64];
    struct tm   tm;
    struct str  name;
    const char *address;

    if (!split_from(b->arena, from, &name, &address))
        return error_set(err, ERR_VALIDATION, "mail_from is neither ADDRESS nor NAME <ADDRESS>");
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
    if (put_header(b, "From", name, /* phrase= */ true, address, err) < 0
        || put_header(b, "To", S(""), /* phrase= */ true, m->to, err) < 0
        || put_header(b, "Subject", subject, /* phrase= */ false, NULL, err) < 0)
        return -1;
    sb_printf(b, "Date: %s\r\nMessage-ID: <%s%s>\r\nContent-Language: %s\r\nAuto-Submitted: auto-generated\r\n", date,
              m->id, strchr(address, '@'), m->language);
    return 0;
}

/* --- text and HTML --- */

static void put_html(struct sb *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *entity = s.p[i] == '&'    ? "&amp;"
                             : s.p[i] == '<'  ? "&lt;"
                             : s.p[i] == '>'  ? "&gt;"
                             : s.p[i] == '"'  ? "&quot;"
                             : s.p[i] == '\'' ? "&#39;"
                                              : NULL;

        if (entity)
            sb_puts(b, entity);
        else
            sb_putc(b, s.p[i]);
    }
}

/* text with its {words} filled in; NULL: a value was not given. */
static const char *fill(struct arena *a, struct str text, const json_t *given, bool html)
{
    struct sb b = SB(a);

    while (text.p) {
        struct str before = str_cut(&text, '{');

        sb_put(&b, before);
        if (!text.p)
            break;
        const char *word = str_dup(a, str_cut(&text, '}')), *value = word ? jv_text(given, word, NULL) : NULL;
        if (!value)
            return NULL;
        if (html)
            put_html(&b, str_of(value));
        else
            sb_puts(&b, value);
    }
    return a->failed ? NULL : sb_str(&b).p;
}

/* The next paragraph off the text. */
static struct str cut_paragraph(struct str *text)
{
    const char *end = memmem(text->p, text->n, "\n\n", 2);
    struct str  ret = { text->p, end ? (size_t)(end - text->p) : text->n };

    *text = end ? (struct str){ end + 2, text->n - ret.n - 2 } : (struct str){ NULL, 0 };
    return ret;
}

static void make_text(struct sb *b, const struct template *t, const json_t *given)
{
    struct str rest = str_of(t->text);

    while (rest.p) {
        const char *paragraph = fill(b->arena, cut_paragraph(&rest), given, /* html= */ false);

        if (paragraph)
            sb_printf(b, "%s%s", b->n > 0 ? "\n\n" : "", paragraph);
    }
    sb_puts(b, "\n\n-- \nCODITECT DMS\n");
}

static void make_html(struct sb *b, const struct template *t, const struct mail *m, const char *subject)
{
    struct str rest = str_of(t->text);

    sb_printf(b,
              "<!doctype html>\n<html lang=\"%s\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" "
              "content=\"width=device-width\"><title>",
              m->language);
    put_html(b, str_of(subject));
    sb_puts(b, "</title></head>\n<body style=\"margin:0;padding:24px;background:#f4f5f7\">\n<div style=\""
               "max-width:560px;margin:0 auto;padding:32px;background:#ffffff;color:#1c2024;"
               "font:16px/1.5 system-ui,sans-serif\">\n");
    while (rest.p) {
        struct str  paragraph = cut_paragraph(&rest);
        const char *html = fill(b->arena, paragraph, m->given, /* html= */ true);

        if (html && str_eq(paragraph, S("{link}")))
            sb_printf(b,
                      "<p><a href=\"%s\" style=\"display:inline-block;padding:10px 20px;background:#1d4ed8;"
                      "color:#ffffff;text-decoration:none\">%s</a></p>\n<p style=\"font-size:13px;"
                      "word-break:break-all\">%s</p>\n",
                      html, t->button, html);
        else if (html)
            sb_printf(b, "<p>%s</p>\n", html);
    }
    sb_puts(b, "<p style=\"font-size:13px;color:#60646c\">CODITECT DMS</p>\n</div>\n</body>\n</html>\n");
}

/* --- the message --- */

/* RFC 2045. */
static void put_quoted(struct sb *b, struct str text)
{
    size_t column = 0;

    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool          last = i + 1 == text.n || text.p[i + 1] == '\n';
        bool          plain = (c > ' ' && c < 0x7f && c != '=') || (c == ' ' && !last);

        if (c == '\n') {
            sb_puts(b, "\r\n");
            column = 0;
            continue;
        }
        if (column + (plain ? 1 : 3) > QUOTED_LINE) {
            sb_puts(b, "=\r\n");
            column = 0;
        }
        if (plain)
            sb_putc(b, (char)c);
        else
            sb_printf(b, "=%02X", c);
        column += plain ? 1 : 3;
    }
}

static void put_part(struct sb *b, const struct mail *m, const char *type, struct str text, enum mail_form form)
{
    sb_printf(b, "--=_%s\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n", m->id, type,
              form == MAIL_WIRE ? "quoted-printable" : "8bit");
    if (form == MAIL_WIRE)
        put_quoted(b, text);
    while (form == MAIL_READABLE && text.p) {
        sb_put(b, str_cut(&text, '\n'));
        sb_puts(b, text.p ? "\r\n" : "");
    }
    sb_puts(b, "\r\n");
}

int mail_message(struct arena *a, const struct mail *m, const char *from, enum mail_form form, struct str *ret,
                 struct error *err)
{
    struct sb b = SB(a), text = SB(a), html = SB(a);

    if (mail_check(m, err) < 0)
        return -1;
    const struct template *t = find(m->template, m->language);
    const char            *subject = fill(a, str_of(t->subject), m->given, /* html= */ false);
    if (!subject)
        subject = "CODITECT DMS";
    make_text(&text, t, m->given);
    make_html(&html, t, m, subject);
    if (put_headers(&b, m, from, str_of(subject), err) < 0)
        return -1;
    sb_printf(&b, "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=_%s\"\r\n\r\n", m->id);
    put_part(&b, m, "plain", sb_str(&text), form);
    put_part(&b, m, "html", sb_str(&html), form);
    sb_printf(&b, "--=_%s--\r\n", m->id);
    *ret = sb_str(&b);
    return a->failed ? error_set(err, ERR_TOO_LARGE, "a mail over its memory") : 0;
}
