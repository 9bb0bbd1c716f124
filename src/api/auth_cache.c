/* auth_cache.c - credentials that were checked a moment ago, by their hash. Knows nothing of how they are checked. */
#include "api/api.h"

#include "base/address.h"
#include "base/clock.h"
#include "crypto/hash.h"

#include <pthread.h>

enum { PROBES = 8, SHARDS = 16 };

struct entry {
    unsigned char        digest[HASH_SIZE]; /* of the credential */
    struct principal     who;
    struct address_list *allowed;    /* addresses it may be used from; NULL: any */
    int64_t              checked_us; /* steady; 0: empty */
};

struct auth_cache {
    int64_t         ttl_us;
    unsigned        slots;
    pthread_mutex_t lock[SHARDS];
    struct entry    entries[]; /* memory that no credential has touched costs nothing */
};

struct auth_cache *auth_cache_open(unsigned ttl_ms, unsigned entries, struct error *err)
{
    struct auth_cache *c = calloc(1, sizeof *c + entries * sizeof c->entries[0]);

    if (!c) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the credential cache");
        return NULL;
    }
    c->ttl_us = (int64_t)ttl_ms * 1000;
    c->slots = entries / PROBES * PROBES;
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_init(&c->lock[i], NULL);
    return c;
}

void auth_cache_close(struct auth_cache *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&c->lock[i]);
    for (unsigned i = 0; i < c->slots; i++)
        free(c->entries[i].allowed);
    free(c);
}

/* Entries of a digest stand next to one another in one shard's run of slots. */
static unsigned first_slot(const struct auth_cache *c, const unsigned char digest[HASH_SIZE])
{
    uint32_t at;

    memcpy(&at, digest, sizeof at);
    return at % (c->slots / PROBES) * PROBES;
}

static bool may_come_from(const struct address_list *allowed, const char *ip)
{
    struct address a;

    return !allowed || (address_read(str_of(ip), &a) && address_in_list(allowed, &a));
}

enum cached auth_cache_get(struct auth_cache *c, const unsigned char digest[HASH_SIZE], const char *ip,
                           struct principal *ret)
{
    unsigned         from = first_slot(c, digest);
    pthread_mutex_t *lock = &c->lock[from / PROBES % SHARDS];
    int64_t          now = clock_steady_us();
    enum cached      found = CACHED_NOT;

    pthread_mutex_lock(lock);
    for (unsigned i = from; found == CACHED_NOT && i < from + PROBES; i++) {
        struct entry *e = &c->entries[i];

        if (e->checked_us == 0 || !bytes_equal(e->digest, digest, HASH_SIZE) || e->who.expires_us <= clock_wall_us())
            continue;
        *ret = e->who;
        if (now - e->checked_us >= c->ttl_us)
            found = CACHED_STALE;
        else
            found = may_come_from(e->allowed, ip) ? CACHED_FRESH : CACHED_ELSEWHERE;
    }
    pthread_mutex_unlock(lock);
    return found;
}

void auth_cache_put(struct auth_cache *c, const unsigned char digest[HASH_SIZE], const struct principal *who,
                    struct address_list *allowed)
{
    unsigned         from = first_slot(c, digest);
    pthread_mutex_t *lock = &c->lock[from / PROBES % SHARDS];
    struct entry    *oldest = &c->entries[from];

    pthread_mutex_lock(lock);
    for (unsigned i = from; i < from + PROBES; i++) {
        struct entry *e = &c->entries[i];

        if (bytes_equal(e->digest, digest, HASH_SIZE)) {
            oldest = e;
            break;
        }
        if (e->checked_us < oldest->checked_us)
            oldest = e;
    }
    memcpy(oldest->digest, digest, HASH_SIZE);
    oldest->who = *who;
    free(oldest->allowed);
    oldest->allowed = allowed;
    oldest->checked_us = clock_steady_us();
    pthread_mutex_unlock(lock);
}

void auth_cache_forget_all(struct auth_cache *c)
{
    for (unsigned i = 0; i < c->slots; i++) {
        pthread_mutex_t *lock = &c->lock[i / PROBES % SHARDS];

        pthread_mutex_lock(lock);
        if (c->entries[i].checked_us != 0) /* untouched memory stays so */
            c->entries[i].checked_us = 0;
        pthread_mutex_unlock(lock);
    }
}

void auth_cache_forget_session(struct auth_cache *c, const char *session_id)
{
    for (unsigned i = 0; i < c->slots; i++) {
        pthread_mutex_t *lock = &c->lock[i / PROBES % SHARDS];

        pthread_mutex_lock(lock);
        if (strcmp(c->entries[i].who.session_id, session_id) == 0)
            c->entries[i].checked_us = 0;
        pthread_mutex_unlock(lock);
    }
}
