/* rows.c - reading results by column name, SQLSTATEs as our errors, and values as PostgreSQL's text. */
#include "store/db.h"
#include "store/db_error.h"

#include <stdio.h>

static const struct {
    const char *prefix; /* the longest that fits counts: more special rows stand first */
    enum err    code;
} sqlstates[] = {
    { "23505", ERR_CONFLICT },   { "23P01", ERR_CONFLICT }, { "23503", ERR_NOT_FOUND },
    { "23514", ERR_VALIDATION }, { "22", ERR_VALIDATION },  { "57014", ERR_UNAVAILABLE },
    { "55P03", ERR_CONFLICT },   { "40", ERR_CONFLICT },    { "53100", ERR_STORAGE_FULL },
    { "53", ERR_UNAVAILABLE },   { "57", ERR_UNAVAILABLE }, { "08", ERR_UNAVAILABLE },
    { "25P0", ERR_UNAVAILABLE },
};

/* "DM412" raised by a statement: the first error with that status. */
static enum err own_error(const char *state)
{
    for (unsigned e = 0; e < ERR_COUNT; e++) {
        char number[16];

        snprintf(number, sizeof number, "%u", error_info[e].http);
        if (strcmp(number, state + 2) == 0)
            return (enum err)e;
    }
    return ERR_INTERNAL;
}

static enum err code_of(const char *state)
{
    if (strncmp(state, "DM", 2) == 0)
        return own_error(state);
    for (size_t i = 0; i < ARRAY_LEN(sqlstates); i++)
        if (strncmp(state, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) == 0)
            return sqlstates[i].code;
    return ERR_INTERNAL;
}

int db_error_of(const PGresult *res, const PGconn *conn, const char *what, struct error *err)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *text = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    if (state && strncmp(state, "DM", 2) == 0) /* our own sentence, meant for people */
        return error_say(err, own_error(state), NULL, "%s", text ? text : "");
    if (!state)
        return error_set(err, ERR_UNAVAILABLE, "%s: %s", what, PQerrorMessage(conn));
    return error_set(err, code_of(state), "%s: %s %s", what, state, text ? text : "");
}

bool db_error_retryable(const PGresult *res)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;

    return state && (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0);
}

int db_result_count(const PGresult *res)
{
    uint64_t     n = 0;
    struct error ignored = { 0 }; /* "" of statements that touch no rows counts as none */
    const char  *touched = PQcmdTuples((PGresult *)(uintptr_t)res);

    if (PQresultStatus(res) == PGRES_TUPLES_OK)
        return PQntuples(res);
    return parse_u64("rows", str_of(touched), 0, INT32_MAX, &n, &ignored) < 0 ? 0 : (int)n;
}

bool row_next(struct rows *r)
{
    if (r->at + 1 >= PQntuples(r->res))
        return false;
    r->at++;
    return true;
}

bool rows_have(const struct rows *r, const char *name)
{
    return PQfnumber(r->res, name) >= 0;
}

/* The column's number, or -1 and r->bad. */
static int column(struct rows *r, const char *name)
{
    int col = r->at >= 0 && r->at < PQntuples(r->res) ? PQfnumber(r->res, name) : -1;

    r->bad |= col < 0;
    return col;
}

bool row_null(struct rows *r, const char *name)
{
    int col = column(r, name);

    return col < 0 || PQgetisnull(r->res, r->at, col);
}

const char *row_opt(struct rows *r, const char *name)
{
    int col = column(r, name);

    return col < 0 || PQgetisnull(r->res, r->at, col) ? NULL : PQgetvalue(r->res, r->at, col);
}

const char *row_text(struct rows *r, const char *name)
{
    const char *v = row_opt(r, name);

    r->bad |= !v;
    return v ? v : "";
}

struct str row_str(struct rows *r, const char *name)
{
    int col = column(r, name);

    if (col < 0 || PQgetisnull(r->res, r->at, col)) {
        r->bad = true;
        return S("");
    }
    return (struct str){ PQgetvalue(r->res, r->at, col), (size_t)PQgetlength(r->res, r->at, col) };
}

int64_t row_int(struct rows *r, const char *name)
{
    const char *v = row_text(r, name);
    char       *end;
    long long   n = strtoll(v, &end, 10);

    r->bad |= *v == '\0' || *end != '\0';
    return n;
}

double row_real(struct rows *r, const char *name)
{
    const char *v = row_text(r, name);
    char       *end;
    double      n = strtod(v, &end);

    r->bad |= *v == '\0' || *end != '\0';
    return n;
}

bool row_bool(struct rows *r, const char *name)
{
    const char *v = row_text(r, name);

    r->bad |= strcmp(v, "t") != 0 && strcmp(v, "f") != 0;
    return *v == 't';
}

const char *db_array(struct arena *a, const char *const *texts)
{
    struct sb b = SB(a);

    sb_putc(&b, '{');
    for (size_t i = 0; texts && texts[i]; i++) {
        if (i > 0)
            sb_putc(&b, ',');
        sb_putc(&b, '"');
        for (const char *p = texts[i]; *p; p++) {
            if (*p == '"' || *p == '\\')
                sb_putc(&b, '\\');
            sb_putc(&b, *p);
        }
        sb_putc(&b, '"');
    }
    sb_putc(&b, '}');
    return b.p ? b.p : "{}";
}

const char *db_int(struct arena *a, int64_t v)
{
    struct sb b = SB(a);

    sb_printf(&b, "%lld", (long long)v);
    return b.p ? b.p : "0";
}

void db_bytea(char *ret, const void *bytes, size_t n)
{
    ret[0] = '\\';
    ret[1] = 'x';
    hex_encode(ret + 2, bytes, n);
}
