/* metrics.h - the process's counters (tbl/metrics.def) and their Prometheus text. Any thread. */
#ifndef DMS_BASE_METRICS_H
#define DMS_BASE_METRICS_H

#include "base/text.h"

#define X(id, name, labels, type, help) METRIC_##id,
enum metric {
#include "tbl/metrics.def"
    METRIC_COUNT
};
#undef X

void     metric_add(enum metric m, uint64_t n);
uint64_t metric_get(enum metric m);
void     metric_set(enum metric m, uint64_t n); /* for what is counted elsewhere */
/* "name{labels}" */
const char *metric_series(struct arena *a, enum metric m);
/* Exposition format 0.0.4: HELP and TYPE before the first row of a name. */
void metrics_write(struct sb *b);
/* The process_* set of Prometheus clients. */
void metrics_write_process(struct sb *b);

#endif
