/* scim.c - see scim.h; and what the service says of itself: ServiceProviderConfig, ResourceTypes, Schemas. */
#include "api/scim.h"
#include "api/handlers.h"

#include "domain/plan.h"

#include <stdio.h>
#include <strings.h>

enum { PATH_MAX_BYTES = 300 };

static const char list_schema[] = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/* --- errors --- */

static const char *scim_type(const struct error *err)
{
    static const char *const types[] = { "invalidFilter", "invalidPath", "noTarget", "mutability", "invalidSyntax" };

    if (err->code == ERR_CONFLICT)
        return "uniqueness";
    if (err->code != ERR_VALIDATION)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(err->field, types[i]) == 0)
            return types[i];
    return err->field[0] ? "invalidValue" : "invalidSyntax";
}

static struct str problem(struct arena *a, const struct error *err, const char *id)
{
    const char *type = scim_type(err);
    struct sb   b = SB(a);

    (void)id; /* stands in X-Request-Id: other members are not SCIM's */
    sb_printf(&b, "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"status\":\"%u\"",
              error_info[err->code].http);
    if (type)
        sb_printf(&b, ",\"scimType\":\"%s\"", type);
    sb_puts(&b, ",\"detail\":");
    sb_json(&b, error_text(err));
    sb_putc(&b, '}');
    return sb_str(&b);
}

const struct dialect scim_dialect = { "application/scim+json", problem };

/* --- reading --- */

int scim_admit(struct request *req)
{
    if (req->who.plan == PLAN_ENTERPRISE || req->who.plan == PLAN_UNLIMITED)
        return 0;
    return error_say(&req->err, ERR_QUOTA, NULL, "SCIM is part of the Enterprise plan.");
}

const char *scim_base(struct request *req)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "%s/api/v1/scim/v2", api_of(req)->issuer);
    return b.p ? b.p : "";
}

const char *scim_address(struct request *req, const char *kind, const char *id)
{
    struct sb b = SB(&req->arena);

    sb_printf(&b, "%s/%s/%s", scim_base(req), kind, id);
    return b.p ? b.p : "";
}

const json_t *scim_member(const json_t *object, const char *name)
{
    for (void *it = jv_is_object(object) ? jv_first(object) : NULL; it; it = jv_next(object, it))
        if (strcasecmp(jv_key(it), name) == 0)
            return jv_is_null(jv_value(it)) ? NULL : jv_value(it);
    return NULL;
}

static const char *lower(struct arena *a, struct str s)
{
    char *text = arena_alloc(a, s.n + 1);

    for (size_t i = 0; text && i < s.n; i++)
        text[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 32 : s.p[i]);
    return text ? text : "";
}

/* Without the schema that a name may begin with. Of other schemas it stays, and is nothing that we have. */
static struct str without_schema(struct str name)
{
    static const char *const ours[] = { SCIM_USER_SCHEMA ":", SCIM_GROUP_SCHEMA ":" };

    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        size_t n = strlen(ours[i]);

        if (name.n >= n && strncasecmp(name.p, ours[i], n) == 0)
            return (struct str){ name.p + n, name.n - n };
    }
    return name;
}

/* A JSON text at the beginning of *s, which moves behind it. */
static const char *quoted(struct arena *a, struct str *s)
{
    struct error ignored = { 0 }; /* NULL says it */
    size_t       n = 1;

    if (s->n == 0 || s->p[0] != '"')
        return NULL;
    while (n < s->n && s->p[n] != '"')
        n += s->p[n] == '\\' ? 2 : 1;
    if (n >= s->n)
        return NULL;
    const json_t *v = json_read(a, (struct str){ s->p, n + 1 }, 1, 1, &ignored);
    *s = (struct str){ s->p + n + 1, s->n - n - 1 };
    return jv_string(v);
}

/* NAME eq "VALUE", with one space or more between; *s moves behind it. */
static bool comparison(struct arena *a, struct str *s, struct scim_filter *ret)
{
    size_t n = 0;

    while (n < s->n && s->p[n] != ' ')
        n++;
    ret->attribute = lower(a, without_schema((struct str){ s->p, n }));
    struct str rest = str_trim((struct str){ s->p + n, s->n - n });
    if (n == 0 || rest.n < 3 || strncasecmp(rest.p, "eq ", 3) != 0)
        return false;
    rest = str_trim((struct str){ rest.p + 3, rest.n - 3 });
    ret->value = quoted(a, &rest);
    *s = rest;
    return ret->value != NULL;
}

