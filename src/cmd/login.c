/* login.c - `dms login`, `logout`, `whoami`: the client's sign-in. */
#include "cmd/client.h"
#include "cmd/cmd.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

struct login {
    struct client client; /* first: client_argp's input */
    const char   *email, *organization, *otp;
    bool          from_stdin;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct login *l = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &l->client;
        return 0;
    case 'e':
        l->email = arg;
        return 0;
    case 'o':
        l->organization = arg;
        return 0;
    case 't':
        l->otp = arg;
        return 0;
    case 'p':
        l->from_stdin = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is '%s' for?", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* One line of standard input without its end; false at the end. */
static bool read_line(char *buf, size_t size)
{
    if (!fgets(buf, (int)size, stdin))
        return false;
    buf[strcspn(buf, "\r\n")] = '\0';
    return true;
}

/* Asks without showing what is typed. */
static bool ask_secret(const char *prompt, char *buf, size_t size)
{
    struct termios before, quiet;
    bool           terminal = tcgetattr(STDIN_FILENO, &before) == 0;

    fputs(prompt, stderr);
    if (terminal) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool ok = read_line(buf, size);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    return ok;
}

/* Asks the server; code NULL: the password alone. */
static int sign_in(struct login *l, const char *password, const char *code, const json_t **ret, struct error *err)
{
    struct client *c = &l->client;
    struct sb      b = SB(&c->arena);

    sb_put(&b, S("{\"email\":"));
    sb_json(&b, l->email);
    sb_put(&b, S(",\"password\":"));
    sb_json(&b, password);
    if (l->organization) {
        sb_put(&b, S(",\"organization\":"));
        sb_json(&b, l->organization);
    }
    if (code) {
        sb_put(&b, S(",\"otp\":"));
        sb_json(&b, code);
    }
    sb_putc(&b, '}');
    struct client_call call = { .method = "POST", .path = "/api/v1/auth/login", .json = sb_str(&b), .anonymous = true };
    int                rc = client_run(c, &call, ret, err);
    explicit_bzero(b.p, b.n);
    return rc;
}

/* The password, and the code of the second factor only when the server says that one is needed. */
static int prove(struct login *l, const json_t **ret, struct error *err)
{
    char         password[600], code[64];
    struct error why = { 0 };
    int          rc = -1;

    if (!(l->from_stdin ? read_line(password, sizeof password) : ask_secret("Password: ", password, sizeof password)))
        return error_say(err, ERR_VALIDATION, NULL, "no password given");
    if (sign_in(l, password, l->otp, ret, &why) == 0)
        rc = 0;
    else if (why.code != ERR_UNAUTHORIZED || strcmp(why.field, "otp") != 0 || l->otp)
        *err = why;
    else if (l->from_stdin ? read_line(code, sizeof code) : ask_secret("Code: ", code, sizeof code))
        rc = sign_in(l, password, code, ret, err);
    else
        error_say(err, ERR_UNAUTHORIZED, NULL, "a code of your authenticator app is needed too: --otp");
    explicit_bzero(password, sizeof password);
    return rc;
}

static int login(struct login *l, struct error *err)
{
    struct client *c = &l->client;
    char           email[300];
    const json_t  *v = NULL;

    if (!l->email) {
        fputs("E-mail: ", stderr);
        if (!read_line(email, sizeof email))
            return error_say(err, ERR_VALIDATION, NULL, "no e-mail address given");
        l->email = str_dup(&c->arena, str_of(email));
    }
    if (prove(l, &v, err) < 0)
        return -1;
    if (client_keep(c, jv_text(v, "access_token", ""), jv_text(v, "refresh_token", ""), err) < 0)
        return -1;
    if (c->json)
        puts("{\"signed_in\":true}");
    else
        printf("signed in at %s as %s\n", c->url, l->email);
    return 0;
}

int cmd_login(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { .name = "email", .key = 'e', .arg = "E", .doc = "who signs in; asked for when missing" },
        { .name = "organization", .key = 'o', .arg = "NAME", .doc = "which of several organizations" },
        { .name = "otp", .key = 't', .arg = "CODE", .doc = "code of the second factor; asked for when needed" },
        { .name = "password-stdin",
          .key = 'p',
          .doc = "read the password from standard input; a code that is needed on the next line" },
        { 0 }
    };
    static const struct argp_child children[] = { { .argp = &client_argp }, { 0 } };
    static const struct argp       parser = { .options = options,
                                              .parser = parse,
                                              .children = children,
                                              .doc = "Signs in and keeps the tokens in ~/.config/dms/credentials." };
    struct login                   l = { 0 };
    struct error                   err = { 0 };

    argp_parse(&parser, argc, argv, 0, NULL, &l);
    if (client_open(&l.client) < 0)
        return 1;
    int status = login(&l, &err) < 0 ? client_fail(&err) : 0;
    client_close(&l.client);
    return status;
}

/* Commands without options of their own. */
static void plain_arguments(struct client *c, const char *doc, int argc, char **argv)
{
    const struct argp_child children[] = { { .argp = &client_argp }, { 0 } };
    struct login            l = { 0 };
    const struct argp       parser = { .parser = parse, .children = children, .doc = doc };

    argp_parse(&parser, argc, argv, 0, NULL, &l);
    *c = l.client;
}

int cmd_logout(int argc, char **argv)
{
    struct client      c;
    struct error       err = { 0 }, gone = { 0 };
    const json_t      *v = NULL;
    struct client_call call = { .method = "POST", .path = "/api/v1/auth/logout" };

    plain_arguments(&c, "Ends the session and forgets its tokens.", argc, argv);
    if (client_open(&c) < 0)
        return 1;
    int rc = client_run(&c, &call, &v, &err);
    if (client_keep(&c, NULL, NULL, &gone) < 0) /* forgotten here whatever the server says */
        rc = client_fail(&gone);
    else if (rc < 0 && err.code != ERR_UNAUTHORIZED)
        rc = client_fail(&err);
    else
        rc = 0;
    client_close(&c);
    return rc;
}

int cmd_whoami(int argc, char **argv)
{
    struct client c;
    struct error  err = { 0 };
    const json_t *v = NULL;
    int           status = 0;

    plain_arguments(&c, "Says who is signed in, where, and in which role.", argc, argv);
    if (client_open(&c) < 0)
        return 1;
    if (client_get(&c, "/api/v1/auth/me", &v, &err) < 0)
        status = client_fail(&err);
    else if (c.json)
        client_print(&c, v);
    else
        printf("%s  %s  %s  at %s\n", jv_text(jv_get(v, "user"), "email", ""),
               jv_text(jv_get(v, "organization"), "name", ""), jv_text(v, "role", ""), c.url);
    client_close(&c);
    return status;
}
