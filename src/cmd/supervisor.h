/* supervisor.h - keeps a few programs running: starts them, starts again what ends, stops them in order, and leaves nothing behind.
   One thread, one loop that the caller turns. Knows nothing of what the programs are.

   Children die with this process whatever ends it (PR_SET_PDEATHSIG), and what they leave behind when they die comes to us
   (PR_SET_CHILD_SUBREAPER) and is ended before they start again: two PostgreSQL on one folder would destroy it. */
#ifndef DMS_CMD_SUPERVISOR_H
#define DMS_CMD_SUPERVISOR_H

#include "base/text.h"

#include <sys/types.h>

struct supervisor;
struct service;

enum prepared { PREPARED, NOT_YET };

struct service_spec {
    const char        *name;
    const char *const *argv;    /* argv[0]: path; NULL-terminated. Read anew at each start: the owner may change it */
    int                program; /* descriptor to run instead of argv[0], or -1 */
    const char        *log;     /* file for what it writes; NULL: our own stderr */
    const char        *folder;  /* working folder, or NULL: ours */
    int                stop_signal;  /* asks it to finish */
    int                hurry_signal; /* when that took longer than stop_ms, or the person asks twice; then SIGKILL */
    unsigned           stop_ms;
    int                death_signal; /* when the supervisor is killed */
    bool               tells_ready;  /* gets descriptor 3 and writes a line there when it is ready */
    /* Before each start: NOT_YET is asked again soon. quick_deaths: ends in a row that came within 5 s. May be NULL. */
    enum prepared (*prepare)(void *arg, unsigned quick_deaths);
    void *arg;
};

/* Takes over the signals SIGINT, SIGTERM, SIGHUP and SIGCHLD of this process. */
struct supervisor *supervisor_open(struct error *err);
/* Stops everything in the reverse order of its start, waits for it, and frees. NULL is fine. */
void supervisor_close(struct supervisor *sup);

/* Adds and starts; what it points to must live as long as the supervisor. NULL without memory. */
struct service *supervisor_start(struct supervisor *sup, const struct service_spec *spec, struct error *err);

/* Waits at most so long for something to happen (a child ended, a signal came, a line arrived) and deals with it. */
void supervisor_turn(struct supervisor *sup, unsigned wait_ms);
/* How often the person (or the system) has asked us to stop. */
unsigned supervisor_stop_requests(const struct supervisor *sup);

pid_t       service_pid(const struct service *s); /* 0: it does not run now */
unsigned    service_quick_deaths(const struct service *s);
const char *service_ready_line(const struct service *s); /* NULL: not yet since its last start */
const char *service_name(const struct service *s);
const char *service_log(const struct service *s);

/* Runs fn in a process of its own (its result is the exit status) and turns until it ends. log: for what it writes, NULL: our own
   stdout and stderr. -1: it failed (or we were asked to stop; then *err stays ERR_NONE). */
MUST_CHECK int supervisor_run(struct supervisor *sup, const char *what, int (*fn)(void *arg), void *arg,
                              const char *log, struct error *err);

/* The last lines of a log, indented, to stderr. */
void log_show_tail(const char *path);

#endif
