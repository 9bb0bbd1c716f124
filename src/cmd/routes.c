/* routes.c - `dms routes`: the route table for people and for tests, which hold api/openapi.yaml and the isolation tests against it; and with
   --permissions the page docs/permissions.md. */
#include "cmd/cmd.h"

#include "api/api.h"

#include <argp.h>

#include <stdio.h>

static const char *permission_text(uint64_t needs)
{
    if (needs & PERM_PUBLIC)
        return "public";
    if (needs & (PERM_SIGNED_IN | PERM_OWN))
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

static void print_permissions(void)
{
    puts(
        "# Roles and permissions\n\n"
        "Made by `dms routes --permissions` from `src/tbl/permissions.def`; a test compares the two.\n\n"
        "A role is a list of permissions. Five are built in; an organization makes further ones of the same permissions (`POST /api/v1/roles`), named\n"
        "`Custom` with a `role_id` where a member's role is told. Nobody gives a role, nor makes one, that may do more than they; Owners are made and\n"
        "changed by Owners only, and an organization keeps at least one. Handing the organization over, deleting it and taking that back is for an\n"
        "Owner who is signed in, whatever else the permissions say. Each address of the API names what it needs: `x-permission` in\n"
        "`/openapi.json`, or `dms routes`.\n\n"
        "| role | |\n|---|---|");
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        printf("| %s | %s |\n", role_name(r), role_text(r));
    printf("\n| permission | allows |");
    for (unsigned r = 0; r < ROLE_API_ONLY; r++)
        printf(" %s |", role_name(r));
    puts("\n|---|---|:-:|:-:|:-:|:-:|");
    for (unsigned i = 0; i < PERM_COUNT; i++) {
        printf("| `%s` | %s |", permission_name(i), permission_allows(i));
        for (unsigned r = 0; r < ROLE_API_ONLY; r++)
            printf(" %s |", role_permissions(r) >> i & 1 ? "yes" : "");
        putchar('\n');
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    bool *permissions = state->input;

    (void)arg;
    if (key != 'p')
        return ARGP_ERR_UNKNOWN;
    *permissions = true;
    return 0;
}

int cmd_routes(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "permissions", .key = 'p', .doc = "the page docs/permissions.md: roles and what they may do" }, { 0 }
    };
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .doc = "Prints the addresses of the API with their permissions, as one JSON list."
    };
    struct arena a = ARENA(1 << 20);
    struct sb    b = SB(&a);
    bool         permissions = false;

    argp_parse(&parser, argc, argv, 0, NULL, &permissions);
    if (permissions) {
        print_permissions();
        arena_free(&a);
        return 0;
    }
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
