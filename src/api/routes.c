/* routes.c - every address of the API: a row each. A new endpoint that reads is a row here and a file store/sql/get_<name>.sql whose parameters are the
   row's path arguments and then its params in order (a cursor is two); one with logic names its handler (handlers.h). */
#include "api/api.h"
#include "api/handlers.h"
#include "api/oidc.h"
#include "api/read.h"
#include "api/scim.h"

#include "api/asset.h"
#include "base/metrics.h"
#include "domain/plan.h"
#include "store/pipeline.h"

#define V1     "/api/v1"
#define CURSOR { .name = "cursor", .type = PARAM_CURSOR, .max = 2048 }
#define LIMIT  { .name = "limit", .type = PARAM_UINT, .fallback = "20", .min = 1, .max = 100 }
#define LIST(...)                  \
    (const struct param[])         \
    {                              \
        LIMIT, CURSOR, __VA_ARGS__ \
        {                          \
            .name = NULL           \
        }                          \
    }
#define PARAMS(...)        \
    (const struct param[]) \
    {                      \
        __VA_ARGS__,       \
        {                  \
            .name = NULL   \
        }                  \
    }
#define BOOLEAN(n, v)     { .name = n, .type = PARAM_BOOL, .fallback = v }
#define CHOICE(n, v, f)   { .name = n, .type = PARAM_ENUM, .values = v, .fallback = f }
#define ID(n)             { .name = n, .type = PARAM_UUID }
#define TEXT(n, m)        { .name = n, .type = PARAM_TEXT, .min = 1, .max = m }
#define TIME(n)           { .name = n, .type = PARAM_TIME }
#define NUMBER(n, lo, hi) { .name = n, .type = PARAM_UINT, .min = lo, .max = hi }

/* method, pattern, permission, lane, body, handler */
#define WORK(m, p, perm, body_, fn) \
    .method = m, .pattern = p, .needs = perm, .lane = LANE_WORK, .body = body_, .handle = fn
#define LOOP(m, p, perm, fn) \
    .method = m, .pattern = p, .needs = perm, .lane = LANE_READ, .body = BODY_NONE, .handle = fn
/* method GET, pattern, permission, statement */
#define READ(p, perm, statement) \
    .method = "GET", .pattern = p, .needs = perm, .lane = LANE_READ, .body = BODY_NONE, .sql = SQL_##statement

/* A route of SCIM: its own form of JSON, and parameters of extensions that we do not have are passed over. */
#define SCIM(m, p, body_, fn) \
    WORK(m, V1 "/scim/v2" p, PERM(member_update), body_, fn), .dialect = &scim_dialect, .open_query = true
#define SCIM_ONE PARAMS(TEXT("attributes", 1000), TEXT("excludedAttributes", 1000))
#define SCIM_LIST                                                                                     \
    PARAMS(TEXT("filter", 1000), NUMBER("startIndex", 0, 1000000000), NUMBER("count", 0, 1000000000), \
           TEXT("attributes", 1000), TEXT("excludedAttributes", 1000))