int scim_filter_read(struct arena *a, const char *text, struct scim_filter *ret, struct error *err)
{
    struct str rest = str_trim(str_of(text));

    if (!comparison(a, &rest, ret) || rest.n > 0)
        return error_say(err, ERR_VALIDATION, "invalidFilter", "Filters are of the form ATTRIBUTE eq \"VALUE\".");
    if (strncmp(ret->attribute, "emails", 6) == 0)
        ret->attribute = "emails";
    return 0;
}

static int bad_path(struct error *err)
{
    return error_say(err, ERR_VALIDATION, "invalidPath", "The path of an operation is malformed.");
}

int scim_path_read(struct arena *a, const char *text, struct scim_path *ret, struct error *err)
{
    struct str         rest = without_schema(str_trim(str_of(text)));
    size_t             n = 0;
    struct scim_filter f = { 0 };
    struct sb          b = SB(a);

    *ret = (struct scim_path){ 0 };
    while (n < rest.n && rest.p[n] != '[')
        n++;
    sb_puts(&b, lower(a, (struct str){ rest.p, n }));
    rest = (struct str){ rest.p + n, rest.n - n };
    if (rest.n > 0) {
        rest = str_trim((struct str){ rest.p + 1, rest.n - 1 });
        if (!comparison(a, &rest, &f) || rest.n == 0 || rest.p[0] != ']' || n == 0)
            return bad_path(err);
        rest = (struct str){ rest.p + 1, rest.n - 1 };
        ret->selected = strcmp(f.attribute, "value") == 0 ? f.value : NULL;
        if (rest.n > 0 && (rest.p[0] != '.' || rest.n == 1))
            return bad_path(err);
        sb_puts(&b, lower(a, rest));
    }
    ret->attribute = b.p ? b.p : "";
    return b.n == 0 || strpbrk(ret->attribute, " []\"") ? bad_path(err) : 0;
}

static int patch_one(struct arena *a, const json_t *operation, scim_patch_fn *fn, void *arg, struct error *err)
{
    const char      *op = jv_string(scim_member(operation, "op")), *text = jv_string(scim_member(operation, "path"));
    const json_t    *value = scim_member(operation, "value");
    struct scim_path path = { "", NULL };

    if (!op || (strcasecmp(op, "add") != 0 && strcasecmp(op, "replace") != 0 && strcasecmp(op, "remove") != 0))
        return error_say(err, ERR_VALIDATION, "invalidSyntax", "op must be add, replace or remove.");
    char kind = strcasecmp(op, "add") == 0 ? 'a' : strcasecmp(op, "replace") == 0 ? 'r' : 'd';
    if (scim_member(operation, "path") && (!text || strlen(text) > PATH_MAX_BYTES))
        return bad_path(err);
    if (text && scim_path_read(a, text, &path, err) < 0)
        return -1;
    if (!text && kind == 'd')
        return error_say(err, ERR_VALIDATION, "noTarget", "remove needs a path.");
    if (!text && !jv_is_object(value))
        return error_say(err, ERR_VALIDATION, "invalidSyntax", "Without a path the value must be an object.");
    return fn(arg, kind, &path, value, err);
}

int scim_patch(struct arena *a, const json_t *body, scim_patch_fn *fn, void *arg, struct error *err)
{
    const json_t *operations = scim_member(body, "Operations");
    size_t        n = jv_count(operations);

    if (n == 0 || n > SCIM_OPERATIONS_MAX)
        return error_say(err, ERR_VALIDATION, "invalidSyntax", "Operations must be a list of 1 to %d operations.",
                         SCIM_OPERATIONS_MAX);
    for (size_t i = 0; i < n; i++)
        if (patch_one(a, jv_at(operations, i), fn, arg, err) < 0)
            return -1;
    return 0;
}

/* --- lists --- */

static const char *names(struct request *req, const char *param)
{
    const char  *text = request_param(req, param);
    struct str   rest = str_of(text ? text : "");
    size_t       n = 0;
    const char **found = arena_alloc_array(&req->arena, rest.n + 2, sizeof *found);

    if (!text || !found)
        return NULL;
    while (rest.p) {
        struct str name = without_schema(str_trim(str_cut(&rest, ',')));

        found[n++] = lower(&req->arena, str_cut(&name, '.'));
    }
    return db_array(&req->arena, found);
}

