/* permission.c - see permission.h. */
#include "domain/permission.h"

#define X(name, roles, text) { #name, roles },
static const struct {
    const char *name, *roles;
} table[] = {
#include "tbl/permissions.def"
};
#undef X

static const struct {
    const char *name;
    char        letter; /* in the table's column; 0: everything, 1: nothing */
} role_info[ROLE_COUNT] = {
    [ROLE_OWNER] = { "Owner", 0 },     [ROLE_ADMIN] = { "Admin", 'A' },     [ROLE_EDITOR] = { "Editor", 'E' },
    [ROLE_VIEWER] = { "Viewer", 'V' }, [ROLE_API_ONLY] = { "API_Only", 1 },
};

const char *role_name(enum role role)
{
    return role_info[role].name;
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

int permission_bit(struct str name)
{
    char buf[32];

    for (unsigned i = 0; i < PERM_COUNT; i++)
        if (str_eq(name, dotted(table[i].name, buf)))
            return (int)i;
    return -1;
}
