/* readiness.c - `dms readiness`: the checklist of tbl/readiness.def, each item with its state and evidence, and GO or NO-GO at the end. What is
   not built is open; GO needs every item passed, signed or not applicable. */
#include "cmd/readiness.h"
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/file.h"

#include <stdio.h>
#include <unistd.h>

enum { TEXT_MAX = 16 << 20 };

enum answer { ANSWER_SECTION, ANSWER_CHECK, ANSWER_SIGNATURE, ANSWER_OPEN };

struct item {
    const char      *id, *text, *detail; /* detail: whose signature, or the command that would show it */
    enum answer      answer;
    readiness_check *check;
};

#define SECTION(id, title)         { id, title, NULL, ANSWER_SECTION, NULL },
#define CHECK(id, fn, text)        { id, text, NULL, ANSWER_CHECK, check_##fn },
#define SIGNATURE(id, whose, text) { id, text, whose, ANSWER_SIGNATURE, NULL },
#define OPEN(id, hint, text)       { id, text, hint, ANSWER_OPEN, NULL },
static const struct item items[] = {
#include "tbl/readiness.def"
};
#undef SECTION
#undef CHECK
#undef SIGNATURE
#undef OPEN

static const char *const state_names[READY_STATES] = { "pass", "fail", "open", "not_applicable" };

struct options {
    const char *section, *item, *html, *sign, *by;
    bool        json;
};

struct result {
    enum readiness_state state;
    const char          *evidence;
};

struct summary {
    unsigned total, completed, blockers;
};

static const char *answer_name(enum answer a)
{
    return a == ANSWER_CHECK ? "check" : a == ANSWER_SIGNATURE ? "signature" : "evidence";
}

/* DATA/readiness.signatures: lines "id | who | date | note". The newest line of an id counts. */
static const char *signatures_path(struct app *app)
{
    return path_join(&app->arena, app->data, "readiness.signatures");
}

static const char *find_signature(struct app *app, const char *id)
{
    struct str   text, found = S("");
    struct error ignored = { 0 };

    if (file_read(&app->arena, signatures_path(app), 1 << 20, &text, &ignored) <= 0)
        return NULL;
    while (text.p && text.n > 0) {
        struct str rest = str_cut(&text, '\n'), name = str_trim(str_cut(&rest, '|'));

        if (str_eq(name, str_of(id)))
            found = str_trim(rest);
    }
    return found.n > 0 ? str_dup(&app->arena, found) : NULL;
}

static struct result examine(struct readiness *r, const struct item *it)
{
    struct sb b = SB(&r->app->arena);

    if (it->answer == ANSWER_CHECK) {
        r->evidence = SB(&r->app->arena);
        bool ok = it->check(r);
        return (struct result){ ok ? READY_PASS : READY_FAIL, r->evidence.n > 0 ? r->evidence.p : "" };
    }
    const char *signature = it->answer == ANSWER_SIGNATURE ? find_signature(r->app, it->id) : NULL;
    if (signature)
        return (struct result){ READY_PASS, signature };
    if (it->answer == ANSWER_SIGNATURE)
        sb_printf(&b, "waits for the %s: dms readiness --sign %s --by \"NAME\"", it->detail, it->id);
    else if (it->detail[0] != '\0')
        sb_printf(&b, "not answered yet; `%s` would show it", it->detail);
    else
        sb_puts(&b, "not answered yet");
    return (struct result){ READY_OPEN, b.p };
}

static bool wanted(const struct options *o, const char *id)
{
    size_t n = o->section ? strlen(o->section) : 0;

    if (o->item && strcmp(o->item, id) != 0)
        return false;
    return !o->section || (strncmp(id, o->section, n) == 0 && (id[n] == '.' || id[n] == '\0'));
}

static void put_html_text(struct sb *b, const char *s)
{
    for (; *s; s++) {
        const char *e = *s == '&' ? "&amp;" : *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : *s == '"' ? "&quot;" : NULL;

        if (e)
            sb_puts(b, e);
        else
            sb_putc(b, *s);
    }
}

