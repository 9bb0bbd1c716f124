/* routes.c - `dms routes`: the route table for people and for tests, which hold api/openapi.yaml and the isolation tests against it. */
#include "cmd/cmd.h"

#include "api/api.h"

#include <argp.h>

#include <stdio.h>

static const char *permission_text(uint64_t needs)
{
    if (needs & PERM_PUBLIC)
        return "public";
    if (needs & PERM_SIGNED_IN)
        return "signed_in";
    for (unsigned i = 0; i < PERM_COUNT; i++)
        if (needs >> i & 1)
            return permission_name(i);
    return "";
}

static void write_route(struct sb *b, const struct route *r)
{
    static const char *const bodies[] = {
        [BODY_NONE] = "none", [BODY_JSON] = "json", [BODY_JSON_OPT] = "json_optional", [BODY_MULTIPART] = "multipart"
    };
    const char *comma = "";

    sb_printf(
        b, "{\"method\":\"%s\",\"path\":\"%s\",\"permission\":\"%s\",\"lane\":\"%s\",\"body\":\"%s\",\"params\":[",
        r->method, r->pattern, permission_text(r->needs), r->lane == LANE_READ ? "read" : "work", bodies[r->body]);
    for (const struct param *p = r->params; p && p->name; p++) {
        sb_printf(b, "%s\"%s\"", comma, p->name);
        comma = ",";
    }
    sb_put(b, S("]}"));
}

int cmd_routes(int argc, char **argv)
{
    static const struct argp parser = {
        .doc = "Prints the addresses of the API with their permissions, as one JSON list."
    };
    struct arena a = ARENA(1 << 20);
    struct sb    b = SB(&a);

    argp_parse(&parser, argc, argv, 0, NULL, NULL);
    sb_putc(&b, '[');
    for (size_t i = 0; i < api_route_count; i++) {
        if (i > 0)
            sb_put(&b, S(",\n"));
        write_route(&b, &api_routes[i]);
    }
    sb_put(&b, S("]\n"));
    fwrite(b.p, 1, b.n, stdout);
    arena_free(&a);
    return 0;
}
