/* demo.c - see demo.h. People are made through the same functions of the database as a registration; documents through the API. */
#include "cmd/demo.h"

#include "base/file.h"
#include "base/json.h"
#include "base/uuid.h"
#include "crypto/password.h"
#include "domain/permission.h"
#include "net/http_client.h"
#include "store/db.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

enum { PASSWORD_BYTES = 8, FILE_MAX = 4096, DOCUMENTS_MAX = 50, UPLOAD_MS = 30000 };

/* The first is the owner of the organization. */
static const struct {
    const char *email, *name;
    enum role   role;
} people[] = {
    { "owner@demo.test", "Olivia Owner", ROLE_OWNER },   { "admin@demo.test", "Adam Admin", ROLE_ADMIN },
    { "editor@demo.test", "Edith Editor", ROLE_EDITOR }, { "viewer@demo.test", "Victor Viewer", ROLE_VIEWER },
    { "api@demo.test", "Api Account", ROLE_API_ONLY },
};

/* One password a line, in the order of people; made at the first time. */
static int read_passwords(struct app *app, const char *ret[ARRAY_LEN(people)], struct error *err)
{
    const char *path = path_join(&app->arena, app->secrets_dir, "demo");
    struct str  text = { NULL, 0 };
    int         found = file_read(&app->arena, path, FILE_MAX, &text, err);

    if (found < 0)
        return -1;
    if (found == 0) {
        struct sb b = SB(&app->arena);

        for (size_t i = 0; i < ARRAY_LEN(people); i++) {
            unsigned char bytes[PASSWORD_BYTES];
            char          letters[PASSWORD_BYTES * 2 + 1];

            random_bytes(bytes, sizeof bytes);
            hex_encode(letters, bytes, sizeof bytes);
            sb_printf(&b, "%s\n", letters);
        }
        text = sb_str(&b);
        if (file_write(path, text, 0600, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        ret[i] = str_dup(&app->arena, str_trim(str_cut(&text, '\n')));
        if (ret[i][0] == '\0')
            return error_set(err, ERR_INTERNAL, "%s is damaged: it should hold a password a line", path);
    }
    return 0;
}

struct people_made {
    struct app *app;
    const char *hashes[ARRAY_LEN(people)];
};

static int people_tx(struct db *db, void *arg, struct error *err)
{
    const struct people_made *made = arg;
    struct arena             *a = &made->app->arena;
    struct uuid               tenant = uuid_v7();

    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        struct uuid person = uuid_v7();
        struct rows rows;
        int         rc = i == 0 ? db_query(db, a, SQL_AUTH_REGISTER,
                                           ARGS(person.text, people[i].email, people[i].name, made->hashes[i], tenant.text,
                                                "demo", made->app->settings->default_plan),
                                           &rows, err)
                                : db_query(db, a, SQL_DEMO_MEMBER,
                                           ARGS(person.text, people[i].email, people[i].name, made->hashes[i], tenant.text,
                                                role_name(people[i].role)),
                                           &rows, err);
        if (rc < 0 || db_query(db, a, SQL_AUTH_VERIFY, ARGS(person.text), &rows, err) < 0)
            return -1;
    }
    return 0;
}

static int make_people(struct app *app, const char *const passwords[ARRAY_LEN(people)], struct error *err)
{
    struct people_made made = { .app = app };
    const char        *conninfo = app_database(app, APP_ROLE_APP, err);
    struct db         *db = conninfo ? db_open(conninfo, "dms demo", err) : NULL;
    struct rows        rows;

    int rc = db ? db_query_alone(db, (struct db_scope){ 0 }, &app->arena, SQL_AUTH_PASSWORD,
                                 ARGS(people[0].email, "demo"), &rows, err)
                : -1;
    if (rc == 0 && rows.count == 0) {
        for (size_t i = 0; rc == 0 && i < ARRAY_LEN(people); i++) {
            char hash[PASSWORD_HASH_SIZE];

            rc = password_hash(passwords[i], hash, err);
            made.hashes[i] = arena_text(&app->arena, hash, strlen(hash));
        }
        if (rc == 0)
            rc = db_in_tx(db, (struct db_scope){ 0 }, people_tx, &made, err);
    }
    db_close(db);
    return rc;
}

/* The folder of the project's own documents: beside or above the program, installed, or here. NULL: none. */
static const char *docs_folder(struct app *app)
{
    const char *slash = strrchr(app->program, '/');
    const char *beside = slash ? arena_text(&app->arena, app->program, (size_t)(slash - app->program)) : ".";
    const char *candidates[] = { path_join(&app->arena, beside, "docs"), path_join(&app->arena, beside, "../docs"),
                                 path_join(&app->arena, beside, "../share/dms/docs"), "docs" };

    for (size_t i = 0; i < ARRAY_LEN(candidates); i++)
        if (access(candidates[i], R_OK | X_OK) == 0)
            return candidates[i];
    return NULL;
}

/* "Authorization: Bearer ..." of the owner. */
static const char *sign_in(struct app *app, struct net_client *client, const char *url, const char *password,
                           struct error *err)
{
    static const char *const json[] = { "Content-Type: application/json", NULL };
    struct sb                body = SB(&app->arena), address = SB(&app->arena), header = SB(&app->arena);
    struct net_response      response;

    sb_puts(&body, "{\"email\":");
    sb_json(&body, people[0].email);
    sb_puts(&body, ",\"password\":");
    sb_json(&body, password);
    sb_putc(&body, '}');
    sb_printf(&address, "%s/api/v1/auth/login", url);
    struct net_request request = {
        .method = "POST", .url = sb_str(&address).p, .headers = json, .body = sb_str(&body), .timeout_ms = UPLOAD_MS
    };
    if (net_run(client, &request, &app->arena, &response, err) < 0)
        return NULL;
    const json_t *answer = response.status == 200 ? json_read(&app->arena, response.body, 8, 100, err) : NULL;
    const char   *token = jv_text(answer, "access_token", NULL);
    if (!token) {
        error_set(err, ERR_UNAVAILABLE, "the demo's owner cannot sign in (status %u)", response.status);
        return NULL;
    }
    sb_printf(&header, "Authorization: Bearer %s", token);
    return sb_str(&header).p;
}

static int upload(struct app *app, struct net_client *client, const char *url, const char *authorization,
                  const char *path, struct error *err)
{
    const char         *name = strrchr(path, '/') + 1;
    const char         *headers[] = { authorization, NULL };
    struct net_part     part = { .name = "file", .filename = name, .content_type = "text/markdown", .path = path };
    struct sb           address = SB(&app->arena);
    struct net_response response;

    sb_printf(&address, "%s/api/v1/documents", url);
    struct net_request request = { .method = "POST",
                                   .url = sb_str(&address).p,
                                   .headers = headers,
                                   .parts = &part,
                                   .parts_n = 1,
                                   .timeout_ms = UPLOAD_MS };
    if (net_run(client, &request, &app->arena, &response, err) < 0)
        return -1;
    return response.status == 201
               ? 0
               : error_set(err, ERR_UNAVAILABLE, "%s was refused with status %u", name, response.status);
}

/* Once: what somebody removes from the demo stays away. */
static int make_documents(struct app *app, const char *url, const char *password, struct error *err)
{
    const char *done = path_join(&app->arena, app->secrets_dir, "demo-documents"), *folder = docs_folder(app);
    glob_t      files = { 0 };
    size_t      n = 0;

    if (access(done, F_OK) == 0)
        return 0;
    if (folder && glob(path_join(&app->arena, folder, "*.md"), 0, NULL, &files) != 0)
        files.gl_pathc = 0;
    if (folder && glob(path_join(&app->arena, folder, "*/*.md"), GLOB_APPEND, NULL, &files) != 0 && files.gl_pathc == 0)
        folder = NULL;
    if (!folder) {
        globfree(&files);
        puts("demo: there is no folder docs with documents beside the program, so no samples");
        return 0;
    }
    struct net_client *client = net_client_open(NULL, err);
    const char        *authorization = client ? sign_in(app, client, url, password, err) : NULL;
    int                rc = authorization ? 0 : -1;

    for (; rc == 0 && n < files.gl_pathc && n < DOCUMENTS_MAX; n++)
        rc = upload(app, client, url, authorization, files.gl_pathv[n], err);
    net_client_close(client);
    globfree(&files);
    if (rc < 0 || file_write(done, S("uploaded\n"), 0600, err) < 0)
        return -1;
    printf("demo: %zu sample documents\n", n);
    return 0;
}

int demo_make(void *arg)
{
    const struct demo_job *job = arg;
    struct error           err = { 0 };
    const char            *passwords[ARRAY_LEN(people)] = { NULL };

    if (read_passwords(job->app, passwords, &err) < 0 || make_people(job->app, passwords, &err) < 0)
        return app_fail(&err);
    if (make_documents(job->app, job->url, passwords[0], &err) < 0)
        fprintf(stderr, "dms: the sample documents could not be uploaded: %s\n",
                err.detail); /* the people are there all the same */
    for (size_t i = 0; i < ARRAY_LEN(people); i++)
        printf("demo  %-16s  %s  %s\n", people[i].email, passwords[i], role_name(people[i].role));
    return 0;
}
