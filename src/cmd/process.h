/* process.h - what the kernel knows of other processes: who works in a folder, whom we inherited; and running a small program for
   its output. Linux only. */
#ifndef DMS_CMD_PROCESS_H
#define DMS_CMD_PROCESS_H

#include "base/text.h"

#include <sys/types.h>

/* Runs argv (argv[0] looked up on the PATH when it has no slash), its standard output into ret, without the line's end.
   Exit status 0: 0, anything else -1. */
MUST_CHECK int process_capture(struct arena *a, const char *const *argv, const char **ret);
/* The program's path: name itself when it has a slash, else the first on the PATH and in the usual folders. NULL: not found. */
const char *process_find_program(struct arena *a, const char *name);

/* Calls fn for each process whose working folder is dir, links followed; returns how many there were. */
unsigned process_each_in(const char *dir, void (*fn)(pid_t pid, void *arg), void *arg);
/* The same for each child of this process. */
unsigned process_each_child(void (*fn)(pid_t pid, void *arg), void *arg);

#endif
