/* privileges.c - see privileges.h. */
#include "cmd/privileges.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a data folder holds. Anything else in it and it is somebody's. */
static const char *const ours[] = { "pg",     "pg.new",  "redis", "run",      "secrets",         "blobs",
                                    "mail",   "log",     "model", "dms.conf", "postgresql.conf", "lost+found",
                                    "backup", "exports", "tmp" };

static const char *const folders[] = { "redis", "run", "secrets", "blobs", "mail", "log" };

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return strncmp(name, "redis.damaged-", 14) == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A folder that was made for us: empty but for what a data folder holds. A used one is known by its secrets and may hold more. */
static int refuse_foreign(struct app *app, struct error *err)
{
    DIR           *dir = opendir(app->data);
    struct dirent *entry;
    int            rc = 0;

    if (!dir)
        return error_say(err, ERR_FORBIDDEN, "data", "Cannot open the data folder %.150s: %s.", app->data,
                         strerror(errno));
    while (rc == 0 && access(app->secrets_dir, F_OK) != 0 && (entry = readdir(dir)))
        if (!is_ours(entry->d_name))
            rc = error_say(err, ERR_VALIDATION, "data",
                           "%.100s is not empty (%.60s) and is no data folder of dms. Name another with --data.",
                           app->data, entry->d_name);
    closedir(dir);
    return rc;
}

static const struct passwd *choose_user(const struct app *app)
{
    static const char *const names[] = { "dms", "postgres", "nobody" };
    struct stat              st;
    const struct passwd     *user = NULL;

    if (stat(app->pg_dir, &st) == 0 && st.st_uid != 0 && (user = getpwuid(st.st_uid)))
        return user;
    for (size_t i = 0; !user && i < ARRAY_LEN(names); i++)
        user = getpwnam(names[i]);
    return user;
}

/* A tree to its new owner; links are not followed. */
static int hand_over_tree(const char *path, const struct passwd *user)
{
    char *const paths[] = { (char *)(uintptr_t)path, NULL };
    FTS        *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT     *entry;
    int         rc = tree ? 0 : -1;

    while (rc == 0 && (entry = fts_read(tree)))
        if (entry->fts_info != FTS_DP && entry->fts_statp->st_uid != user->pw_uid)
            rc = lchown(entry->fts_path, user->pw_uid, user->pw_gid);
    if (tree)
        fts_close(tree);
    return rc;
}

/* The folder and what is ours in it. */
static int hand_over(struct app *app, const struct passwd *user, struct error *err)
{
    struct stat st;

    if (lchown(app->data, user->pw_uid, user->pw_gid) < 0)
        return error_say(err, ERR_FORBIDDEN, "data", "Cannot hand %.120s over to the user %.32s: %s.", app->data,
                         user->pw_name, strerror(errno));
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        const char *path = path_join(&app->arena, app->data, ours[i]);

        if (lstat(path, &st) == 0 && st.st_uid != user->pw_uid && strcmp(ours[i], "lost+found") != 0
            && hand_over_tree(path, user) < 0)
            return error_say(err, ERR_FORBIDDEN, "data", "Cannot hand %.120s over to the user %.32s: %s.", path,
                             user->pw_name, strerror(errno));
    }
    return 0;
}

/* Where the ready file cannot be written by the new user, a link of that name to DATA/run/ready is: it leads nowhere until then. */
static const char *lend_ready_file(struct app *app, const char *path, const struct passwd *user, struct error *err)
{
    const char *slash = strrchr(path, '/'),
               *folder = slash > path ? arena_text(&app->arena, path, (size_t)(slash - path)) : "/";
    const char *inside = path_join(&app->arena, path_join(&app->arena, app->data, "run"), "ready");
    struct stat st;

    if (stat(folder, &st) < 0) {
        error_say(err, ERR_VALIDATION, "ready-file", "There is no folder %.150s for the ready file.", folder);
        return NULL;
    }
    if (st.st_uid == user->pw_uid || (st.st_mode & S_IWOTH) != 0)
        return path;
    if (unlink(inside) < 0 && errno != ENOENT) { /* left from one that was killed: it would say ready too early */
        error_say(err, ERR_FORBIDDEN, "ready-file", "Cannot remove %.150s: %s.", inside, strerror(errno));
        return NULL;
    }
    if (symlink(inside, path) == 0)
        return inside;
    error_say(err, ERR_FORBIDDEN, "ready-file", "Cannot make the ready file %.150s: %s.", path, strerror(errno));
    return NULL;
}