/* --- the three forms: text as it goes, JSON and HTML at the end --- */

struct report {
    struct options options;
    struct summary sum;
    struct sb      json, html;
    const char    *comma;
};

static void report_section(struct report *p, const struct item *it)
{
    if (!p->options.json && !p->options.item)
        printf("\n%s %s\n", it->id, it->text);
    sb_printf(&p->html, "<h2>%s ", it->id);
    put_html_text(&p->html, it->text);
    sb_puts(&p->html, "</h2>\n");
}

static void report_item(struct report *p, const struct item *it, const struct result *res)
{
    static const char *const marks[READY_STATES] = { "pass", "FAIL", "open", "n/a " };

    p->sum.total++;
    p->sum.completed += res->state == READY_PASS || res->state == READY_NOT_APPLICABLE;
    p->sum.blockers += res->state == READY_FAIL;
    if (!p->options.json)
        printf("  %-7s %s  %s\n%17s%s\n", it->id, marks[res->state], it->text, "", res->evidence);
    fflush(stdout); /* the checks take their time: each line as soon as it is known */
    sb_printf(&p->json, "%s{\"id\":\"%s\",\"text\":", p->comma, it->id);
    sb_json(&p->json, it->text);
    sb_printf(&p->json, ",\"answer\":\"%s\",\"state\":\"%s\",\"evidence\":", answer_name(it->answer),
              state_names[res->state]);
    sb_json(&p->json, res->evidence);
    sb_putc(&p->json, '}');
    p->comma = ",";
    sb_printf(&p->html, "<p class=\"%s\"><b>%s</b> <i>%s</i> ", state_names[res->state], it->id,
              state_names[res->state]);
    put_html_text(&p->html, it->text);
    sb_puts(&p->html, "<br><small>");
    put_html_text(&p->html, res->evidence);
    sb_puts(&p->html, "</small></p>\n");
}

static const char *decision(const struct summary *s)
{
    return s->completed == s->total && s->total > 0 ? "GO" : "NO-GO";
}

static int report_end(struct report *p, struct error *err)
{
    struct summary s = p->sum;
    struct sb      page = SB(p->html.arena);

    if (p->options.json)
        printf("{\"items\":[%s],\"total\":%u,\"completed\":%u,\"remaining\":%u,\"blockers\":%u,\"decision\":\"%s\"}\n",
               p->json.n > 0 ? p->json.p : "", s.total, s.completed, s.total - s.completed, s.blockers, decision(&s));
    else
        printf("\ntotal %u, completed %u, remaining %u, blockers %u: %s\n", s.total, s.completed, s.total - s.completed,
               s.blockers, decision(&s));
    if (!p->options.html)
        return 0;
    sb_puts(
        &page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Production readiness</title><style>"
        ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "p{border-left:.4rem solid #888;padding-left:.8rem}p.pass{border-color:#2b8a3e}p.fail{border-color:#c92a2a}small{opacity:.75}</style></head><body>\n");
    sb_printf(&page, "<h1>Production readiness: %s</h1>\n<p>%u items, %u completed, %u remaining, %u blockers.</p>\n",
              decision(&s), s.total, s.completed, s.total - s.completed, s.blockers);
    sb_put(&page, sb_str(&p->html));
    sb_puts(&page, "</body></html>\n");
    return file_write(p->options.html, sb_str(&page), 0644, err);
}

/* Where the installation answers: what `dms up` wrote when it took the folder, else the public address. */
static const char *find_url(struct app *app)
{
    struct str   text;
    struct error ignored = { 0 };

    if (app->settings->public_url[0] != '\0')
        return app->settings->public_url;
    if (file_read(&app->arena, path_join(&app->arena, app->run_dir, "up.lock"), 4096, &text, &ignored) <= 0)
        return app->settings->database_url[0] != '\0' ? app->public_url : NULL;
    const char *http = memmem(text.p, text.n, "http", 4);
    return http ? str_dup(&app->arena, str_trim((struct str){ http, text.n - (size_t)(http - text.p) })) : NULL;
}

