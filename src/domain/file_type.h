/* file_type.h - the list of file types (tbl/file_types.def) and of causes why a file cannot be read (tbl/extract_causes.def). No I/O. */
#ifndef DMS_DOMAIN_FILE_TYPE_H
#define DMS_DOMAIN_FILE_TYPE_H

#include "base/text.h"

/* Which reader of dms-extract takes it. READ_NONE: the type is known, the file is stored without text. */
enum reader { READ_NONE, READ_TEXT, READ_TABLE, READ_CODE, READ_MARKDOWN, READ_HTML, READ_PDF, READ_DOCX, READERS };

struct file_type {
    const char *mime, *label;
    enum reader reader;
    const char *endings; /* of file names, lower case, separated by spaces; may be "" */
};
extern const struct file_type file_types[];
extern const size_t           file_type_count;

/* NULL when the list does not hold it. */
const struct file_type *file_type_by_mime(struct str mime);
/* By the last ending of a name ("report.PDF"); NULL without an ending or when none of ours. */
const struct file_type *file_type_by_name(struct str name);

#define X(name, code, retryable, sentence) CAUSE_##name,
enum extract_cause {
    CAUSE_NONE,
#include "tbl/extract_causes.def"
    CAUSES
};
#undef X

struct extract_cause_info {
    const char *code, *sentence;
    bool        retryable;
};
extern const struct extract_cause_info extract_causes[CAUSES]; /* [CAUSE_NONE] is "" */

/* CAUSE_NONE when there is no such code. */
enum extract_cause extract_cause_by_code(struct str code);
/* Whether a later try can end otherwise; false for an unknown code. */
bool extract_cause_retryable(const char *code);
/* ERR_UNPROCESSABLE with the code as field and the sentence as message; -1. */
int extract_cause_error(struct error *err, enum extract_cause cause);

#endif
