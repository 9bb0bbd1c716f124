/* log.h - one JSON object a line on stderr, with Google Cloud's field names. The context is set once per request or job. */
#ifndef DMS_BASE_LOG_H
#define DMS_BASE_LOG_H

#include "base/text.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Borrowed texts that stand in every line of this thread until changed; NULL: left out. */
struct log_context {
    const char *component; /* api, worker, supervisor */
    const char *request_id, *job, *tenant, *trace_id, *span_id;
};
extern _Thread_local struct log_context log_context;

void log_open(enum log_level least, const char *component, const char *trace_project /* or NULL */);
/* By name: debug, info, warning, error; an unknown one is info. */
void log_open_by_name(const char *least, const char *component, const char *trace_project);
bool log_wants(enum log_level level);
PRINTF_LIKE(2, 3) void log_at(enum log_level level, const char *fmt, ...);
/* As log_at, with the place in the code: something that must not happen did. */
#define log_bug(...) log_bug_at(__FILE__, __LINE__, __func__, __VA_ARGS__)
PRINTF_LIKE(4, 5) void log_bug_at(const char *file, int line, const char *function, const char *fmt, ...);
/* What log_open was given, for the request log, which builds its lines itself. Trace project NULL: none. */
const char *log_component(void);
const char *log_trace_project(void);
/* message and context plus members ready made (",\"k\":v" or ""), for the request line. */
void log_line(enum log_level level, const char *message, struct str members);

#endif
