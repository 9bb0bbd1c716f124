/* model.h - the embedding model that the settings name, opened: for api and worker alike. */
#ifndef DMS_CMD_MODEL_H
#define DMS_CMD_MODEL_H

#include "cmd/app.h"
#include "embed/embedder.h"

enum model_use { MODEL_FOR_QUERIES, MODEL_FOR_INGEST }; /* half of the cores, or all of them */

/* NULL with ERR_NONE: none is wanted. NULL with an error: it cannot be opened, the reason is for the log. */
struct embedder *model_open(const struct app *app, enum model_use use, struct error *err);

#endif
