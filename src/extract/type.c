/* type.c - what a file is, by its bytes. libmagic is asked last, for what we only store; what we read is told by our own strict rules. */
#include "extract/extract.h"
#include "extract/preload.h"
#include "extract/zip.h"

#include <ctype.h>

enum { HEAD_BYTES = 1024, MAGIC_BYTES = 256 << 10 };

/* libmagic's names for types that the list has under another. */
static const char *const aliases[][2] = {
    { "image/x-ms-bmp", "image/bmp" },
    { "image/x-icon", "image/vnd.microsoft.icon" },
    { "image/heif", "image/heic" },
    { "image/svg", "image/svg+xml" },
    { "text/rtf", "application/rtf" },
    { "application/CDFV2", "application/x-ole-storage" },
    { "application/x-rar", "application/vnd.rar" },
    { "application/x-zstd", "application/zstd" },
    { "application/x-gzip", "application/gzip" },
    { "application/x-sqlite3", "application/vnd.sqlite3" },
    { "application/x-dosexec", "application/vnd.microsoft.portable-executable" },
    { "application/x-pie-executable", "application/x-executable" },
    { "application/x-sharedlib", "application/x-executable" },
    { "application/x-object", "application/x-executable" },
    { "application/x-mach-binary", "application/x-executable" },
    { "audio/x-m4a", "audio/mp4" },
    { "audio/x-flac", "audio/flac" },
    { "audio/wav", "audio/x-wav" },
    { "video/x-m4v", "video/mp4" },
    { "font/sfnt", "font/ttf" },
    { "application/font-sfnt", "font/ttf" },
    { "application/vnd.ms-opentype", "font/otf" },
};

static const struct file_type *type_of(const char *mime)
{
    return file_type_by_mime(str_of(mime));
}

/* Whether the name claims a format whose text people count on: its bytes must then not be rubbish. */
static bool name_claims_document(struct str name)
{
    const struct file_type *t = file_type_by_name(name);

    return t && (t->reader == READ_PDF || t->reader == READ_DOCX);
}

