/* extraction.c - the decoder of the frames that dms-extract writes. The writer may be in an attacker's hands: nothing is believed. */
#include "domain/extraction.h"
#include "domain/frame.h"

struct frame {
    char       kind;
    struct str body;
};

/* What the first pass over the frames found. */
struct survey {
    struct str meta;
    size_t     blocks, text_bytes;
};

static int broken(struct error *err, const char *what)
{
    extract_cause_error(err, CAUSE_CRASHED);
    /* The sentence is for the user; what was wrong with the frames is for the log. */
    size_t n = strlen(what) < sizeof err->detail ? strlen(what) : sizeof err->detail - 1;
    memcpy(err->detail, what, n);
    err->detail[n] = '\0';
    return -1;
}

static uint64_t little_endian(const char *p, size_t n)
{
    uint64_t v = 0;

    while (n-- > 0)
        v = v << 8 | (unsigned char)p[n];
    return v;
}

/* Takes the next frame off *rest. */
static int next_frame(struct str *rest, struct frame *ret, struct error *err)
{
    if (rest->n < FRAME_HEAD_BYTES)
        return broken(err, "the frames end without an end");
    size_t n = (size_t)little_endian(rest->p + 1, 4);
    if (n > rest->n - FRAME_HEAD_BYTES)
        return broken(err, "a frame is cut off");
    *ret = (struct frame){ rest->p[0], { rest->p + FRAME_HEAD_BYTES, n } };
    *rest = (struct str){ rest->p + FRAME_HEAD_BYTES + n, rest->n - FRAME_HEAD_BYTES - n };
    return 0;
}

/* Valid UTF-8 without control characters but \n and \t. */
static bool clean_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            return false;
    }
    return utf8_valid(s);
}

static int check_block(struct str body, struct survey *v, struct error *err)
{
    if (body.n <= FRAME_BLOCK_HEAD_BYTES)
        return broken(err, "a block without text");
    unsigned kind = (unsigned char)body.p[0], level = (unsigned char)body.p[1];
    bool     heading = kind == BLOCK_HEADING;
    if (kind >= BLOCK_KINDS || (heading ? level < 1 || level > 6 : level != 0)
        || little_endian(body.p + 2, 4) > EXTRACTION_MAX_PAGES)
        return broken(err, "a block of no known kind, level or page");
    struct str text = { body.p + FRAME_BLOCK_HEAD_BYTES, body.n - FRAME_BLOCK_HEAD_BYTES };
    v->blocks++;
    v->text_bytes += text.n;
    if (v->text_bytes > EXTRACTION_MAX_TEXT_BYTES)
        return extract_cause_error(err, CAUSE_TOO_LARGE_TEXT);
    return clean_text(text) ? 0 : broken(err, "a block with foreign characters");
}

static int check_end(struct str body, struct str rest, const struct survey *v, struct error *err)
{
    if (body.n != FRAME_END_BYTES || rest.n != 0 || !v->meta.p)
        return broken(err, "an end that is none");
    if (little_endian(body.p, 8) != v->blocks || little_endian(body.p + 8, 8) != v->text_bytes)
        return broken(err, "blocks are missing");
    return 0;
}

static int named_cause(struct str body, struct error *err)
{
    enum extract_cause cause = extract_cause_by_code(body);

    return cause == CAUSE_NONE ? broken(err, "an unknown cause") : extract_cause_error(err, cause);
}

/* First pass: the order of frames and every rule that needs no memory. 0 only when an end was reached that agrees. */
static int survey_frames(struct str rest, struct survey *v, struct error *err)
{
    for (;;) {
        struct frame f;

        if (next_frame(&rest, &f, err) < 0)
            return -1;
        if (f.kind == FRAME_FAIL)
            return named_cause(f.body, err);
        if (f.kind == FRAME_END)
            return check_end(f.body, rest, v, err);
        if (v->meta.p)
            return broken(err, "frames after meta");
        if (f.kind == FRAME_META)
            v->meta = f.body;
        else if (f.kind != FRAME_BLOCK)
            return broken(err, "a frame of no known kind");
        else if (check_block(f.body, v, err) < 0)
            return -1;
    }
}

/* No control characters in any text below v; its depth is bounded by json_read. */
static bool clean_value(const json_t *v)
{
    if (jv_string(v))
        return clean_text(str_of(jv_string(v)));
    for (size_t i = 0; i < jv_count(v); i++)
        if (!clean_value(jv_at(v, i)))
            return false;
    for (void *it = jv_is_object(v) ? jv_first(v) : NULL; it; it = jv_next(v, it))
        if (!text_printable(str_of(jv_key(it))) || !clean_value(jv_value(it)))
            return false;
    return true;
}