const char *scim_only(struct request *req)
{
    return names(req, "attributes");
}

const char *scim_without(struct request *req)
{
    return names(req, "excludedAttributes");
}

static uint64_t first_index(struct request *req)
{
    uint64_t first = request_param_u64(req, "startIndex", 1);

    return first > 0 ? first : 1;
}

const char *scim_passed_over(struct request *req)
{
    return db_int(&req->arena, (int64_t)first_index(req) - 1);
}

const char *scim_shown(struct request *req)
{
    uint64_t count = request_param_u64(req, "count", SCIM_PAGE_MAX);

    return db_int(&req->arena, (int64_t)(count < SCIM_PAGE_MAX ? count : SCIM_PAGE_MAX));
}

static void put_list(struct sb *b, int64_t total, uint64_t first, size_t count, struct str resources)
{
    sb_printf(b, "{\"schemas\":[\"%s\"],\"totalResults\":%lld,\"startIndex\":%llu,\"itemsPerPage\":%zu,\"Resources\":",
              list_schema, (long long)total, (unsigned long long)first, count);
    sb_put(b, resources);
    sb_putc(b, '}');
}

int scim_list(struct request *req, enum sql q, const char *const *args, int nargs)
{
    struct rows r;
    struct sb   b = SB(&req->arena);

    if (db_query_alone(api_db(req), api_scope(req), &req->arena, q, args, nargs, &r, &req->err) < 0)
        return -1;
    if (!row_next(&r))
        return error_set(&req->err, ERR_INTERNAL, "%s: no row", sql_info[q].name);
    put_list(&b, row_int(&r, "total"), first_index(req), (size_t)row_int(&r, "shown"), row_str(&r, "resources"));
    if (r.bad)
        return error_set(&req->err, ERR_INTERNAL, "%s: unexpected columns", sql_info[q].name);
    response_json(req, 200, sb_str(&b));
    return 0;
}

/* --- what the service says of itself; %s: the base --- */

#define SUPPORTED(name, yes) "\"" name "\":{\"supported\":" yes "}"
static const char config[] = "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig\"]," SUPPORTED(
    "patch",
    "true") ","
            "\"bulk\":{\"supported\":false,\"maxOperations\":0,\"maxPayloadSize\":0},\"filter\":{\"supported\":true,\"maxResults\":200}," SUPPORTED(
                "changePassword",
                "false") "," SUPPORTED("sort",
                                       "false") "," SUPPORTED("etag",
                                                              "false") ","
                                                                       "\"authenticationSchemes\":[{\"type\":\"oauthbearertoken\",\"name\":\"API key\",\"description\":"
                                                                       "\"An API key with the scope member.update, as Authorization: Bearer or X-API-Key\",\"primary\":true}],"
                                                                       "\"meta\":{\"resourceType\":\"ServiceProviderConfig\",\"location\":\"%s/ServiceProviderConfig\"}}";

#define TYPE(name, plural, schema)                                                                               \
    "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:ResourceType\"],\"id\":\"" name "\",\"name\":\"" name \
    "\",\"endpoint\":\"/" plural "\",\"schema\":\"" schema "\",\"meta\":{\"resourceType\":\"ResourceType\","     \
    "\"location\":\"%s/ResourceTypes/" name "\"}}"
/* An attribute: more holds what differs from the defaults. */
#define ATTRIBUTE(name, type, multi, required, mutability, uniqueness, more)                        \
    "{\"name\":\"" name "\",\"type\":\"" type "\",\"multiValued\":" multi ",\"required\":" required \
    ",\"mutability\":\"" mutability "\",\"returned\":\"default\",\"uniqueness\":\"" uniqueness "\"" more "}"
#define TEXT_OF(name) ATTRIBUTE(name, "string", "false", "false", "readWrite", "none", ",\"caseExact\":false")
#define GIVEN(name)   ATTRIBUTE(name, "string", "false", "false", "readOnly", "none", ",\"caseExact\":false")
#define REFERENCE(to, mutability)                                        \
    ATTRIBUTE("$ref", "reference", "false", "false", mutability, "none", \
              ",\"caseExact\":true,\"referenceTypes\":[\"" to "\"]")
