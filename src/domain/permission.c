/* permission.c - see permission.h. */
#include "domain/permission.h"

#define X(name, roles, text) { #name, roles, text },
static const struct {
    const char *name, *roles, *text;
} table[] = {
#include "tbl/permissions.def"
};
#undef X

static const struct {
    const char *name;
    char        letter; /* in the table's column; 0: everything, 1: nothing */
    const char *text;
} role_info[ROLE_COUNT] = {
    [ROLE_OWNER] = { "Owner", 0, "Everything; an organization has at least one" },
    [ROLE_ADMIN] = { "Admin", 'A', "Everything but the plan and the Owners" },
    [ROLE_EDITOR] = { "Editor", 'E', "Documents, folders and tags" },
    [ROLE_VIEWER] = { "Viewer", 'V', "Reads, downloads, searches and comments" },
    [ROLE_API_ONLY] = { "API_Only", 1, "What the scopes of its API keys say; no sign-in" },
    [ROLE_CUSTOM] = { "Custom", 1, "One of the organization's own roles" },
};

const char *role_name(enum role role)
{
    return role_info[role].name;
}

const char *role_text(enum role role)
{
    return role_info[role].text;
}

int role_parse(const char *name, enum role *ret)
{
    for (unsigned r = 0; r < ROLE_COUNT; r++) {
        if (strcmp(role_info[r].name, name) == 0) {
            *ret = (enum role)r;
            return 0;
        }
    }
    return -1;
}

uint64_t role_permissions(enum role role)
{
    char     letter = role_info[role].letter;
    uint64_t bits = 0;

    for (unsigned i = 0; i < PERM_COUNT; i++)
        if (letter == 0 || strchr(table[i].roles, letter))
            bits |= UINT64_C(1) << i;
    return letter == 1 ? 0 : bits;
}

/* Names as the outside writes them: the table's, with a dot for the first underscore. */
static struct str dotted(const char *name, char buf[32])
{
    size_t n = strlen(name);

    memcpy(buf, name, n + 1);
    *strchr(buf, '_') = '.';
    return (struct str){ buf, n };
}

const char *permission_name(unsigned bit)
{
    static _Thread_local char buf[32];

    return dotted(table[bit].name, buf).p;
}

const char *permission_allows(unsigned bit)
{
    return table[bit].text;
}

int permission_bit(struct str name)
{
    char buf[32];

    for (unsigned i = 0; i < PERM_COUNT; i++)
        if (str_eq(name, dotted(table[i].name, buf)))
            return (int)i;
    return -1;
}

uint64_t permission_bits(const char *names)
{
    struct str rest = str_of(names);
    uint64_t   bits = 0;

    while (rest.p) {
        int bit = permission_bit(str_cut(&rest, ','));

        if (bit >= 0)
            bits |= UINT64_C(1) << bit;
    }
    return bits;
}

uint64_t role_granted(enum role role, const char *own)
{
    if (role != ROLE_CUSTOM)
        return role_permissions(role);
    return own ? permission_bits(own) : 0;
}

/* What each level adds to the one before it. */
static const struct {
    const char *name;
    uint64_t    adds;
} grants[GRANT_LEVELS] = {
    [GRANT_NONE] = { "none", 0 },
    [GRANT_READ] = { "read", PERM(document_read) | PERM(document_download) | PERM(folder_read) | PERM(search_query) },
    [GRANT_WRITE] = { "write", PERM(document_create) | PERM(document_update) | PERM(document_delete)
                                   | PERM(document_restore) | PERM(document_checkout) | PERM(document_comment)
                                   | PERM(document_reprocess) | PERM(folder_create) | PERM(folder_update)
                                   | PERM(folder_delete) },
    [GRANT_MANAGE] = { "manage", PERM(folder_grant) | PERM(document_share) },
};

const char *grant_name(enum grant_level level)
{
    return grants[level].name;
}

int grant_parse(const char *name, enum grant_level *ret)
{
    for (unsigned i = GRANT_READ; i < GRANT_LEVELS; i++) {
        if (strcmp(grants[i].name, name) == 0) {
            *ret = (enum grant_level)i;
            return 0;
        }
    }
    return -1;
}

uint64_t grant_permissions(enum grant_level level)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i <= (unsigned)level && i < GRANT_LEVELS; i++)
        bits |= grants[i].adds;
    return bits;
}

enum grant_level grant_needed(uint64_t needs)
{
    unsigned level = GRANT_NONE;

    while (level < GRANT_LEVELS && (needs & ~grant_permissions((enum grant_level)level)) != 0)
        level++;
    return (enum grant_level)level;
}