static int sign(struct app *app, const struct options *o, struct error *err)
{
    const struct item *it = items;
    struct str         before = S("");
    struct sb          b = SB(&app->arena);
    char               now[32];

    while (it < items + ARRAY_LEN(items) && strcmp(it->id, o->sign) != 0)
        it++;
    if (it == items + ARRAY_LEN(items) || it->answer != ANSWER_SIGNATURE)
        return error_say(err, ERR_VALIDATION, NULL, "%.20s is not an item that a person signs", o->sign);
    if (!o->by || !text_printable(str_of(o->by)) || strpbrk(o->by, "|\n"))
        return error_say(err, ERR_VALIDATION, NULL, "--by must name who signs");
    if (file_read(&app->arena, signatures_path(app), 1 << 20, &before, err) < 0)
        return -1;
    clock_rfc3339(now, clock_wall_us());
    sb_put(&b, before);
    sb_printf(&b, "%s | signed by %s (%s) | %.10s\n", o->sign, o->by, it->detail, now);
    return file_write(signatures_path(app), sb_str(&b), 0644, err);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 's':
        o->section = arg;
        return 0;
    case 'i':
        o->item = arg;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case 'h':
        o->html = arg;
        return 0;
    case 'S':
        o->sign = arg;
        return 0;
    case 'b':
        o->by = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Opens what the checks look at; what cannot be opened is NULL, and the checks say so. */
static int open_sources(struct readiness *r, struct app *app, struct error *err)
{
    struct error why = { 0 };
    const char  *conninfo = app_database(app, APP_ROLE_APP, &why);

    *r = (struct readiness){ .app = app, .url = find_url(app) };
    r->net = net_client_open(NULL, err);
    r->db = conninfo ? db_open(conninfo, "dms readiness", &why) : NULL;
    return r->net ? 0 : -1;
}

static int run(struct app *app, const struct options *o, struct summary *ret, struct error *err)
{
    struct readiness r;
    struct report    p = { .options = *o, .json = SB(&app->arena), .html = SB(&app->arena), .comma = "" };

    if (open_sources(&r, app, err) < 0)
        return -1;
    for (const struct item *it = items; it < items + ARRAY_LEN(items); it++) {
        if (!wanted(o, it->id) || (it->answer == ANSWER_SECTION && o->item))
            continue;
        if (it->answer == ANSWER_SECTION) {
            report_section(&p, it);
            continue;
        }
        struct result res = examine(&r, it);
        report_item(&p, it, &res);
    }
    db_close(r.db);
    net_client_close(r.net);
    *ret = p.sum;
    if (p.sum.total == 0)
        return error_say(err, ERR_VALIDATION, NULL, "there is no such item or section");
    return report_end(&p, err);
}

int cmd_readiness(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "section", 's', "N.N", 0, "only this section", 0 },
        { "item", 'i', "N.N.N", 0, "only this item", 0 },
        { "json", 'j', NULL, 0, "print one JSON value", 0 },
        { "html", 'h', "FILE", 0, "also write a page to FILE", 0 },
        { "sign", 'S', "N.N.N", 0, "sign an item that a person answers", 0 },
        { "by", 'b', "NAME", 0, "who signs", 0 },
        { 0 },
    };
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .doc =
            "Answers the production readiness checklist for an installation: each item with its evidence, then GO or NO-GO. "
            "Exit status 0 only at GO."
    };
    struct app     app = { 0 };
    struct options o = { 0 };
    struct summary sum = { 0 };
    struct error   err = { 0 };

    if (app_open(&app, &argc, argv) < 0)
        return 2;
    app_arguments(&app, &parser, argc, argv, &o);
    app.arena.limit = app.arena.limit > TEXT_MAX ? app.arena.limit : TEXT_MAX;
    int rc = o.sign ? sign(&app, &o, &err) : run(&app, &o, &sum, &err);
    int status = rc < 0 ? app_fail(&err) : o.sign ? 0 : strcmp(decision(&sum), "GO") == 0 ? 0 : 1;
    app_close(&app);
    return status;
}
