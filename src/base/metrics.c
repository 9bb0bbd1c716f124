/* metrics.c - see metrics.h. */
#include "base/metrics.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#define X(id, name, labels, type, help) { name, labels, type, help },
static const struct {
    const char *name, *labels, *type, *help;
} table[METRIC_COUNT] = {
#include "tbl/metrics.def"
};
#undef X

static atomic_ullong values[METRIC_COUNT];

void metric_add(enum metric m, uint64_t n)
{
    atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
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

    sb_printf(&b, "%s{%s}", table[m].name, table[m].labels);
    return sb_str(&b).p;
}

void metrics_write(struct sb *b)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        if (i == 0 || strcmp(table[i].name, table[i - 1].name) != 0)
            sb_printf(b, "# HELP %s %s\n# TYPE %s %s\n", table[i].name, table[i].help, table[i].name, table[i].type);
        sb_printf(b, *table[i].labels ? "%s{%s} %llu\n" : "%s%s %llu\n", table[i].name, table[i].labels,
                  atomic_load_explicit(&values[i], memory_order_relaxed));
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
