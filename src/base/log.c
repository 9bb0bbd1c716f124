/* log.c - see log.h. One write a line, so that lines of threads and processes never mix. User text is always quoted. */
#include "base/log.h"

#include "base/clock.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

_Thread_local struct log_context log_context;

static struct {
    enum log_level least;
    const char    *component, *trace_project;
} settings = { .least = LOG_INFO, .component = "dms" };

void log_open(enum log_level least, const char *component, const char *trace_project)
{
    settings.least = least;
    settings.component = component;
    settings.trace_project = trace_project;
}

void log_open_by_name(const char *least, const char *component, const char *trace_project)
{
    static const char *const names[] = { "debug", "info", "warning", "error" };
    enum log_level           level = LOG_INFO;

    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], least) == 0)
            level = (enum log_level)i;
    log_open(level, component, trace_project);
}

bool log_wants(enum log_level level)
{
    return level >= settings.least;
}

const char *log_component(void)
{
    return settings.component;
}

const char *log_trace_project(void)
{
    return settings.trace_project;
}

static void put_member(struct sb *b, const char *key, const char *value)
{
    if (!value)
        return;
    sb_printf(b, ",\"%s\":", key);
    sb_json(b, value);
}

void log_line(enum log_level level, const char *message, struct str members)
{
    static const char *const severity[] = { "DEBUG", "INFO", "WARNING", "ERROR" };
    struct arena             a = ARENA(65536);
    struct sb                line = SB(&a);
    char                     now[32];

    if (!log_wants(level))
        return;
    clock_rfc3339(now, clock_wall_us());
    sb_printf(&line, "{\"severity\":\"%s\",\"time\":\"%s\",\"message\":", severity[level], now);
    sb_json(&line, message);
    put_member(&line, "component", log_context.component ? log_context.component : settings.component);
    put_member(&line, "request_id", log_context.request_id);
    put_member(&line, "job_id", log_context.job);
    put_member(&line, "tenant_id", log_context.tenant);
    if (log_context.trace_id) {
        sb_put(&line, S(",\"logging.googleapis.com/trace\":\""));
        if (settings.trace_project)
            sb_printf(&line, "projects/%s/traces/", settings.trace_project);
        sb_printf(&line, "%s\"", log_context.trace_id);
        put_member(&line, "logging.googleapis.com/spanId", log_context.span_id);
    }
    sb_put(&line, members);
    sb_put(&line, S("}\n"));
    if (!a.failed) {
        ssize_t ignored = write(STDERR_FILENO, line.p, line.n); /* nobody to tell when the log itself is gone */
        (void)ignored;
    }
    arena_free(&a);
}

void log_at(enum log_level level, const char *fmt, ...)
{
    char    message[1024];
    va_list ap;

    if (!log_wants(level))
        return;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    log_line(level, message, S(""));
}

void log_bug_at(const char *file, int line, const char *function, const char *fmt, ...)
{
    struct arena a = ARENA(16384);
    struct sb    more = SB(&a), trace = SB(&a);
    char         message[1024];
    void        *frames[32];
    va_list      ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    int                     n = backtrace(frames, (int)ARRAY_LEN(frames));
    _cleanup_(freep) char **names = backtrace_symbols(frames, n);
    sb_printf(&trace, "%s\n", message);
    for (int i = 1; names && i < n; i++)
        sb_printf(&trace, "  at %s\n", names[i]);
    sb_put(&more, S(",\"stack_trace\":"));
    sb_json_str(&more, sb_str(&trace));
    sb_printf(&more, ",\"logging.googleapis.com/sourceLocation\":{\"file\":\"%s\",\"line\":\"%d\",\"function\":\"%s\"}",
              file, line, function);
    log_line(LOG_ERROR, message, sb_str(&more));
    arena_free(&a);
}
