/* admin_keys.c - `dms admin keys`: the keys of access tokens, which are files of the secrets folder. Servers that run look at them every few seconds;
   this touches files only. */
#include "cmd/admin.h"
#include "cmd/app.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "crypto/token_keys.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPTION_AFTER = OPTION_OWN, OPTION_PRINT, AFTER_S = 300, AFTER_MAX_S = 30 * 86400 };

struct options {
    struct verb_options said;
    bool                print;
    uint64_t            after_s;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    const char     *verb = o->said.verb;
    struct error    err = { 0 };

    switch (key) {
    case OPTION_AFTER:
        if (parse_u64("after", str_of(arg), 0, AFTER_MAX_S, &o->after_s, &err) < 0)
            argp_error(state, "--after: %s", err.message);
        return 0;
    case OPTION_PRINT:
        o->print = true;
        return 0;
    case ARGP_KEY_END:
        if (verb
            && (strcmp(verb, "rotate") == 0 ? o->said.object != NULL : strcmp(verb, "remove") != 0 || !o->said.object))
            argp_error(state, "say `keys`, `keys rotate` or `keys remove KID`");
        return 0;
    default:
        return app_parse_verb(key, arg, state);
    }
}

static const struct argp_option option_rows[] = {
    { "json", OPTION_JSON, NULL, 0, "the list as one JSON array", 0 },
    { "after", OPTION_AFTER, "SECONDS", 0, "rotate: when the new key begins to sign (300)", 0 },
    { "print", OPTION_PRINT, NULL, 0, "rotate: print the new key's file instead of writing it", 0 },
    { 0 },
};
static const struct argp parser = {
    .options = option_rows,
    .parser = parse,
    .args_doc = "[rotate | remove KID]",
    .doc =
        "Lists the keys that access tokens are signed with. rotate: adds one that is published now and signs after a while; nobody is "
        "signed out. remove: takes a key away at once; who holds a token of it renews it.",
};

/* The folder is the servers' user's: as root we write for it. */
static int write_for_owner(struct app *app, const char *name, struct str text, struct error *err)
{
    struct sb   hidden = SB(&app->arena);
    struct uuid id = uuid_v7();
    const char *path = path_join(&app->arena, app->secrets_dir, name);
    struct stat folder;

    sb_printf(&hidden, "%s/.jwt.%s", app->secrets_dir, id.text); /* no server takes it for a key yet */
    if (file_write(sb_str(&hidden).p, text, 0600, err) < 0)
        return -1;
    if (stat(app->secrets_dir, &folder) == 0 && (geteuid() != 0 || chown(hidden.p, folder.st_uid, folder.st_gid) == 0)
        && rename(hidden.p, path) == 0)
        return file_sync_dir(app->secrets_dir, err);
    error_say(err, ERR_INTERNAL, NULL, "%.150s cannot be made: %s.", path, strerror(errno));
    unlink(hidden.p);
    return -1;
}

static int remove_file(struct app *app, const struct token_key_info *key, struct error *err)
{
    const char *path = path_join(&app->arena, app->secrets_dir, key->file);

    if (unlink(path) < 0 && errno != ENOENT)
        return error_say(err, ERR_INTERNAL, NULL, "%.150s cannot be removed: %s.", path, strerror(errno));
    return file_sync_dir(app->secrets_dir, err);
}

static const char *state_of(const struct token_key_info *key, int64_t now)
{
    if (key->signs)
        return "signs";
    if (key->signs_from > now)
        return "next";
    return key->until > now ? "accepted" : "over";
}

/* A time for people; "-" for none. */
static const char *time_of(struct arena *a, int64_t seconds)
{
    char text[32];

    if (seconds <= 0 || seconds == INT64_MAX)
        return "-";
    clock_rfc3339(text, seconds * 1000000);
    return str_dup(a, str_of(text));
}

static void list(struct app *app, const struct token_key_info *keys, size_t n, int64_t now, bool json)
{
    for (size_t i = 0; i < n; i++) {
        const struct token_key_info *k = &keys[i];

        printf(
            json ? "%s{\"kid\":\"%s\",\"state\":\"%s\",\"signs_from\":\"%s\",\"accepted_until\":\"%s\",\"file\":\"%s\"}"
                 : "%s%s  %-8s  signs from %s, accepted until %s  %s\n",
            json ? (i > 0 ? ",\n" : "[") : "", k->kid, state_of(k, now), time_of(&app->arena, k->signs_from),
            time_of(&app->arena, k->until), k->file);
    }
    if (json)
        puts("]");
}

static int rotate(struct app *app, const struct options *o, const struct token_key_info *keys, size_t n, int64_t now,
                  struct error *err)
{
    struct sb text = SB(&app->arena);
    char      file[TOKEN_KEY_FILE_SIZE];
    int       rc = 0;

    if (keys[n - 1].signs_from > now)
        return error_say(err, ERR_CONFLICT, NULL, "Key %s is already the next: it signs from %s on.", keys[n - 1].kid,
                         time_of(&app->arena, keys[n - 1].signs_from));
    if (n == TOKEN_KEYS_MAX)
        return error_say(err, ERR_CONFLICT, NULL,
                         "There are %zu keys, no more are read: `dms admin keys remove` those that are over.", n);
    token_key_make(now + (int64_t)o->after_s, &text, file);
    if (o->print) {
        printf("%s", sb_str(&text).p);
        fprintf(stderr, "the file %s of every server's secrets folder\n", file);
    } else {
        rc = write_for_owner(app, file, sb_str(&text), err);
        if (rc == 0)
            printf("%s is published, and signs from %s on\n", file, time_of(&app->arena, now + (int64_t)o->after_s));
    }
    bytes_wipe(text.p, text.n);
    return rc;
}

static int take_away(struct app *app, const char *kid, const struct token_key_info *keys, size_t n, struct error *err)
{
    if (n == 1)
        return error_say(err, ERR_CONFLICT, NULL, "It is the only key: `dms admin keys rotate --after 0` first.");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i].kid, kid) != 0)
            continue;
        if (remove_file(app, &keys[i], err) < 0)
            return -1;
        printf("%s is removed; what it signed is refused within seconds\n", kid);
        return 0;
    }
    return error_say(err, ERR_NOT_FOUND, NULL, "There is no key %.40s; `dms admin keys` lists them.", kid);
}

static int run(struct app *app, const struct options *o, struct error *err)
{
    struct token_key_info keys[TOKEN_KEYS_MAX];
    int64_t               now = clock_wall_us() / 1000000;
    struct token_keys    *k = app_token_keys(app, err);

    if (!k)
        return -1;
    size_t n = token_keys_list(k, now, keys);
    token_keys_close(k);
    if (o->said.object)
        return take_away(app, o->said.object, keys, n, err);
    if (o->said.verb)
        return rotate(app, o, keys, n, now, err);
    list(app, keys, n, now, o->said.json);
    return 0;
}

int admin_keys(struct app *app, int argc, char **argv)
{
    struct options o = { .after_s = AFTER_S };
    struct error   err = { 0 };

    app_arguments(app, &parser, argc, argv, &o);
    return run(app, &o, &err) < 0 ? app_fail(&err) : 0;
}
