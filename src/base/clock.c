/* clock.c - see clock.h. */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FIRST_SECOND INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SECOND  INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_steady_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void clock_sleep_ms(unsigned ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

/* The calendar is worked out once a second and thread: every log line asks for it. */
void clock_rfc3339(char ret[32], int64_t wall_us)
{
    static _Thread_local char   text[24];
    static _Thread_local time_t of = -1;
    int64_t                     part = wall_us % 1000000 + (wall_us % 1000000 < 0 ? 1000000 : 0); /* before 1970 too */
    time_t                      sec = (time_t)((wall_us - part) / 1000000);
    unsigned                    us = (unsigned)part;

    if (sec != of) {
        struct tm tm;

        gmtime_r(&sec, &tm);
        snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u.", (unsigned)(tm.tm_year + 1900) % 10000u,
                 (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u,
                 (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
        of = sec;
    }
    memcpy(ret, text, 20);
    for (int i = 25; i >= 20; i--, us /= 10)
        ret[i] = (char)('0' + us % 10);
    memcpy(ret + 26, "Z", 2);
}

/* ".123" as microseconds, moving *p on; digits beyond the sixth are dropped. -1: no digit after the point. */
static int64_t read_fraction(const char **p)
{
    int64_t us = 0, unit = 100000;

    if (**p != '.')
        return 0;
    const char *from = ++*p;
    for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
        us += (**p - '0') * unit;
    return *p == from ? -1 : us;
}

static bool two_digits(const char *p, unsigned max, unsigned *ret)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *ret = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
    return *ret <= max;
}

/* "Z" or "+01:00" as seconds east of UTC. */
static bool read_zone(const char *p, int64_t *ret_s)
{
    unsigned hours, minutes;

    *ret_s = 0;
    if (strcmp(p, "Z") == 0)
        return true;
    if ((*p != '+' && *p != '-') || !two_digits(p + 1, 23, &hours) || p[3] != ':' || !two_digits(p + 4, 59, &minutes)
        || p[6] != '\0')
        return false;
    *ret_s = (int64_t)(hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);
    return true;
}

int clock_parse_rfc3339(const char *text, int64_t *ret_wall_us)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    struct tm         tm = { 0 }, again;
    size_t            n = 0;
    int64_t           fraction = 0, zone = 0;

    while (shape[n] && (shape[n] == 'd' ? text[n] >= '0' && text[n] <= '9' : text[n] == shape[n]))
        n++;
    bool date_only = n == 10 && text[n] == '\0';
    if (!date_only && shape[n])
        return -1;
    const char *rest = strptime(text, date_only ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest || rest != text + n || tm.tm_year < 1 - 1900)
        return -1;
    again = tm;
    time_t sec = timegm(&again);
    if (again.tm_mday != tm.tm_mday || again.tm_sec != tm.tm_sec) /* the 31st of February; a leap second */
        return -1;
    if (!date_only && ((fraction = read_fraction(&rest)) < 0 || !read_zone(rest, &zone)))
        return -1;
    if (sec - zone < FIRST_SECOND || sec - zone > LAST_SECOND) /* the zone leads out of the years that can be written */
        return -1;
    *ret_wall_us = ((int64_t)sec - zone) * 1000000 + fraction;
    return 0;
}
