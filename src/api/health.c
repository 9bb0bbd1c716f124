/* health.c - whether the service lives and is ready, which version it is, and its own description. */
#include "api/api.h"
#include "api/handlers.h"

#include "api/asset.h"
#include "base/clock.h"

int health_live(struct request *req)
{
    response_json(req, 200, S("{\"status\":\"ok\"}"));
    return 0;
}

int health_ready(struct request *req)
{
    struct api     *api = api_of(req);
    struct db_scope nobody = { 0 };
    struct error    why = { 0 };
    struct rows     r;
    struct sb       b = SB(&req->arena);
    int64_t         from = clock_steady_us();
    bool    database = db_query_alone(api_db(req), nobody, &req->arena, SQL_HEALTH_DATABASE, NO_ARGS, &r, &why) == 0;
    int64_t took = clock_steady_us() - from;
    bool    redis = queue_up(api->queue), model = api->embedder != NULL;

    sb_printf(&b, "{\"status\":\"%s\",\"dependencies\":[",
              !database        ? "unavailable"
              : redis && model ? "ok"
                               : "degraded");
    sb_printf(&b, "{\"name\":\"database\",\"state\":\"%s\",\"ms\":%.3f,\"required\":true},", database ? "ok" : "down",
              (double)took / 1000);
    sb_printf(&b, "{\"name\":\"redis\",\"state\":\"%s\",\"required\":false},", redis ? "ok" : "down");
    sb_printf(&b, "{\"name\":\"embedding\",\"state\":\"%s\",\"required\":false}]}", model ? "ok" : "off");
    response_json(req, database ? 200 : 503, sb_str(&b));
    return 0;
}

int version_get(struct request *req)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "{\"name\":\"CODITECT DMS\",\"version\":\"%s\",\"commit\":\"%s\",\"api\":\"v1\"}",
              api_of(req)->version, api_of(req)->commit);
    response_json(req, 200, sb_str(&b));
    return 0;
}

static int serve_asset(struct request *req, const char *name)
{
    const struct asset *a = asset_find(name);

    if (!a)
        return error_set(&req->err, ERR_NOT_FOUND, "%s is not built in", name);
    response_text(req, 200, a->type, a->bytes);
    return 0;
}

int openapi_get(struct request *req)
{
    return serve_asset(req, "openapi.json");
}

int docs_get(struct request *req)
{
    return serve_asset(req, "docs.html");
}
