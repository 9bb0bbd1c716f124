/* fuzz_readers.c - every reader of dms-extract, in one process and without the sandbox: finds what the sandbox would have to hold.
   The first byte picks the file's name, the rest is the file. */
#include "extract/extract.h"
#include "extract/frame.h"
#include "extract/preload.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "a.txt", "a.md", "a.html", "a.csv", "a.docx", "a.pdf", "a.json", "" };

static int (*const readers[READERS])(struct reading *r) = {
    [READ_TEXT] = read_text, [READ_TABLE] = read_table, [READ_CODE] = read_code, [READ_MARKDOWN] = read_markdown,
    [READ_HTML] = read_html, [READ_PDF] = read_pdf,     [READ_DOCX] = read_docx,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct frame_writer   writer = { .fd = -1 };
    const struct extract_options options = { .max_text_bytes = 1 << 20,
                                             .max_pages = 100,
                                             .max_memory_bytes = 128 << 20,
                                             .name = str_of(names[size > 0 ? data[0] % ARRAY_LEN(names) : 0]) };

    if (writer.fd < 0)
        writer.fd = open("/dev/null", O_WRONLY);
    if (size < 2)
        return 0;
    struct arena   a = ARENA(64 << 20);
    struct str     bytes = { (const char *)data + 1, size - 1 };
    struct preload preload = { .charset = charset_prepare(bytes) };
    struct reading r = {
        .arena = &a, .options = &options, .bytes = bytes, .whole = true, .preload = &preload, .out = &writer
    };
    writer.used = 0;
    writer.blocks = writer.text_bytes = 0;
    if (type_detect(&r) == 0 && readers[r.type->reader]) {
        int result = readers[r.type->reader](&r);

        assert(result == 0 || r.cause != CAUSE_NONE);
    }
    if (preload.charset.converter != (iconv_t)-1)
        iconv_close(preload.charset.converter);
    arena_free(&a);
    return 0;
}