#define PARTS(list) ",\"subAttributes\":[" list "]"
#define SCHEMA(id, name, description, attributes)                                                        \
    "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:Schema\"],\"id\":\"" id "\",\"name\":\"" name \
    "\",\"description\":\"" description "\",\"attributes\":[" attributes                                 \
    "],\"meta\":{\"resourceType\":\"Schema\",\"location\":\"%s/Schemas/" id "\"}}"

static const struct described {
    const char *id, *text;
} types[] = {
    { "User", TYPE("User", "Users", SCIM_USER_SCHEMA) },
    { "Group", TYPE("Group", "Groups", SCIM_GROUP_SCHEMA) },
}, schemas[] = {
    { SCIM_USER_SCHEMA,
      SCHEMA(SCIM_USER_SCHEMA, "User", "A member of the organization",
        ATTRIBUTE("userName", "string", "false", "true", "readWrite", "server", ",\"caseExact\":false") ","
        ATTRIBUTE("name", "complex", "false", "false", "readWrite", "none",
                  PARTS(TEXT_OF("formatted") "," TEXT_OF("familyName") "," TEXT_OF("givenName"))) ","
        TEXT_OF("displayName") ","
        ATTRIBUTE("emails", "complex", "true", "true", "readWrite", "none",
                  PARTS(ATTRIBUTE("value", "string", "false", "true", "readWrite", "none", ",\"caseExact\":false"))) ","
        ATTRIBUTE("active", "boolean", "false", "false", "readWrite", "none", "") ","
        ATTRIBUTE("roles", "complex", "true", "false", "readOnly", "none", PARTS(GIVEN("value"))) ","
        ATTRIBUTE("groups", "complex", "true", "false", "readOnly", "none",
                  PARTS(GIVEN("value") "," REFERENCE("Group", "readOnly") "," GIVEN("display")))) },
    { SCIM_GROUP_SCHEMA,
      SCHEMA(SCIM_GROUP_SCHEMA, "Group", "A group of members",
        ATTRIBUTE("displayName", "string", "false", "true", "readWrite", "server", ",\"caseExact\":true") ","
        ATTRIBUTE("members", "complex", "true", "false", "readWrite", "none",
                  PARTS(ATTRIBUTE("value", "string", "false", "false", "immutable", "none", ",\"caseExact\":false") ","
                        REFERENCE("User", "immutable")))) },
};

/* The text with the base in the place of %s. */
static struct str with_base(struct request *req, const char *text)
{
    const char *at = strstr(text, "%s");
    struct sb   b = SB(&req->arena);

    sb_put(&b, (struct str){ text, (size_t)(at - text) });
    sb_puts(&b, scim_base(req));
    sb_puts(&b, at + 2);
    return sb_str(&b);
}

static int describe_all(struct request *req, const struct described *of, size_t n)
{
    struct sb resources = SB(&req->arena), b = SB(&req->arena);

    for (size_t i = 0; i < n; i++) {
        sb_putc(&resources, i == 0 ? '[' : ',');
        sb_put(&resources, with_base(req, of[i].text));
    }
    sb_putc(&resources, ']');
    put_list(&b, (int64_t)n, 1, n, sb_str(&resources));
    response_json(req, 200, sb_str(&b));
    return 0;
}

static int describe_one(struct request *req, const struct described *of, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(of[i].id, req->args[0]) != 0)
            continue;
        response_json(req, 200, with_base(req, of[i].text));
        return 0;
    }
    return error_set(&req->err, ERR_NOT_FOUND, "no such description");
}

int scim_config(struct request *req)
{
    if (scim_admit(req) < 0)
        return -1;
    response_json(req, 200, with_base(req, config));
    return 0;
}

int scim_types(struct request *req)
{
    return scim_admit(req) < 0 ? -1 : describe_all(req, types, ARRAY_LEN(types));
}

int scim_type_one(struct request *req)
{
    return scim_admit(req) < 0 ? -1 : describe_one(req, types, ARRAY_LEN(types));
}

int scim_schemas(struct request *req)
{
    return scim_admit(req) < 0 ? -1 : describe_all(req, schemas, ARRAY_LEN(schemas));
}

int scim_schema_one(struct request *req)
{
    return scim_admit(req) < 0 ? -1 : describe_one(req, schemas, ARRAY_LEN(schemas));
}

int scim_nothing(struct request *req)
{
    return error_set(&req->err, ERR_NOT_FOUND, "no such SCIM resource");
}
