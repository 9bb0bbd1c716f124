/* auth_cache.c - credentials that were checked a moment ago, by their hash. Knows nothing of how they are checked. */
#include "api/api.h"

#include "base/clock.h"
#include "crypto/hash.h"

#include <pthread.h>

enum { SLOTS = 8192, PROBES = 8, SHARDS = 16 };

struct entry {
    unsigned char    digest[HASH_SIZE]; /* of the credential */
    struct principal who;
    int64_t          checked_us; /* steady; 0: empty */
};

struct auth_cache {
    int64_t         ttl_us;
    pthread_mutex_t lock[SHARDS];
    struct entry    entries[SLOTS];
};

struct auth_cache *auth_cache_open(unsigned ttl_ms, struct error *err)
{
    struct auth_cache *c = calloc(1, sizeof *c);

    if (!c) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the credential cache");
        return NULL;
    }
    c->ttl_us = (int64_t)ttl_ms * 1000;
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
    free(c);
}

/* Entries of a digest stand next to one another in one shard's run of slots. */
static unsigned first_slot(const unsigned char digest[HASH_SIZE])
{
    unsigned at = ((unsigned)digest[0] << 8 | digest[1]) % (SLOTS / PROBES);

    return at * PROBES;
}

bool auth_cache_get(struct auth_cache *c, const unsigned char digest[HASH_SIZE], struct principal *ret)
{
    unsigned         from = first_slot(digest);
    pthread_mutex_t *lock = &c->lock[from / PROBES % SHARDS];
    int64_t          now = clock_steady_us();
    bool             found = false;

    pthread_mutex_lock(lock);
    for (unsigned i = from; !found && i < from + PROBES; i++) {
        struct entry *e = &c->entries[i];

        found = e->checked_us != 0 && bytes_equal(e->digest, digest, HASH_SIZE) && now - e->checked_us < c->ttl_us
                && e->who.expires_us > clock_wall_us();
        if (found)
            *ret = e->who;
    }
    pthread_mutex_unlock(lock);
    return found;
}

void auth_cache_put(struct auth_cache *c, const unsigned char digest[HASH_SIZE], const struct principal *who)
{
    unsigned         from = first_slot(digest);
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
    oldest->checked_us = clock_steady_us();
    pthread_mutex_unlock(lock);
}

void auth_cache_forget_session(struct auth_cache *c, const char *session_id)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        pthread_mutex_t *lock = &c->lock[i / PROBES % SHARDS];

        pthread_mutex_lock(lock);
        if (strcmp(c->entries[i].who.session_id, session_id) == 0)
            c->entries[i].checked_us = 0;
        pthread_mutex_unlock(lock);
    }
}
