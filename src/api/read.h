/* read.h - see read.c. */
#ifndef DMS_API_READ_H
#define DMS_API_READ_H

#include "api/api.h"

/* Writes the answer of a statement of the read lane's form: columns items, next_key, total (a list) or body and perhaps etag. */
MUST_CHECK int read_answer(struct request *req, struct rows *r);
/* A signed cursor for "key|id", in the request's arena. */
const char *cursor_make(struct request *req, struct str key);

#endif
