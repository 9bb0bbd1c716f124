/* metrics.h - the process's counters (tbl/metrics.def) and their Prometheus text. Any thread. */
#ifndef DMS_BASE_METRICS_H
#define DMS_BASE_METRICS_H

#include "base/text.h"

enum {
    METRIC_BUCKETS = 16,
    METRIC_CELLS = METRIC_BUCKETS + 2 /* of a histogram: by bound, above them all, sum in microseconds */
};

#define X(id, name, labels, help) METRIC_##id,
#define H(id, name, labels, help) METRIC_##id, METRIC_##id##_LAST = METRIC_##id + METRIC_CELLS - 1,
enum metric { /* a histogram takes METRIC_CELLS of them */
#include "tbl/metrics.def"
              METRIC_COUNT
};
#undef X
#undef H

void metric_add(enum metric m, uint64_t n);
void metric_observe(enum metric histogram, int64_t took_us);
/* The values one by one, for who sums up those of other processes. */
uint64_t metric_get(enum metric m);
void     metric_set(enum metric m, uint64_t n);
/* Names a value among all: "name{labels}", of a histogram "name{labels}#cell". */
const char *metric_series(struct arena *a, enum metric m);
/* Exposition format 0.0.4: HELP and TYPE before the first row of a name. */
void metrics_write(struct sb *b);
/* The process_* set of Prometheus clients. */
void metrics_write_process(struct sb *b);

#endif
