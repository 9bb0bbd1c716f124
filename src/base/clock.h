/* clock.h - wall clock and steady clock, and times as RFC 3339 text. */
#ifndef DMS_BASE_CLOCK_H
#define DMS_BASE_CLOCK_H

#include "base/base.h"

int64_t clock_wall_us(void);   /* since 1970 */
int64_t clock_steady_us(void); /* never goes back; for durations and deadlines */
void    clock_sleep_ms(unsigned ms);
/* "2026-11-23T05:39:34.123456Z" into ret (28 bytes hold it). */
void clock_rfc3339(char ret[32], int64_t wall_us);
/* The other way: "2026-11-23" (midnight, UTC) or "2026-11-23T05:39:34[.123456](Z|+01:00)" that exists, years 1-9999. -1 otherwise. */
MUST_CHECK int clock_parse_rfc3339(const char *text, int64_t *ret_wall_us);

#endif
