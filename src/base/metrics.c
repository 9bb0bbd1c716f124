/* metrics.c - see metrics.h. */
#include "base/metrics.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

enum kind { CELL /* of the histogram before it */, COUNTER, HISTOGRAM };

#define X(id, name, labels, help) [METRIC_##id] = { COUNTER, name, labels, help },
#define H(id, name, labels, help) [METRIC_##id] = { HISTOGRAM, name, labels, help },
static const struct {
    enum kind   kind;
    const char *name, *labels, *help;
} table[METRIC_COUNT] = {
#include "tbl/metrics.def"
};
#undef X
#undef H

/* Seconds: from a statement to a job that reads a thousand pages. */
static const double bounds[METRIC_BUCKETS] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                               0.25,   0.5,   1,      2.5,   5,    10,    60,   300 };

static atomic_ullong values[METRIC_COUNT];

void metric_add(enum metric m, uint64_t n)
{
    atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
}

void metric_observe(enum metric histogram, int64_t took_us)
{
    unsigned bucket = 0;

    assert(table[histogram].kind == HISTOGRAM);
    while (bucket < METRIC_BUCKETS && (double)took_us > bounds[bucket] * 1e6)
        bucket++;
    metric_add(histogram + bucket, 1);
    metric_add(histogram + METRIC_BUCKETS + 1, (uint64_t)took_us);
}

uint64_t metric_get(enum metric m)
{
    return atomic_load_explicit(&values[m], memory_order_relaxed);
}

void metric_set(enum metric m, uint64_t n)
{
    atomic_store_explicit(&values[m], n, memory_order_relaxed);
}

const char *metric_series(struct arena *a, enum metric m)
{
    struct sb b = SB(a);
    unsigned  cell = 0;

    while (table[m - cell].kind == CELL)
        cell++;
    sb_printf(&b, "%s{%s}", table[m - cell].name, table[m - cell].labels);
    if (table[m - cell].kind == HISTOGRAM)
        sb_printf(&b, "#%u", cell);
    return sb_str(&b).p;
}

static void write_counter(struct sb *b, enum metric m)
{
    sb_printf(b, *table[m].labels ? "%s{%s} %llu\n" : "%s%s %llu\n", table[m].name, table[m].labels,
              (unsigned long long)metric_get(m));
}

static void write_histogram(struct sb *b, enum metric m)
{
    const char        *name = table[m].name, *labels = table[m].labels;
    unsigned long long sum = 0;

    for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
        sum += metric_get(m + i);
        sb_printf(b, "%s_bucket{%s,le=\"%g\"} %llu\n", name, labels, bounds[i], sum);
    }
    sum += metric_get(m + METRIC_BUCKETS);
    sb_printf(b, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, labels, sum);
    sb_printf(b, "%s_sum{%s} %.6f\n", name, labels, (double)metric_get(m + METRIC_BUCKETS + 1) / 1e6);
    sb_printf(b, "%s_count{%s} %llu\n", name, labels, sum);
}

void metrics_write(struct sb *b)
{
    const char *before = "";

    for (enum metric m = 0; m < METRIC_COUNT; m++) {
        if (table[m].kind == CELL)
            continue;
        if (strcmp(table[m].name, before) != 0)
            sb_printf(b, "# HELP %s %s\n# TYPE %s %s\n", table[m].name, table[m].help, table[m].name,
                      table[m].kind == HISTOGRAM ? "histogram" : "counter");
        before = table[m].name;
        if (table[m].kind == HISTOGRAM)
            write_histogram(b, m);
        else
            write_counter(b, m);
    }
}

static unsigned count_fds(void)
{
    DIR     *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n > 3 ? n - 3 : 0; /* ., .. and the folder's own */
}

/* The n-th field (from 0) of /proc/self/stat after the program's name. */
static double stat_field(struct arena *a, unsigned n)
{
    struct str   text;
    struct error ignored = { 0 };

    if (file_read(a, "/proc/self/stat", 4096, &text, &ignored) <= 0)
        return 0;
    const char *p = memrchr(text.p, ')', text.n);
    for (unsigned i = 0; p && i <= n; i++)
        p = strchr(p + 1, ' ');
    return p ? strtod(p + 1, NULL) : 0;
}

void metrics_write_process(struct sb *b)
{
    struct rusage u;
    struct rlimit fds;
    double        page = (double)sysconf(_SC_PAGESIZE), ticks = (double)sysconf(_SC_CLK_TCK);
    double        up = (double)clock_steady_us() / 1e6 - stat_field(b->arena, 19) / ticks;

    getrusage(RUSAGE_SELF, &u);
    getrlimit(RLIMIT_NOFILE, &fds);
    sb_printf(
        b,
        "# HELP process_cpu_seconds_total User and system time\n# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.2f\n",
        (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
    sb_printf(
        b,
        "# HELP process_resident_memory_bytes Resident memory\n# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %.0f\n",
        stat_field(b->arena, 21) * page);
    sb_printf(b, "# HELP process_open_fds Open descriptors\n# TYPE process_open_fds gauge\nprocess_open_fds %u\n",
              count_fds());
    sb_printf(b, "# HELP process_max_fds Most descriptors\n# TYPE process_max_fds gauge\nprocess_max_fds %llu\n",
              (unsigned long long)fds.rlim_cur);
    sb_printf(
        b,
        "# HELP process_start_time_seconds Start, Unix time\n# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %.3f\n",
        (double)clock_wall_us() / 1e6 - up);
}