static int become(const struct passwd *user, const char *home, struct error *err)
{
    if (setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0
        || setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0 || setuid(0) == 0)
        return error_say(err, ERR_FORBIDDEN, NULL, "Cannot become the user %.32s: %s.", user->pw_name, strerror(errno));
    setenv("HOME", home, 1);
    setenv("USER", user->pw_name, 1);
    setenv("LOGNAME", user->pw_name, 1);
    return 0;
}

/* Each folder above must let us through; the first that does not is named. */
static int check_way(struct app *app, const char *user, struct error *err)
{
    for (const char *slash = strchr(app->data + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        const char *parent = arena_text(&app->arena, app->data, (size_t)(slash - app->data));

        if (access(parent, X_OK) < 0)
            return error_say(err, ERR_FORBIDDEN, "data",
                             "The servers run as the user %.32s, who may not enter %.80s. "
                             "Choose another --data, such as /var/lib/dms, or `chmod o+x` that folder.",
                             user, parent);
    }
    if (access(app->data, R_OK | W_OK | X_OK) < 0)
        return error_say(err, ERR_FORBIDDEN, "data", "The user %.32s may not write to %.120s: %s.", user, app->data,
                         strerror(errno));
    return 0;
}

static int make_folders(struct app *app, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        if (mkdir(path_join(&app->arena, app->data, folders[i]), 0700) < 0 && errno != EEXIST)
            return error_say(err, err_of_errno(errno), "data", "Cannot make %.100s/%s: %s.", app->data, folders[i],
                             strerror(errno));
    if (file_make_dirs(app->secrets_dir, 0700, err) < 0 || file_make_dirs(app->blob_dir, 0700, err) < 0)
        return -1;
    return file_make_dirs(app->mail_dir, 0700, err);
}

int privileges_prepare(struct app *app, const char **ready_file, const char **ret_user, struct error *err)
{
    const struct passwd *me = NULL;

    umask(077);
    *ret_user = NULL;
    bool there = access(app->data, F_OK) == 0;
    if (!there && file_make_dirs(app->data, 0755, err) < 0)
        return -1;
    if (refuse_foreign(app, err) < 0)
        return -1;
    if (*ready_file && unlink(*ready_file) < 0 && errno != ENOENT)
        return error_say(err, ERR_FORBIDDEN, "ready-file", "Cannot remove the old ready file %.150s: %s.", *ready_file,
                         strerror(errno));
    if (geteuid() == 0) {
        const struct passwd *user = choose_user(app);

        if (!user)
            return error_say(err, ERR_UNAVAILABLE, NULL,
                             "PostgreSQL does not run as root, and there is no user dms, postgres or nobody. "
                             "`useradd --system dms` makes one.");
        *ret_user = str_dup(&app->arena, str_of(user->pw_name));
        if (*ready_file && !(*ready_file = lend_ready_file(app, *ready_file, user, err)))
            return -1;
        if (hand_over(app, user, err) < 0 || become(user, app->data, err) < 0)
            return -1;
    } else
        me = getpwuid(geteuid());
    if (check_way(app, *ret_user ? *ret_user : me ? me->pw_name : "we run as", err) < 0)
        return -1;
    if (chmod(app->data, 0700) < 0)
        return error_say(err, ERR_FORBIDDEN, "data", "Cannot close %.150s to others: %s.", app->data, strerror(errno));
    return make_folders(app, err);
}