const struct route api_routes[] = {
    { LOOP("GET", "/health/live", PERM_PUBLIC, health_live) },
    { WORK("GET", "/health/ready", PERM_PUBLIC, BODY_NONE, health_ready) },
    { WORK("GET", "/metrics", PERM_PUBLIC, BODY_NONE, metrics_get) },
    { LOOP("GET", "/version", PERM_PUBLIC, version_get) },
    { LOOP("GET", "/openapi.json", PERM_PUBLIC, openapi_get) },
    { LOOP("GET", "/docs", PERM_PUBLIC, docs_get) },
    { LOOP("GET", "/.well-known/jwks.json", PERM_PUBLIC, auth_jwks) },

    { WORK("POST", V1 "/auth/register", PERM_PUBLIC, BODY_JSON, auth_register) },
    { WORK("POST", V1 "/auth/verify", PERM_PUBLIC, BODY_JSON, auth_verify) },
    { WORK("POST", V1 "/auth/resend", PERM_PUBLIC, BODY_JSON, auth_resend) },
    { WORK("POST", V1 "/auth/password/forgot", PERM_PUBLIC, BODY_JSON, auth_password_forgot) },
    { WORK("POST", V1 "/auth/password/reset", PERM_PUBLIC, BODY_JSON, auth_password_reset) },
    { WORK("POST", V1 "/auth/password/change", PERM_SIGNED_IN, BODY_JSON, auth_password_change) },
    { WORK("POST", V1 "/auth/login", PERM_PUBLIC, BODY_JSON, auth_login) },
    { WORK("POST", V1 "/auth/refresh", PERM_PUBLIC, BODY_JSON, auth_refresh) },
    { WORK("POST", V1 "/auth/logout", PERM_OWN, BODY_JSON_OPT, auth_logout) },
    { WORK("GET", V1 "/auth/me", PERM_OWN, BODY_NONE, auth_me) },
    { WORK("POST", V1 "/auth/switch", PERM_SIGNED_IN, BODY_JSON, auth_switch) },
    { READ(V1 "/auth/sessions", PERM_SIGNED_IN, GET_SESSIONS), .params = LIST() },
    { WORK("DELETE", V1 "/auth/sessions", PERM_SIGNED_IN, BODY_NONE, sessions_end_others) },
    { WORK("DELETE", V1 "/auth/sessions/{id}", PERM_SIGNED_IN, BODY_NONE, sessions_end) },
    { WORK("POST", V1 "/auth/mfa/totp", PERM_OWN, BODY_JSON, totp_enrol) },
    { WORK("POST", V1 "/auth/mfa/totp/verify", PERM_OWN, BODY_JSON, totp_confirm) },
    { WORK("DELETE", V1 "/auth/mfa/totp", PERM_OWN, BODY_JSON, totp_remove) },

    { LOOP("GET", V1 "/auth/oidc", PERM_PUBLIC, auth_oidc_list) },
    { WORK("GET", V1 "/auth/oidc/{provider}/start", PERM_PUBLIC, BODY_NONE, auth_oidc_start), .rate_class = "sign_in" },
    { WORK("GET", V1 "/auth/oidc/{provider}/callback", PERM_PUBLIC, BODY_NONE, auth_oidc_callback),
      .params =
          PARAMS(TEXT("state", 100), TEXT("code", OIDC_CODE_MAX), TEXT("iss", OIDC_ISSUER_MAX), TEXT("error", 100)),
      .open_query = true, .rate_class = "sign_in" },
    { WORK("POST", V1 "/auth/oidc/{provider}/link", PERM_SIGNED_IN, BODY_NONE, auth_oidc_link) },
    { WORK("POST", V1 "/auth/oidc/exchange", PERM_PUBLIC, BODY_JSON, auth_oidc_exchange) },
    { WORK("GET", V1 "/auth/identities", PERM_SIGNED_IN, BODY_NONE, auth_identities) },
    { WORK("DELETE", V1 "/auth/identities/{id}", PERM_SIGNED_IN, BODY_NONE, auth_identities_delete) },

    { READ(V1 "/organization", PERM_SIGNED_IN, GET_ORGANIZATION) },
    { WORK("PATCH", V1 "/organization", PERM(organization_update), BODY_JSON, organization_update) },
    { WORK("DELETE", V1 "/organization", PERM(organization_update), BODY_JSON, organization_delete) },
    { WORK("POST", V1 "/organization/restore", PERM_SIGNED_IN, BODY_NONE, organization_restore) },
    { WORK("POST", V1 "/organization/transfer", PERM(organization_update), BODY_JSON, organization_transfer) },
    { WORK("GET", V1 "/organization/usage", PERM(billing_read), BODY_NONE, organization_usage) },
    { READ(V1 "/members", PERM(member_read), GET_MEMBERS), .params = LIST() },
    { WORK("PATCH", V1 "/members/{user_id}", PERM(member_update), BODY_JSON, members_update) },
    { WORK("DELETE", V1 "/members/{user_id}", PERM_SIGNED_IN, BODY_NONE, members_remove) }, /* looks for more itself */
    { READ(V1 "/invitations", PERM(member_invite), GET_INVITATIONS), .params = LIST() },
    { WORK("POST", V1 "/invitations", PERM(member_invite), BODY_JSON, invitations_create) },
    { WORK("POST", V1 "/invitations/accept", PERM_PUBLIC, BODY_JSON, invitations_accept) },
    { WORK("DELETE", V1 "/invitations/{id}", PERM(member_invite), BODY_NONE, invitations_revoke) },
    { READ(V1 "/groups", PERM(member_read), GET_GROUPS), .params = LIST() },
    { WORK("POST", V1 "/groups", PERM(member_update), BODY_JSON, groups_create) },
    { READ(V1 "/groups/{id}", PERM(member_read), GET_GROUP) },
    { WORK("PATCH", V1 "/groups/{id}", PERM(member_update), BODY_JSON, groups_update) },
    { WORK("DELETE", V1 "/groups/{id}", PERM(member_update), BODY_NONE, groups_delete) },
    { READ(V1 "/groups/{id}/members", PERM(member_read), GET_GROUP_MEMBERS), .params = LIST() },
    { WORK("PUT", V1 "/groups/{id}/members/{user_id}", PERM(member_update), BODY_NONE, group_members_add) },
    { WORK("DELETE", V1 "/groups/{id}/members/{user_id}", PERM(member_update), BODY_NONE, group_members_remove) },
    { WORK("GET", V1 "/roles", PERM_SIGNED_IN, BODY_NONE, roles_list) },
    { WORK("POST", V1 "/roles", PERM(member_update), BODY_JSON, roles_create) },
    { WORK("PATCH", V1 "/roles/{id}", PERM(member_update), BODY_JSON, roles_update) },
    { WORK("DELETE", V1 "/roles/{id}", PERM(member_update), BODY_NONE, roles_delete) },

    { READ(V1 "/api-keys", PERM(apikey_manage), GET_API_KEYS), .params = LIST() },
    { WORK("POST", V1 "/api-keys", PERM(apikey_manage), BODY_JSON, api_keys_create) },
    { WORK("POST", V1 "/api-keys/{id}/rotate", PERM(apikey_manage), BODY_JSON_OPT, api_keys_rotate) },
    { WORK("DELETE", V1 "/api-keys/{id}", PERM(apikey_manage), BODY_NONE, api_keys_revoke) },

    { READ(V1 "/folders", PERM(folder_read), GET_FOLDERS), .params = PARAMS(ID("parent_id")) },
    { WORK("POST", V1 "/folders", PERM(folder_create), BODY_JSON, folders_create) },
    { READ(V1 "/folders/{id}", PERM(folder_read), GET_FOLDER) },
    { WORK("PATCH", V1 "/folders/{id}", PERM(folder_update), BODY_JSON, folders_update) },
    { READ(V1 "/folders/{id}/children", PERM(folder_read), GET_FOLDER_CHILDREN), .params = LIST() },
    { READ(V1 "/folders/{id}/permissions", PERM(folder_grant), GET_FOLDER_PERMISSIONS) },
    { WORK("PUT", V1 "/folders/{id}/permissions", PERM(folder_grant), BODY_JSON, access_set_folder) },
    { WORK("DELETE", V1 "/folders/{id}", PERM(folder_delete), BODY_NONE, folders_delete) },

    { READ(V1 "/documents", PERM(document_read), GET_DOCUMENTS),
      .params =
          LIST(BOOLEAN("count", "false"),
               CHOICE("sort", "-created_at|created_at|-updated_at|updated_at|title|-title|size|-size", "-created_at"),
               BOOLEAN("trashed", "false"), CHOICE("status", "pending|processing|processed|error", NULL),
               ID("folder_id"), TEXT("tag", 64), ) },
    { WORK("POST", V1 "/documents", PERM(document_create), BODY_MULTIPART, documents_create), .rate_class = "upload" },
    { WORK("POST", V1 "/documents/upload", PERM(document_create), BODY_MULTIPART, documents_create),
      .rate_class = "upload" },
    { LOOP("GET", V1 "/documents/types", PERM_SIGNED_IN, documents_types) },
    { WORK("POST", V1 "/documents/search", PERM(search_query), BODY_JSON, search_post), .rate_class = "search" },
    { READ(V1 "/documents/{id}", PERM(document_read), GET_DOCUMENT) },
    { READ(V1 "/documents/{id}/permissions", PERM(folder_grant), GET_DOCUMENT_PERMISSIONS) },
    { WORK("PUT", V1 "/documents/{id}/permissions", PERM(folder_grant), BODY_JSON, access_set_document) },
    { WORK("PATCH", V1 "/documents/{id}", PERM(document_update), BODY_JSON, documents_update) },
    { WORK("DELETE", V1 "/documents/{id}", PERM(document_delete), BODY_NONE, documents_trash) },
    { WORK("POST", V1 "/documents/{id}/restore", PERM(document_restore), BODY_NONE, documents_restore) },
    { WORK("GET", V1 "/documents/{id}/content", PERM(document_download), BODY_NONE, documents_content),
      .params = PARAMS(NUMBER("version", 1, 1000000), CHOICE("disposition", "inline|attachment", "attachment")) },
    { WORK("GET", V1 "/documents/{id}/text", PERM(document_read), BODY_NONE, documents_text),
      .params = PARAMS(NUMBER("version", 1, 1000000)) },
    { READ(V1 "/documents/{id}/versions", PERM(document_read), GET_VERSIONS), .params = LIST() },
    { WORK("POST", V1 "/documents/{id}/versions", PERM(document_update), BODY_MULTIPART, versions_create),
      .rate_class = "upload" },
    { READ(V1 "/documents/{id}/chunks", PERM(document_read), GET_CHUNKS), .params = LIST() },
    { READ(V1 "/documents/{id}/timeline", PERM(document_read), GET_TIMELINE) },
    { WORK("POST", V1 "/documents/{id}/reprocess", PERM(document_reprocess), BODY_NONE, documents_reprocess) },
    { READ(V1 "/chunks/{id}", PERM(document_read), GET_CHUNK) },

    { WORK("POST", V1 "/search", PERM(search_query), BODY_JSON, search_post), .rate_class = "search" },
    { WORK("GET", V1 "/search", PERM(search_query), BODY_NONE, search_get), .rate_class = "search",
      .params = PARAMS({ .name = "q", .type = PARAM_TEXT, .min = 1, .max = 4096, .required = true },
                       CHOICE("mode", "hybrid|keyword|semantic", "hybrid"), LIMIT, TEXT("cursor", 2048)) },

    { READ(V1 "/jobs", PERM(document_read), GET_JOBS),
      .params = LIST(CHOICE("state", "queued|running|succeeded|failed|cancelled", NULL), ) },
    { READ(V1 "/jobs/{id}", PERM(document_read), GET_JOB) },
    { WORK("POST", V1 "/jobs/{id}/retry", PERM(document_reprocess), BODY_NONE, jobs_retry) },
    { WORK("GET", V1 "/events", PERM_SIGNED_IN, BODY_NONE, events_open) },

    { READ(V1 "/audit", PERM(audit_read), GET_AUDIT),
      .params =
          LIST(TEXT("action", 64), ID("actor"), TEXT("object_type", 64), ID("object_id"), TIME("from"), TIME("to"), ) },
    { WORK("GET", V1 "/audit/export", PERM(audit_export), BODY_NONE, audit_export),
      .params = PARAMS(CHOICE("format", "jsonl|csv", "jsonl"), TIME("from"), TIME("to")) },
    { WORK("GET", V1 "/audit/verify", PERM(audit_read), BODY_NONE, audit_verify_get) },
    { SCIM("GET", "/ServiceProviderConfig", BODY_NONE, scim_config) },
    { SCIM("GET", "/ResourceTypes", BODY_NONE, scim_types) },
    { SCIM("GET", "/ResourceTypes/{name}", BODY_NONE, scim_type_one) },
    { SCIM("GET", "/Schemas", BODY_NONE, scim_schemas) },
    { SCIM("GET", "/Schemas/{urn}", BODY_NONE, scim_schema_one) },
    { SCIM("GET", "/Users", BODY_NONE, scim_users_list), .params = SCIM_LIST },
    { SCIM("POST", "/Users", BODY_JSON, scim_users_create), .params = SCIM_ONE },
    { SCIM("GET", "/Users/{id}", BODY_NONE, scim_users_get), .params = SCIM_ONE },
    { SCIM("PUT", "/Users/{id}", BODY_JSON, scim_users_update), .params = SCIM_ONE },
    { SCIM("PATCH", "/Users/{id}", BODY_JSON, scim_users_update), .params = SCIM_ONE },
    { SCIM("DELETE", "/Users/{id}", BODY_NONE, scim_users_delete) },
    { SCIM("GET", "/Groups", BODY_NONE, scim_groups_list), .params = SCIM_LIST },
    { SCIM("POST", "/Groups", BODY_JSON, scim_groups_create), .params = SCIM_ONE },
    { SCIM("GET", "/Groups/{id}", BODY_NONE, scim_groups_get), .params = SCIM_ONE },
    { SCIM("PUT", "/Groups/{id}", BODY_JSON, scim_groups_update), .params = SCIM_ONE },
    { SCIM("PATCH", "/Groups/{id}", BODY_JSON, scim_groups_update), .params = SCIM_ONE },
    { SCIM("DELETE", "/Groups/{id}", BODY_NONE, scim_groups_delete) },
    { SCIM("GET", "/{name}", BODY_NONE, scim_nothing) },
};
const size_t api_route_count = ARRAY_LEN(api_routes);

