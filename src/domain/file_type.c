/* file_type.c - the two lists as arrays, and look-ups in them. */
#include "domain/file_type.h"

#define X(mime, label, reader, endings) { mime, label, reader, endings },
const struct file_type file_types[] = {
#include "tbl/file_types.def"
};
#undef X
const size_t file_type_count = ARRAY_LEN(file_types);

#define X(name, code, retryable, sentence) [CAUSE_##name] = { code, sentence, retryable },
const struct extract_cause_info extract_causes[CAUSES] = {
    [CAUSE_NONE] = { "", "", false },
#include "tbl/extract_causes.def"
};
#undef X

const struct file_type *file_type_by_mime(struct str mime)
{
    for (size_t i = 0; i < file_type_count; i++)
        if (str_eq(mime, str_of(file_types[i].mime)))
            return &file_types[i];
    return NULL;
}

static bool word_in_list(struct str word, const char *list)
{
    struct str rest = str_of(list);

    while (rest.n > 0)
        if (str_eq(str_cut(&rest, ' '), word))
            return true;
    return false;
}

const struct file_type *file_type_by_name(struct str name)
{
    char   ending[16];
    size_t n = 0;

    while (n < name.n && n < sizeof ending && name.p[name.n - 1 - n] != '.')
        n++;
    if (n == 0 || n >= name.n || n == sizeof ending)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        char c = name.p[name.n - n + i];

        ending[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    for (size_t i = 0; i < file_type_count; i++)
        if (word_in_list((struct str){ ending, n }, file_types[i].endings))
            return &file_types[i];
    return NULL;
}

enum extract_cause extract_cause_by_code(struct str code)
{
    for (enum extract_cause c = CAUSE_NONE + 1; c < CAUSES; c++)
        if (str_eq(code, str_of(extract_causes[c].code)))
            return c;
    return CAUSE_NONE;
}

bool extract_cause_retryable(const char *code)
{
    return extract_causes[extract_cause_by_code(str_of(code))].retryable;
}

int extract_cause_error(struct error *err, enum extract_cause cause)
{
    return error_say(err, ERR_UNPROCESSABLE, extract_causes[cause].code, "%s", extract_causes[cause].sentence);
}
