/* multipart.c - see multipart.h. A delimiter begins with CR and has no other, so a broken match is data and never needs a second look. */
#include "http/multipart.h"

enum state { IN_DATA, AFTER_DELIMITER, AFTER_CR, AFTER_DASH, IN_HEAD, AT_END, AT_END_CR, FINISHED };

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
           || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool name_is(struct str s, const char *name)
{
    size_t i = 0;

    for (; i < s.n && name[i] != '\0'; i++)
        if (lower(s.p[i]) != lower(name[i]))
            return false;
    return i == s.n && name[i] == '\0';
}

static void skip_space(struct str *s)
{
    while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
        *s = (struct str){ s->p + 1, s->n - 1 };
}

static struct str take_token(struct str *s)
{
    struct str t = { s->p, 0 };

    while (t.n < s->n && is_token(s->p[t.n]))
        t.n++;
    *s = (struct str){ s->p + t.n, s->n - t.n };
    return t;
}

/* A quoted text; a backslash quotes only a quote or a backslash: browsers of old sent whole Windows paths. */
static bool take_quoted(struct arena *a, struct str *s, struct str *ret)
{
    char  *out = arena_alloc(a, s->n + 1);
    size_t n = 0;

    if (!out)
        return false;
    for (size_t i = 1; i < s->n; i++) {
        char c = s->p[i];

        if (c == '"') {
            *s = (struct str){ s->p + i + 1, s->n - i - 1 };
            *ret = (struct str){ out, n };
            return true;
        }
        if (c == '\\' && i + 1 < s->n && (s->p[i + 1] == '"' || s->p[i + 1] == '\\'))
            c = s->p[++i];
        if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
            return false;
        out[n++] = c;
    }
    return false;
}

/* UTF-8''percent-encoded */
static bool extended_decode(struct arena *a, struct str v, struct str *ret)
{
    struct str charset = str_cut(&v, '\'');

    if (!v.p || !name_is(charset, "utf-8"))
        return false;
    str_cut(&v, '\'');
    return v.p && url_decode(a, v, /* plus */ false, ret);
}

int header_param(struct arena *a, struct str value, const char *name, struct str *ret)
{
    struct str found = { NULL, 0 };

    while (value.n > 0 && value.p[0] != ';')
        value = (struct str){ value.p + 1, value.n - 1 };
    while (value.n > 0) {
        struct str key, text;

        value = (struct str){ value.p + 1, value.n - 1 }; /* the semicolon */
        skip_space(&value);
        if (value.n == 0)
            break;
        key = take_token(&value);
        if (key.n == 0 || value.n == 0 || value.p[0] != '=')
            return -1;
        value = (struct str){ value.p + 1, value.n - 1 };
        if (value.n > 0 && value.p[0] == '"') {
            if (!take_quoted(a, &value, &text))
                return -1;
        } else if ((text = take_token(&value)).n == 0)
            return -1;
        skip_space(&value);
        if (value.n > 0 && value.p[0] != ';')
            return -1;
        if (!name_is(key, name))
            continue;
        if (found.p)
            return -1;
        found = text;
    }
    if (!found.p)
        return 0;
    if (name[strlen(name) - 1] == '*' && !extended_decode(a, found, &found))
        return -1;
    *ret = found;
    return 1;
}

/* Browsers write these three as escapes inside filename="", and no others. */
static struct str browser_unescape(struct arena *a, struct str s)
{
    static const char *const escapes[] = { "%22", "%0D", "%0A" };
    static const char        plain[] = "\"\r\n";
    char                    *out = arena_alloc(a, s.n + 1);
    size_t                   n = 0;

    for (size_t i = 0; out && i < s.n; i++) {
        char c = s.p[i];

        for (size_t k = 0; c == '%' && s.n - i >= 3 && k < ARRAY_LEN(escapes); k++) {
            if (strncasecmp(s.p + i, escapes[k], 3) == 0) {
                c = plain[k];
                i += 2;
            }
        }
        out[n++] = c;
    }
    return (struct str){ out ? out : "", n };
}

const char *filename_base(struct arena *a, struct str name)
{
    for (size_t i = name.n; i > 0; i--) {
        if (name.p[i - 1] != '/' && name.p[i - 1] != '\\')
            continue;
        name = (struct str){ name.p + i, name.n - i };
        break;
    }
    if (name.n == 0 || name.n > 255 || str_eq(name, S(".")) || str_eq(name, S("..")) || !text_printable(name))
        return NULL;
    return str_dup(a, name);
}

