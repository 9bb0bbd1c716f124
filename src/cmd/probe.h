/* probe.h - asks a local server one question and looks for the expected beginning of the answer. Knows no protocol. */
#ifndef DMS_CMD_PROBE_H
#define DMS_CMD_PROBE_H

#include "base/text.h"

/* True when the answer to `question` begins with `expected` within wait_ms. path: a Unix socket. */
bool probe_unix(const char *path, const char *question, const char *expected, unsigned wait_ms);
/* The same over TCP to an address in digits; "0.0.0.0" and "::" mean this machine. */
bool probe_tcp(const char *address, unsigned port, const char *question, const char *expected, unsigned wait_ms);
/* Whether the port can be listened on now. 0 free; -1 and a sentence. */
MUST_CHECK int probe_port_free(const char *address, unsigned port, struct error *err);

#endif
