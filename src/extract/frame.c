/* frame.c - see frame.h. */
#include "extract/frame.h"
#include "domain/frame.h"

#include <errno.h>
#include <unistd.h>

static void flush(struct frame_writer *w)
{
    size_t done = 0;

    while (done < w->used) {
        ssize_t n = write(w->fd, w->buffer + done, w->used - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(EXIT_FAILURE); /* nobody reads: nothing left to say, and nobody to say it to */
        done += (size_t)n;
    }
    w->used = 0;
}

static void put(struct frame_writer *w, const char *p, size_t n)
{
    while (n > 0) {
        size_t room = sizeof w->buffer - w->used, part = n < room ? n : room;

        memcpy(w->buffer + w->used, p, part);
        w->used += part;
        p += part;
        n -= part;
        if (w->used == sizeof w->buffer)
            flush(w);
    }
}

static void put_number(struct frame_writer *w, uint64_t v, size_t bytes)
{
    char p[8];

    for (size_t i = 0; i < bytes; i++, v >>= 8)
        p[i] = (char)(v & 0xff);
    put(w, p, bytes);
}

static void put_head(struct frame_writer *w, char kind, size_t body_bytes)
{
    put(w, &kind, 1);
    put_number(w, body_bytes, 4);
}

void frame_json(struct frame_writer *w, char kind, struct str json)
{
    put_head(w, kind, json.n);
    put(w, json.p, json.n);
}

void frame_block(struct frame_writer *w, enum block_kind kind, unsigned level, unsigned page, struct str text)
{
    put_head(w, FRAME_BLOCK, FRAME_BLOCK_HEAD_BYTES + text.n);
    put_number(w, (uint64_t)kind, 1);
    put_number(w, level, 1);
    put_number(w, page, 4);
    put(w, text.p, text.n);
    w->blocks++;
    w->text_bytes += text.n;
}

void frame_end(struct frame_writer *w)
{
    put_head(w, FRAME_END, FRAME_END_BYTES);
    put_number(w, w->blocks, 8);
    put_number(w, w->text_bytes, 8);
    flush(w);
}

void frame_fail(struct frame_writer *w, enum extract_cause cause)
{
    struct str code = str_of(extract_causes[cause].code);

    put_head(w, FRAME_FAIL, code.n);
    put(w, code.p, code.n);
    flush(w);
}