static int bad(struct error *err, const char *what)
{
    return error_say(err, ERR_VALIDATION, NULL, "the multipart body %s", what);
}

/* bchars of RFC 2046, not ending in a space */
static bool boundary_valid(struct str b)
{
    for (size_t i = 0; i < b.n; i++) {
        char c = b.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
              || (c != '\0' && strchr("'()+_,-./:=? ", c))))
            return false;
    }
    return b.n > 0 && b.n <= MULTIPART_MAX_BOUNDARY && b.p[b.n - 1] != ' ';
}

int multipart_open(struct multipart *m, struct arena *a, struct str content_type, unsigned max_parts,
                   struct multipart_events events, struct error *err)
{
    struct str rest = content_type, type = str_trim(str_cut(&rest, ';')), boundary = { NULL, 0 };

    if (!name_is(type, "multipart/form-data"))
        return error_say(err, ERR_MEDIA_TYPE, NULL, "this address takes multipart/form-data");
    if (header_param(a, content_type, "boundary", &boundary) != 1 || !boundary_valid(boundary))
        return error_say(err, ERR_VALIDATION, NULL, "the content type has no boundary, or one that is not allowed");
    *m = (struct multipart){ .events = events, .arena = a, .max_parts = max_parts, .state = IN_DATA };
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.p, boundary.n);
    m->delimiter_n = 4 + boundary.n;
    m->matched = 2; /* the first delimiter stands at the very beginning: its line break is taken as seen */
    return 0;
}

static int part_names(struct multipart *m, struct str disposition, struct multipart_part *part, struct error *err)
{
    struct str rest = disposition, name = { 0 }, plain = { 0 }, extended = { 0 };
    int        has_plain = header_param(m->arena, disposition, "filename", &plain);
    int        has_extended = header_param(m->arena, disposition, "filename*", &extended);

    if (!name_is(str_trim(str_cut(&rest, ';')), "form-data") || header_param(m->arena, disposition, "name", &name) != 1
        || has_plain < 0 || has_extended < 0)
        return bad(err, "has a part whose Content-Disposition is malformed or without a name");
    name = browser_unescape(m->arena, name);
    if (name.n == 0 || name.n > 200 || !text_printable(name))
        return bad(err, "has a part whose name is not allowed");
    part->name = str_dup(m->arena, name);
    if (!has_plain && !has_extended)
        return 0;
    const char *base = has_plain ? filename_base(m->arena, browser_unescape(m->arena, plain)) : NULL;
    const char *base_extended = has_extended ? filename_base(m->arena, extended) : base;
    if (!base_extended || (has_plain && !base))
        return error_say(err, ERR_VALIDATION, part->name,
                         "the file name is empty, too long, not UTF-8 or holds control characters");
    if (base && strcmp(base, base_extended) != 0)
        return error_say(err, ERR_VALIDATION, part->name, "filename and filename* differ");
    part->filename = base_extended;
    return 0;
}

