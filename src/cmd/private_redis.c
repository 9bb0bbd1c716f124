/* private_redis.c - see private_redis.h. Redis is transport only: its data may be put aside when it is damaged, and nothing is lost. */
#include "cmd/private_redis.h"

#include "base/clock.h"
#include "base/file.h"
#include "cmd/probe.h"
#include "cmd/process.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREPARE_ASK_MS = 5000, DAMAGED_AFTER = 3, PROBE_MS = 200 };

int private_redis_find(struct app *app, struct private_redis *ret, struct error *err)
{
    static const char *const names[] = { "redis-server", "valkey-server" };
    const char              *set = app->settings->redis_bin, *text = NULL;

    *ret = (struct private_redis){ .program = set[0] != '\0' ? process_find_program(&app->arena, set) : NULL,
                                   .version = "" };
    for (size_t i = 0; set[0] == '\0' && !ret->program && i < ARRAY_LEN(names); i++)
        ret->program = process_find_program(&app->arena, names[i]);
    const char *argv[] = { ret->program, "--version", NULL }; /* Redis server v=7.0.15 sha=... */
    if (!ret->program && set[0] != '\0')
        return error_say(err, ERR_UNAVAILABLE, "redis_bin", "redis_bin: there is no program %.150s.", set);
    if (!ret->program)
        return error_say(
            err, ERR_UNAVAILABLE, NULL,
            "Redis is not installed: `apt-get install redis-server`, or name the program with --redis-bin.");
    if (process_capture(&app->arena, argv, &text) < 0 || !(text = strstr(text, "v=")))
        return error_say(err, ERR_UNAVAILABLE, NULL, "%.150s is no Redis server.", ret->program);
    ret->version = arena_text(&app->arena, text + 2, strcspn(text + 2, " "));
    return 0;
}

static void put_quoted(struct sb *b, const char *key, const char *folder, const char *name)
{
    sb_printf(b, "%s \"", key);
    for (; *folder != '\0'; folder++) {
        if (*folder == '"' || *folder == '\\')
            sb_putc(b, '\\');
        sb_putc(b, *folder);
    }
    sb_printf(b, "%s\"\n", name);
}

static int write_config(struct app *app, const char *path, struct error *err)
{
    struct sb    b = SB(&app->arena);
    struct str   password;
    struct error cause = { 0 };

    if (file_read(&app->arena, path_join(&app->arena, app->secrets_dir, "redis"), 256, &password, &cause) != 1)
        return error_set(err, ERR_INTERNAL, "cannot read the password of Redis: %s", cause.detail);
    sb_puts(&b, "# Written by `dms up` at each start.\nport 0\ndaemonize no\nprotected-mode yes\nunixsocketperm 700\n"
                "appendonly yes\nappendfsync everysec\nsave \"\"\nmaxmemory 256mb\nmaxmemory-policy noeviction\n"
                "stop-writes-on-bgsave-error no\ndatabases 4\nloglevel notice\nlogfile \"\"\npidfile \"\"\n");
    put_quoted(&b, "unixsocket", app->run_dir, "/redis.sock");
    put_quoted(&b, "dir", app->redis_dir, "");
    password = str_trim(password);
    sb_printf(&b, "requirepass %.*s\n", (int)password.n, password.p);
    return file_write(path, sb_str(&b), 0600, err);
}

struct state {
    struct app *app;
    int64_t     asked_us;
    bool        put_aside;
};

static void end_process(pid_t pid, void *arg)
{
    kill(pid, *(const int *)arg);
}

/* A file that Redis refuses to read again and again: jobs are in PostgreSQL, so an empty Redis is as good. */
static void put_aside(struct state *st)
{
    struct arena a = ARENA(16384);
    struct sb    name = SB(&a);

    sb_printf(&name, "%s.damaged-%" PRId64, st->app->redis_dir, clock_wall_us() / 1000000);
    if (rename(st->app->redis_dir, sb_str(&name).p) == 0 && mkdir(st->app->redis_dir, 0700) == 0)
        fprintf(
            stderr,
            "dms: redis does not start on its files; they are kept as %s, and it starts empty (nothing is lost by that)\n",
            sb_str(&name).p);
    st->put_aside = true;
    arena_free(&a);
}

static enum prepared prepare(void *arg, unsigned quick_deaths)
{
    struct state *st = arg;
    int64_t       now = clock_steady_us();
    int           signal = st->asked_us && now - st->asked_us > PREPARE_ASK_MS * 1000 ? SIGKILL : SIGTERM;

    if (process_each_in(st->app->redis_dir, end_process, &signal) > 0) { /* left from a supervisor that was killed */
        st->asked_us = st->asked_us ? st->asked_us : now;
        return NOT_YET;
    }
    st->asked_us = 0;
    if (quick_deaths == DAMAGED_AFTER && !st->put_aside)
        put_aside(st);
    return PREPARED;
}

int private_redis_service(struct app *app, const struct private_redis *r, struct service_spec *ret, struct error *err)
{
    const char   *config = path_join(&app->arena, path_join(&app->arena, app->data, "run"), "redis.conf");
    const char  **argv = arena_alloc_array(&app->arena, 3, sizeof *argv);
    struct state *st = arena_alloc(&app->arena, sizeof *st);

    if (!argv || !st || app->arena.failed)
        return error_set(err, ERR_UNAVAILABLE, "no memory");
    st->app = app;
    argv[0] = r->program;
    argv[1] = config;
    *ret = (struct service_spec){ .name = "redis",
                                  .argv = argv,
                                  .program = -1,
                                  .stop_signal = SIGTERM,
                                  .hurry_signal = SIGTERM,
                                  .stop_ms = 10000,
                                  .death_signal = SIGTERM,
                                  .prepare = prepare,
                                  .arg = st };
    return write_config(app, config, err);
}

bool private_redis_ready(struct app *app)
{
    struct arena a = ARENA(16384);
    struct sb    question = SB(&a);
    struct str   password = { "", 0 };
    struct error ignored = { 0 }; /* then it does not answer as it should either */
    bool         ready = false;

    if (file_read(&a, path_join(&a, app->secrets_dir, "redis"), 256, &password, &ignored) == 1) {
        password = str_trim(password);
        sb_printf(&question, "AUTH %.*s\r\nPING\r\n", (int)password.n,
                  password.p); /* inline commands of its protocol */
        ready =
            probe_unix(path_join(&a, app->run_dir, "redis.sock"), sb_str(&question).p, "+OK\r\n+PONG\r\n", PROBE_MS);
    }
    arena_free(&a);
    return ready;
}