/* --- the hooks of the server --- */

static void *loop_open_hook(void *arg, struct loop *loop, struct error *err)
{
    struct api             *api = arg;
    const struct settings  *s = api->settings;
    struct pipeline_options quick = { .name = "dms read lane",
                                      .connections = (unsigned)s->loop_connections,
                                      .max_waiting = (unsigned)s->work_queue * 4,
                                      .batch = 32,
                                      .timeout_ms = (unsigned)s->loop_timeout_ms };
    struct pipeline_options slow = { .name = "dms slow lists",
                                     .connections = (unsigned)s->slow_connections,
                                     .max_waiting = (unsigned)s->work_queue,
                                     .per_tenant = (unsigned)s->slow_per_tenant,
                                     .batch = 1,
                                     .timeout_ms = (unsigned)s->slow_timeout_ms };
    struct api_loop        *l = &api->loops[api->loop_count++];

    assert(api->loop_count <= API_LOOPS);
    l->quick = pipeline_open(loop, api->conninfo, quick, err);
    l->slow = l->quick ? pipeline_open(loop, api->conninfo, slow, err) : NULL;
    if (l->slow)
        return l;
    pipeline_close(TAKE(l->quick));
    return NULL;
}

static void loop_close_hook(void *state)
{
    struct api_loop *l = state;

    pipeline_close(TAKE(l->quick));
    pipeline_close(TAKE(l->slow));
}

