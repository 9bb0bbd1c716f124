/* trace.h - W3C Trace Context: reading traceparent. No I/O. */
#ifndef DMS_HTTP_TRACE_H
#define DMS_HTTP_TRACE_H

#include "base/text.h"

/* The trace id of a valid header value; false, and trace_id as it was: a trace of one's own. */
bool trace_parent(struct str value, char trace_id[33]);

#endif