static json_t *read_json(struct arena *a, struct str body, struct error *err)
{
    struct error why = { 0 };
    json_t      *v = NULL;

    if (body.n <= FRAME_META_MAX_BYTES)
        v = json_read(a, body, FRAME_META_MAX_DEPTH, FRAME_META_MAX_KEYS, &why);
    if (!v || !jv_is_object(v) || !clean_value(v)) {
        broken(err, "JSON that breaks the rules");
        return NULL;
    }
    return v;
}

static int decode_hello(struct arena *a, struct str *rest, struct extraction *ret, struct error *err)
{
    struct frame f;

    if (next_frame(rest, &f, err) < 0)
        return -1;
    if (f.kind == FRAME_FAIL)
        return named_cause(f.body, err);
    if (f.kind != FRAME_HELLO)
        return broken(err, "no hello");
    ret->protections = read_json(a, f.body, err);
    if (!ret->protections)
        return -1;
    if (jv_int(ret->protections, "version", 0) != FRAME_VERSION)
        return broken(err, "another version of the frames: dms-extract and this program are not of one build");
    return 0;
}

/* An optional line of text: NULL when absent or empty; false when it breaks the rules. */
static bool meta_line(const json_t *meta, const char *name, size_t max, const char **ret)
{
    const char *s = jv_text(meta, name, "");

    *ret = s[0] != '\0' ? s : NULL;
    return strlen(s) <= max && text_printable(str_of(s));
}

static int decode_meta(struct arena *a, struct str body, struct extraction *ret, struct error *err)
{
    const json_t *meta = read_json(a, body, err);

    if (!meta)
        return -1;
    const struct file_type *type = file_type_by_mime(str_of(jv_text(meta, "mime_type", "")));
    int64_t                 pages = jv_int(meta, "page_count", -1);
    ret->metadata = jv_get(meta, "metadata");
    if (!type || pages < 0 || pages > EXTRACTION_MAX_PAGES || !jv_is_object(ret->metadata)
        || !meta_line(meta, "title", EXTRACTION_MAX_TITLE_BYTES, &ret->title)
        || !meta_line(meta, "language", 35, &ret->language)
        || !meta_line(meta, "note", EXTRACTION_MAX_NOTE_BYTES, &ret->note))
        return broken(err, "meta that breaks the rules");
    ret->mime_type = type->mime;
    ret->page_count = (unsigned)pages;
    return 0;
}

/* Second pass: copies the blocks, all checked by now. */
static int copy_blocks(struct arena *a, struct str rest, const struct survey *v, struct extraction *ret,
                       struct error *err)
{
    struct block *blocks = arena_alloc_array(a, v->blocks, sizeof *blocks);

    for (size_t i = 0; !a->failed && i < v->blocks; i++) {
        struct frame f;

        if (next_frame(&rest, &f, err) < 0)
            return -1;
        size_t n = f.body.n - FRAME_BLOCK_HEAD_BYTES;
        blocks[i] = (struct block){ .kind = (enum block_kind)f.body.p[0],
                                    .level = (unsigned char)f.body.p[1],
                                    .page = (unsigned)little_endian(f.body.p + 2, 4),
                                    .text = { arena_text(a, f.body.p + FRAME_BLOCK_HEAD_BYTES, n), n } };
        if (blocks[i].page > ret->page_count)
            return broken(err, "a block on a page that is not there");
    }
    if (a->failed)
        return error_set(err, ERR_TOO_LARGE, "the text does not fit into the memory of this job");
    ret->blocks = blocks;
    ret->block_count = v->blocks;
    return 0;
}

int extraction_decode(struct arena *a, struct str frames, struct extraction *ret, struct error *err)
{
    struct survey v = { 0 };

    *ret = (struct extraction){ 0 };
    if (frames.n > EXTRACTION_MAX_FRAME_BYTES)
        return extract_cause_error(err, CAUSE_TOO_LARGE_TEXT);
    if (decode_hello(a, &frames, ret, err) < 0 || survey_frames(frames, &v, err) < 0)
        return -1;
    if (decode_meta(a, v.meta, ret, err) < 0)
        return -1;
    return copy_blocks(a, frames, &v, ret, err);
}

struct str extraction_text(struct arena *a, const struct extraction *x)
{
    struct sb b = SB(a);

    for (size_t i = 0; i < x->block_count; i++) {
        if (i > 0)
            sb_put(&b, x->blocks[i].page != x->blocks[i - 1].page ? S("\n\n\f") : S("\n\n"));
        sb_put(&b, x->blocks[i].text);
    }
    return sb_str(&b);
}
