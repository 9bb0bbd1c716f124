/* overflow.h - a file that nests so deep that the reader's stack ends is told as a bomb, and not as a crash. */
#ifndef DMS_EXTRACT_OVERFLOW_H
#define DMS_EXTRACT_OVERFLOW_H

#include "extract/frame.h"

/* Before the sandbox: where this thread's stack ends, and what to do then. Without it such a file is a crash, as any other. */
void overflow_watch(struct frame_writer *w);

#endif
