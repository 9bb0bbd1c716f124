/* language.c - see language.h. */
#include "domain/language.h"

#include <strings.h>

static const char *const languages[] = {
#define X(name) name,
#include "tbl/languages.def"
#undef X
};

const char *language_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(languages); i++)
        if (str_eq(str_of(languages[i]), name))
            return languages[i];
    return NULL;
}

/* "0.85" in thousandths; what is no weight is none. */
static unsigned weight(struct str q)
{
    unsigned n = 0, place = 1000;

    for (size_t i = 0; i < q.n && place > 0; i++) {
        if (q.p[i] == '.' && i == 1)
            continue;
        if (q.p[i] < '0' || q.p[i] > '9')
            return 0;
        n += (unsigned)(q.p[i] - '0') * place;
        place /= 10;
    }
    return n < 1000 ? n : 1000;
}

/* The language of a range such as "de-AT", whatever the case. */
static const char *of_range(struct str range)
{
    struct str name = str_cut(&range, '-');

    for (size_t i = 0; i < ARRAY_LEN(languages); i++)
        if (name.n == strlen(languages[i]) && strncasecmp(name.p, languages[i], name.n) == 0)
            return languages[i];
    return NULL;
}

const char *language_wanted(const char *accept_language)
{
    const char *best = languages[0];
    unsigned    most = 0;
    struct str  rest = str_of(accept_language ? accept_language : "");

    while (rest.p && rest.n > 0) {
        struct str  options = str_cut(&rest, ','), range = str_trim(str_cut(&options, ';'));
        const char *language = of_range(range);
        struct str  q = options.p ? str_trim(options) : S("q=1");
        unsigned    wanted = str_starts(q, S("q=")) ? weight((struct str){ q.p + 2, q.n - 2 }) : 0;

        if (language && wanted > most) {
            best = language;
            most = wanted;
        }
    }
    return best;
}
