/* trace.h - W3C Trace Context: reading traceparent. No I/O. */
#ifndef DMS_HTTP_TRACE_H
#define DMS_HTTP_TRACE_H

#include "base/text.h"

/* The trace id of a valid header value; false: begin a new trace. */
bool trace_parent(struct str value, char trace_id[33]);

#endif
