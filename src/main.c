/* main.c - the table of subcommands and nothing else. */
#include "cmd/cmd.h"

#include "base/base.h"

#include <argp.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name, *full;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    { "up", "dms up", cmd_up, "start everything on this machine: PostgreSQL, Redis, API, web app, worker" },
    { "serve", "dms serve", cmd_serve, "answer HTTP requests: the API and the web app" },
    { "worker", "dms worker", cmd_worker, "run jobs: read, cut and embed documents" },
    { "worker", "dms worker", cmd_worker, "do the work in the background: read files, embed" },
    { "migrate", "dms migrate", cmd_migrate, "bring the schema of the database up or back" },
    { "config", "dms config", cmd_config, "print or check the settings" },
    { "doctor", "dms doctor", cmd_doctor, "check the set-up and say what to do" },
    { "admin", "dms admin", cmd_admin, "look at organizations, people and mail" },
    { "readiness", "dms readiness", cmd_readiness, "run the production readiness checklist: GO or NO-GO" },
    { "routes", "dms routes", cmd_routes, "print the addresses of the API" },
    { "version", "dms version", cmd_version, "print the version" },
    { NULL, NULL, NULL, "" }, /* a gap in the help */
    { "login", "dms login", cmd_login, "sign in to a server; the others below then act there" },
    { "logout", "dms logout", cmd_logout, "sign out" },
    { "whoami", "dms whoami", cmd_whoami, "who is signed in, and where" },
    { "upload", "dms upload", cmd_upload, "upload files and folders" },
    { "ls", "dms ls", cmd_ls, "list documents" },
    { "search", "dms search", cmd_search, "find documents by words and by meaning" },
    { "get", "dms get", cmd_get, "download a document" },
    { "rm", "dms rm", cmd_rm, "put documents into the trash" },
    { "jobs", "dms jobs", cmd_jobs, "what is being processed" },
};

static void print_help(FILE *out)
{
    fputs(
        "Usage: dms COMMAND [OPTION...]\n\nCODITECT DMS: documents for organizations, with search by words and by meaning.\n\nCommands:\n",
        out);
    for (const struct command *c = commands; c < commands + ARRAY_LEN(commands); c++)
        fprintf(out, c->name ? "  %-10s %s\n" : "%s%s\n", c->name ? c->name : "", c->summary);
    fputs(
        "\n`dms COMMAND --help` explains a command. `dms up` is the one to begin with.\n"
        "Every setting is --name, DMS_NAME in the environment, or `name = ` in DATA/dms.conf; `dms config` lists them.\n",
        out);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *option, *command;
    } aliases[] = { { "--version", "version" }, { "-V", "version" } };
    const char *name = argc > 1 ? argv[1] : "--help";

    setlocale(LC_ALL, "C.UTF-8");
    argp_err_exit_status = 2;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        if (strcmp(name, aliases[i].option) == 0)
            name = aliases[i].command;
    for (const struct command *c = commands; c < commands + ARRAY_LEN(commands); c++) {
        char full[32];

        if (!c->name || strcmp(name, c->name) != 0)
            continue;
        snprintf(full, sizeof full, "%s", c->full);
        argv[1] = full;
        return c->run(argc - 1, argv + 1);
    }
    fprintf(stderr, "dms: there is no command '%.60s'. `dms --help` lists them.\n", name);
    return 2;
}