static void loop_flush_hook(void *state)
{
    struct api_loop *l = state;

    pipeline_flush(l->quick);
    pipeline_flush(l->slow);
}

static uint64_t max_upload(struct request *req)
{
    uint64_t plan = plan_limits[req->who.plan].file_bytes, all = api_of(req)->settings->max_upload;

    return plan < all ? plan : all;
}

static void *upload_open(struct request *req, const char *filename, struct error *err)
{
    (void)filename;
    return blob_writer_open(api_of(req)->blobs, max_upload(req), err);
}

static int upload_write(void *sink, struct str bytes, struct error *err)
{
    metric_add(METRIC_BLOB_BYTES_WRITTEN, bytes.n);
    return blob_writer_add(sink, bytes, err);
}

static void upload_abort(void *sink)
{
    blob_writer_close(sink);
}

struct http_app api_http_app(struct api *api)
{
    return (struct http_app){ .routes = api_routes,
                              .route_count = ARRAY_LEN(api_routes),
                              .arg = api,
                              .loop_open = loop_open_hook,
                              .loop_close = loop_close_hook,
                              .loop_flush = loop_flush_hook,
                              .authenticate = api_authenticate,
                              .authenticate_slow = api_authenticate_slow,
                              .limit = api_limit,
                              .read = api_read,
                              .sink = { upload_open, upload_write, upload_abort },
                              .check = { content_digest_open, content_digest_add, content_digest_end },
                              .max_upload = max_upload,
                              .upload_limited = api_upload_limited,
                              .upload_room = api_upload_room,
                              .finished = api_finished,
                              .asset = asset_serve };
}