static const struct file_type *detect_zip(struct reading *r)
{
    struct zip         z;
    enum extract_cause cause = zip_open(r->arena, r->bytes, &z);
    struct str         head = { r->bytes.p, r->bytes.n < HEAD_BYTES ? r->bytes.n : HEAD_BYTES };
    bool               office = name_claims_document(r->options->name) || str_has(head, S("[Content_Types].xml"));

    if (cause != CAUSE_NONE && office) { /* a container that we would read must be sound */
        reading_fail(r, cause);
        return NULL;
    }
    if (cause != CAUSE_NONE)
        return type_of("application/zip");
    if (zip_find(&z, S("[Content_Types].xml"))) {
        if (zip_has_folder(&z, S("word/")))
            return type_of("application/vnd.openxmlformats-officedocument.wordprocessingml.document");
        if (zip_has_folder(&z, S("xl/")))
            return type_of("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
        if (zip_has_folder(&z, S("ppt/")))
            return type_of("application/vnd.openxmlformats-officedocument.presentationml.presentation");
    }
    const struct zip_entry *e = zip_find(&z, S("mimetype")); /* OpenDocument and EPUB say it here, stored as it is */
    if (e && e->method == 0 && e->packed < 128) {
        const struct file_type *t = file_type_by_mime(str_trim((struct str){ r->bytes.p + e->at, e->packed }));

        if (t)
            return t;
    }
    return type_of("application/zip");
}

/* The old Office container; also what Word writes around an encrypted new document. */
static const struct file_type *detect_ole(struct reading *r)
{
    static const char encrypted[] = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e";

    if (str_has(r->bytes, (struct str){ encrypted, sizeof encrypted })) {
        reading_fail(r, CAUSE_ENCRYPTED);
        return NULL;
    }
    static const char *const old[] = { "application/msword", "application/vnd.ms-excel",
                                       "application/vnd.ms-powerpoint", "application/vnd.ms-outlook" };
    const struct file_type  *t = file_type_by_name(r->options->name);
    for (size_t i = 0; t && i < ARRAY_LEN(old); i++)
        if (t == type_of(old[i]))
            return t;
    return type_of("application/x-ole-storage");
}

static bool starts_ignoring_case(struct str s, const char *lower)
{
    size_t n = strlen(lower);

    for (size_t i = 0; i < n; i++)
        if (i >= s.n || tolower((unsigned char)s.p[i]) != lower[i])
            return false;
    return true;
}

/* Kinds of text that their first characters give away; the name tells the rest apart. */
static const struct file_type *detect_text(struct reading *r)
{
    const char             *ignored_note = NULL;
    const struct file_type *t = file_type_by_name(r->options->name);
    struct str              head = { r->bytes.p, r->bytes.n < HEAD_BYTES ? r->bytes.n : HEAD_BYTES / 4 * 4 };

    head = str_trim(charset_decode(r->arena, NULL, head, &ignored_note));
    if (starts_ignoring_case(head, "<!doctype html") || starts_ignoring_case(head, "<html"))
        return type_of("text/html");
    if (starts_ignoring_case(head, "<svg") || (starts_ignoring_case(head, "<?xml") && str_has(head, S("<svg"))))
        return type_of("image/svg+xml");
    if (starts_ignoring_case(head, "<?xml"))
        return type_of(str_has(head, S("<html")) ? "text/html" : "application/xml");
    if (str_starts(head, S("%!PS")))
        return type_of("application/postscript");
    bool text_kind = t
                     && (t->reader == READ_TEXT || t->reader == READ_TABLE || t->reader == READ_CODE
                         || t->reader == READ_MARKDOWN || t->reader == READ_HTML || t == type_of("message/rfc822"));
    return text_kind ? t : type_of("text/plain");
}

static const struct file_type *detect_other(struct reading *r)
{
    size_t      n = r->bytes.n < MAGIC_BYTES ? r->bytes.n : MAGIC_BYTES;
    const char *mime = r->preload->magic ? magic_buffer(r->preload->magic, r->bytes.p, n) : NULL;

    for (size_t i = 0; mime && i < ARRAY_LEN(aliases); i++)
        if (strcmp(mime, aliases[i][0]) == 0)
            mime = aliases[i][1];
    const struct file_type *t = mime ? type_of(mime) : NULL;
    /* What our own rules did not accept as readable is not read because libmagic is more generous. */
    if (t && t->reader == READ_NONE && t != type_of("application/octet-stream"))
        return t;
    if (name_claims_document(r->options->name)) {
        reading_fail(r, CAUSE_DAMAGED);
        return NULL;
    }
    return type_of("application/octet-stream");
}

static bool is_cut_signature(struct str s)
{
    return s.n < 5 && (str_starts(S("%PDF-"), s) || str_starts(S("PK\3\4"), s));
}

/* Of another kind, whatever comes later: an archive with a PDF in it is an archive. */
static bool is_something_else(struct str bytes)
{
    static const char *const starts[] = { "PK\3\4",       "PK\5\6",     "{\\rtf", "\xd0\xcf\x11\xe0",
                                          "\177ELF",      "MZ",         "GIF8",   "\x89PNG\r\n",
                                          "\xff\xd8\xff", "7z\xbc\xaf", "Rar!",   "\x1f\x8b" };

    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (str_starts(bytes, str_of(starts[i])))
            return true;
    return false;
}

/* Readers look for the header in the first 1,024 bytes. */
bool pdf_signature(struct str bytes)
{
    struct str head = { bytes.p, bytes.n < HEAD_BYTES ? bytes.n : HEAD_BYTES };

    if (str_starts(str_trim(head), S("%PDF-")) || str_starts(head, S("\xef\xbb\xbf%PDF-")))
        return true;
    return str_has(head, S("%PDF-")) && !is_something_else(bytes)
           && !charset_is_text(bytes); /* junk before the header is common, a text about PDF is none */
}

static const struct file_type *detect(struct reading *r)
{
    struct str b = r->bytes;

    if (name_claims_document(r->options->name) && is_cut_signature(b)) {
        reading_fail(r, CAUSE_DAMAGED);
        return NULL;
    }
    if (pdf_signature(b))
        return type_of("application/pdf");
    if (str_starts(b, S("PK\3\4")) || str_starts(b, S("PK\5\6")))
        return detect_zip(r);
    if (str_starts(b, S("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")))
        return detect_ole(r);
    if (str_starts(b, S("{\\rtf")))
        return type_of("application/rtf");
    return charset_is_text(b) ? detect_text(r) : detect_other(r);
}

int type_detect(struct reading *r)
{
    r->type = detect(r);
    return r->type ? 0 : -1;
}