/* One header line of a part. */
static int part_header(struct multipart *m, struct str line, struct multipart_part *part, struct error *err)
{
    struct str value = line, name = str_cut(&value, ':');

    if (!value.p || name.n == 0)
        return bad(err, "has a part with a malformed header");
    for (size_t i = 0; i < name.n; i++)
        if (!is_token(name.p[i]))
            return bad(err, "has a part with a malformed header");
    for (size_t i = 0; i < value.n; i++)
        if (((unsigned char)value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7f)
            return bad(err, "has a part with a malformed header");
    value = str_trim(value);
    if (name_is(name, "content-disposition")) {
        if (part->name)
            return bad(err, "has a part with two Content-Disposition headers");
        return part_names(m, value, part, err);
    }
    if (name_is(name, "content-type")) {
        if (part->type || (value.n >= 10 && strncasecmp(value.p, "multipart/", 10) == 0))
            return bad(err, part->type ? "has a part with two content types" : "has a part that is itself multipart");
        part->type = str_dup(m->arena, utf8_head(value, 200));
        return text_printable(str_of(part->type)) ? 0 : bad(err, "has a part with a malformed content type");
    }
    if (name_is(name, "content-transfer-encoding") && !name_is(value, "binary") && !name_is(value, "8bit")
        && !name_is(value, "7bit"))
        return bad(err, "has a part with a transfer encoding");
    return 0;
}

static int head_done(struct multipart *m, struct error *err)
{
    struct multipart_part part = { 0 };
    struct str            rest = { m->head, m->head_n - 4 };

    while (rest.p) {
        const char *end = rest.n > 1 ? memmem(rest.p, rest.n, "\r\n", 2) : NULL;
        struct str  line = { rest.p, end ? (size_t)(end - rest.p) : rest.n };

        rest = end ? (struct str){ end + 2, rest.n - line.n - 2 } : (struct str){ NULL, 0 };
        if (part_header(m, line, &part, err) < 0)
            return -1;
    }
    if (!part.name)
        return bad(err, "has a part without Content-Disposition");
    if (m->arena->failed)
        return error_say(err, ERR_TOO_LARGE, NULL, "the names in the multipart body take too much memory");
    m->head_n = 0;
    m->state = IN_DATA;
    return m->events.begin(m->events.arg, &part, err);
}

/* Between delimiters, and before the first one, where nothing may stand. */
static int emit(struct multipart *m, const char *p, size_t n, struct error *err)
{
    if (n == 0)
        return 0;
    if (m->parts == 0)
        return bad(err, "does not begin with its boundary");
    return m->events.data(m->events.arg, (struct str){ p, n }, err);
}

static int delimiter_done(struct multipart *m, struct error *err)
{
    m->matched = 0;
    m->state = AFTER_DELIMITER;
    return m->parts > 0 ? m->events.end(m->events.arg, err) : 0;
}

/* Takes at least one byte in IN_DATA; returns how many, or -1. */
static ssize_t feed_data(struct multipart *m, struct str s, struct error *err)
{
    if (m->matched == 0) {
        const char *cr = memchr(s.p, '\r', s.n);
        size_t      n = cr ? (size_t)(cr - s.p) : s.n;

        if (emit(m, s.p, n, err) < 0)
            return -1;
        m->matched = cr != NULL;
        return (ssize_t)(n + (cr != NULL));
    }
    size_t want = m->delimiter_n - m->matched, n = 0;
    while (n < want && n < s.n && s.p[n] == m->delimiter[m->matched + n])
        n++;
    m->matched += n;
    if (n == want)
        return delimiter_done(m, err) < 0 ? -1 : (ssize_t)n;
    if (n == s.n)
        return (ssize_t)n;
    size_t broken = m->matched;
    m->matched = 0;
    if (m->parts == 0)
        return bad(err, "does not begin with its boundary");
    return emit(m, m->delimiter, broken, err) < 0 ? -1
                                                  : (ssize_t)n; /* n may be 0: the byte is looked at again as data */
}

static int feed_head(struct multipart *m, char c, struct error *err)
{
    if (m->head_n == sizeof m->head)
        return bad(err, "has a part with headers over 4 KB");
    m->head[m->head_n++] = c;
    if (m->head_n >= 4 && memcmp(m->head + m->head_n - 4, "\r\n\r\n", 4) == 0)
        return head_done(m, err);
    return 0;
}

/* One byte outside of data. */
static int feed_byte(struct multipart *m, char c, struct error *err)
{
    switch ((enum state)m->state) {
    case AFTER_DELIMITER:
        m->state = c == '\r' ? AFTER_CR : AFTER_DASH;
        return c == '\r' || c == '-' ? 0 : bad(err, "has its boundary inside a part's data");
    case AFTER_CR:
        m->state = IN_HEAD;
        if (c != '\n')
            return bad(err, "has a malformed boundary line");
        return ++m->parts > m->max_parts ? bad(err, "has too many parts") : 0;
    case AFTER_DASH:
        m->state = AT_END;
        return c == '-' ? 0 : bad(err, "has its boundary inside a part's data");
    case IN_HEAD:
        return feed_head(m, c, err);
    case AT_END:
        m->state = AT_END_CR;
        return c == '\r' ? 0 : bad(err, "goes on after its end");
    case AT_END_CR:
        m->state = FINISHED;
        return c == '\n' ? 0 : bad(err, "goes on after its end");
    case FINISHED:
    case IN_DATA:
        break;
    }
    return bad(err, "goes on after its end");
}

int multipart_feed(struct multipart *m, struct str s, struct error *err)
{
    while (s.n > 0) {
        ssize_t n = 1;

        if (m->state == IN_DATA)
            n = feed_data(m, s, err);
        else if (feed_byte(m, s.p[0], err) < 0)
            n = -1;
        if (n < 0)
            return -1;
        s = (struct str){ s.p + n, s.n - (size_t)n };
    }
    return 0;
}

int multipart_close(const struct multipart *m, struct error *err)
{
    if (m->state != AT_END && m->state != FINISHED)
        return bad(err, "ends before its closing boundary");
    return 0;
}
