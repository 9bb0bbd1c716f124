/* framing.c - see framing.h. */
#include "http/framing.h"

enum {
    MAX_CHUNK_DIGITS = 15,
    HELD_MEMORY = 262144, /* a line that came in pieces, while it grows */
};

static int bad(struct error *err, const char *what)
{
    return error_say(err, ERR_VALIDATION, NULL, "the request is malformed: %s", what);
}

static void end_message(struct framing *f)
{
    f->whole++;
    f->at = AT_REQUEST_LINE;
    f->head = (struct head){ .limits = f->limits };
    arena_free(&f->arena);
    f->held = (struct sb){ 0 };
}

static int end_head(struct framing *f, struct error *err)
{
    if (head_done(&f->head, err) < 0)
        return -1;
    f->heads++;
    f->left = f->head.length;
    f->at = f->head.chunked ? AT_CHUNK_SIZE : AT_BODY;
    if (!f->head.chunked && f->left == 0)
        end_message(f);
    return 0;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Extensions, which nobody sends, are refused: libmicrohttpd 1.0.1 loses its place at them. */
static int read_chunk_size(struct framing *f, struct str line, struct error *err)
{
    size_t i = 0;

    f->left = 0;
    for (; i < line.n && i <= MAX_CHUNK_DIGITS && digit_of(line.p[i]) >= 0; i++)
        f->left = f->left * 16 + (uint64_t)digit_of(line.p[i]);
    if (i == 0 || i > MAX_CHUNK_DIGITS || i < line.n)
        return bad(err, "the size of a chunk");
    return 0;
}

static int take_chunk_size(struct framing *f, struct str line, struct error *err)
{
    if (read_chunk_size(f, line, err) < 0)
        return -1;
    f->at = f->left > 0 ? AT_CHUNK : AT_TRAILERS;
    return 0;
}

static int take_trailer(struct framing *f, struct str line, struct error *err)
{
    if (line.n > 0)
        return head_header(&f->head, line, err);
    if (head_done(&f->head, err) < 0) /* framing has no place among them */
        return -1;
    end_message(f);
    return 0;
}

static int no_memory(const struct framing *f, size_t more, struct error *err)
{
    if (f->memory == 0 || head_memory(&f->head) + more <= f->memory)
        return 0;
    return error_say(err, ERR_HEADERS_TOO_LARGE, NULL,
                     "the headers are too large for this connection; send the request again on a new one");
}

/* A line without its end. */
static int take_line(struct framing *f, struct str line, struct error *err)
{
    switch (f->at) {
    case AT_REQUEST_LINE:
        f->at = AT_HEADERS;
        return head_line(&f->head, line, err) < 0 ? -1 : no_memory(f, 0, err);
    case AT_HEADERS:
        if (line.n == 0)
            return end_head(f, err);
        return head_header(&f->head, line, err) < 0 ? -1 : no_memory(f, 0, err);
    case AT_CHUNK_SIZE:
        return take_chunk_size(f, line, err);
    case AT_CHUNK_END:
        f->at = AT_CHUNK_SIZE;
        return line.n == 0 ? 0 : bad(err, "a chunk is longer than its size");
    case AT_TRAILERS:
        return take_trailer(f, line, err) < 0 ? -1 : no_memory(f, 0, err);
    case AT_BODY:
    case AT_CHUNK:
    case AT_FAULT:
        break;
    }
    return bad(err, "nothing can follow here");
}

/* The line that has begun is not whole: may it still become one? */
static int check_held(struct framing *f, struct error *err)
{
    struct str part = sb_str(&f->held);
    bool       cr = part.n > 0 && part.p[part.n - 1] == '\r';

    switch (f->at) {
    case AT_REQUEST_LINE:
        return head_line_begun(&f->head, part, err) < 0 ? -1 : no_memory(f, part.n, err);
    case AT_HEADERS:
    case AT_TRAILERS:
        return head_header_begun(&f->head, part, err) < 0 ? -1 : no_memory(f, part.n, err);
    case AT_CHUNK_SIZE:
        return read_chunk_size(f, (struct str){ part.p, part.n - cr }, err);
    case AT_CHUNK_END:
        return cr && part.n == 1 ? 0 : bad(err, "a chunk is longer than its size");
    case AT_BODY:
    case AT_CHUNK:
    case AT_FAULT:
        break;
    }
    return bad(err, "nothing can follow here");
}

static int hold(struct framing *f, struct str part, struct error *err)
{
    if (!f->held.arena) {
        f->arena = ARENA(HELD_MEMORY);
        f->held = SB(&f->arena);
    }
    sb_put(&f->held, part);
    return f->arena.failed ? error_set(err, ERR_UNAVAILABLE, "no memory for a line of a head") : 0;
}

/* Up to the next line end; *rest becomes what stands behind it. */
static int take_text(struct framing *f, struct str *rest, struct error *err)
{
    const char *lf = memchr(rest->p, '\n', rest->n);
    struct str  line = { rest->p, lf ? (size_t)(lf - rest->p) : rest->n };

    *rest = lf ? (struct str){ lf + 1, rest->n - line.n - 1 } : (struct str){ NULL, 0 };
    if (!lf || f->held.n > 0) {
        if (hold(f, line, err) < 0)
            return -1;
        line = sb_str(&f->held);
    }
    if (!lf)
        return check_held(f, err);
    f->held.n = 0;
    if (line.n == 0 || line.p[line.n - 1] != '\r')
        return bad(err, "a line does not end in CR LF");
    return take_line(f, (struct str){ line.p, line.n - 1 }, err);
}

static void pass(struct framing *f, struct str *rest)
{
    size_t n = rest->n < f->left ? rest->n : (size_t)f->left;

    *rest = (struct str){ rest->p + n, rest->n - n };
    f->left -= n;
    if (f->left > 0)
        return;
    if (f->at == AT_CHUNK)
        f->at = AT_CHUNK_END;
    else
        end_message(f);
}

int framing_take(struct framing *f, struct str bytes, size_t *ret_good, struct error *err)
{
    struct str rest = bytes;

    *ret_good = 0;
    while (rest.n > 0) {
        unsigned whole = f->whole;

        if (f->at == AT_BODY || f->at == AT_CHUNK) {
            pass(f, &rest);
        } else if (take_text(f, &rest, err) < 0) {
            f->at = AT_FAULT;
            return -1;
        }
        if (f->whole != whole)
            *ret_good = bytes.n - rest.n;
    }
    return 0;
}

bool framing_idle(const struct framing *f)
{
    return f->at == AT_REQUEST_LINE && f->held.n == 0;
}

void framing_close(struct framing *f)
{
    arena_free(&f->arena);
}
