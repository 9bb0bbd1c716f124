/* token_keys.c - see token_keys.h. Reading is cheap enough to be done every few seconds, which is how a server learns of a new key. */
#include "crypto/token_private.h"

#include "base/file.h"
#include "base/uuid.h"
#include "crypto/hash.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1024, FOLDER_MEMORY = 256 << 10 };

static const char first_file[] = "jwt.key";

static void set_clear(struct token_key_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        EVP_PKEY_free(s->keys[i].key);
    s->count = 0;
}

static bool is_key_file(const char *name)
{
    size_t n = strlen(name);

    return strcmp(name, first_file) == 0
           || (n > 8 && n < TOKEN_KEY_FILE_SIZE && memcmp(name, "jwt-", 4) == 0 && strcmp(name + n - 4, ".key") == 0);
}

/* The key's own name: the beginning of its public half's hash. */
static void kid_of(const unsigned char public_key[TOKEN_KEY_BYTES], char ret[TOKEN_KID_SIZE])
{
    unsigned char digest[HASH_SIZE];

    hash_of((struct str){ (const char *)public_key, TOKEN_KEY_BYTES }, digest);
    hex_encode(ret, digest, (TOKEN_KID_SIZE - 1) / 2);
}

static int key_parse(struct str text, const char *path, struct token_key *ret, struct error *err)
{
    unsigned char seed[TOKEN_KEY_BYTES];
    struct str    rest = text, first = str_trim(str_cut(&rest, '\n')), second = rest.p ? str_trim(rest) : S("");
    struct error  ignored = { 0 };
    uint64_t      from = 0;
    size_t        n = TOKEN_KEY_BYTES;
    struct str    word = second, value = { NULL, 0 };

    if (second.n > 0) {
        word = str_cut(&second, ' ');
        value = second;
    }
    if (!hex_decode(seed, sizeof seed, first)
        || (word.n > 0
            && (!str_eq(word, S("signs-from")) || !value.p
                || parse_u64("signs-from", value, 0, INT64_MAX / 2, &from, &ignored) < 0)))
        return error_set(err, ERR_INTERNAL, "%s does not hold a key (64 hex digits, then perhaps a line signs-from N)",
                         path);
    ret->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    bytes_wipe(seed, sizeof seed);
    if (!ret->key)
        return error_set(err, ERR_INTERNAL, "%s is not an Ed25519 key", path);
    if (EVP_PKEY_get_raw_public_key(ret->key, ret->public_key, &n) != 1) {
        EVP_PKEY_free(TAKE(ret->key));
        return error_set(err, ERR_INTERNAL, "%s is not an Ed25519 key", path);
    }
    ret->info.signs_from = (int64_t)from;
    kid_of(ret->public_key, ret->info.kid);
    return 0;
}

/* A file of ours is closed to all others; one that a system mounts for us may be open to our group. */
static int check_mode(const char *path, struct error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return error_set(err, ERR_INTERNAL, "cannot look at %s: %s", path, strerror(errno));
    if ((st.st_mode & (st.st_uid == geteuid() ? 077 : 037)) != 0)
        return error_set(err, ERR_INTERNAL, "%s may be read by others: chmod 600 it", path);
    return 0;
}

/* 1: read; 0: it is gone meanwhile. */
static int file_load(struct arena *a, const char *folder, const char *name, struct token_key *ret, struct str *ret_text,
                     struct error *err)
{
    const char *path = path_join(a, folder, name);
    int         rc = file_read(a, path, FILE_MAX, ret_text, err);

    if (rc <= 0)
        return rc;
    *ret = (struct token_key){ 0 };
    snprintf(ret->info.file, sizeof ret->info.file, "%s", name);
    return check_mode(path, err) < 0 || key_parse(*ret_text, path, ret, err) < 0 ? -1 : 1;
}

static int by_time(const void *a, const void *b)
{
    const struct token_key *x = a, *y = b;

    if (x->info.signs_from != y->info.signs_from)
        return x->info.signs_from < y->info.signs_from ? -1 : 1;
    return strcmp(x->info.kid, y->info.kid);
}

/* The same key twice is one: the one that signs earlier. */
static void set_add(struct token_key_set *s, struct token_key *key)
{
    for (size_t i = 0; i < s->count; i++) {
        struct token_key *same = &s->keys[i];

        if (strcmp(same->info.kid, key->info.kid) != 0)
            continue;
        if (key->info.signs_from < same->info.signs_from)
            same->info = key->info;
        EVP_PKEY_free(key->key);
        return;
    }
    s->keys[s->count++] = *key;
}

static void set_finish(struct token_key_set *s, int64_t life_s)
{
    qsort(s->keys, s->count, sizeof s->keys[0], by_time);
    for (size_t i = 0; i < s->count; i++)
        s->keys[i].info.until = i + 1 < s->count
                                    ? s->keys[i + 1].info.signs_from + life_s + TOKEN_LEEWAY_S + TOKEN_KEY_PICKUP_S
                                    : INT64_MAX;
}

static int names_of(struct arena *a, DIR *dir, const char *names[TOKEN_KEYS_MAX], size_t *ret, struct error *err)
{
    size_t n = 0;

    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (!is_key_file(e->d_name))
            continue;
        if (n == TOKEN_KEYS_MAX)
            return error_set(err, ERR_INTERNAL, "more than %d keys: `dms admin keys remove KID`", TOKEN_KEYS_MAX);
        names[n++] = arena_text(a, e->d_name, strlen(e->d_name));
    }
    *ret = n;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What the files hold, and the hash of it: they are looked at often and seldom change. */
static int set_read(struct token_key_set *s, struct arena *a, const char *folder, const char *const *names, size_t n,
                    int64_t life_s, struct error *err)
{
    struct hash *digest = hash_open(err);

    *s = (struct token_key_set){ 0 };
    for (size_t i = 0; digest && i < n; i++) {
        struct token_key key;
        struct str       text;
        int              rc = file_load(a, folder, names[i], &key, &text, err);

        if (rc < 0)
            break;
        if (rc == 0)
            continue;
        hash_add(digest, str_of(names[i]));
        hash_add(digest, text);
        set_add(s, &key);
        bytes_wipe((void *)(uintptr_t)text.p, text.n);
    }
    if (digest)
        hash_end(digest, s->digest);
    hash_close(digest);
    if (err->code != ERR_NONE) {
        set_clear(s);
        return -1;
    }
    set_finish(s, life_s);
    return 0;
}

static int folder_read(struct token_key_set *s, const char *folder, int64_t life_s, struct error *err)
{
    struct arena a = ARENA(FOLDER_MEMORY);
    const char  *names[TOKEN_KEYS_MAX];
    DIR         *dir = opendir(folder);
    size_t       n = 0;
    int          rc;

    if (!dir)
        return error_set(err, ERR_INTERNAL, "cannot open %s: %s", folder, strerror(errno));
    rc = names_of(&a, dir, names, &n, err);
    closedir(dir);
    if (rc == 0) {
        qsort(names, n, sizeof names[0], by_name);
        rc = set_read(s, &a, folder, names, n, life_s, err);
    }
    arena_free(&a);
    return rc;
}

void token_key_make(int64_t signs_from, struct sb *ret, char ret_file[TOKEN_KEY_FILE_SIZE])
{
    unsigned char    seed[TOKEN_KEY_BYTES];
    char             hex[2 * TOKEN_KEY_BYTES + 1];
    struct token_key key = { 0 };
    struct error     ignored = { 0 };

    random_bytes(seed, sizeof seed);
    hex_encode(hex, seed, sizeof seed);
    bytes_wipe(seed, sizeof seed);
    if (key_parse((struct str){ hex, sizeof hex - 1 }, "a new key", &key, &ignored) < 0)
        abort(); /* without Ed25519 nothing here is safe */
    EVP_PKEY_free(key.key);
    sb_printf(ret, "%s\n", hex);
    if (signs_from > 0)
        sb_printf(ret, "signs-from %lld\n", (long long)signs_from);
    bytes_wipe(hex, sizeof hex);
    snprintf(ret_file, TOKEN_KEY_FILE_SIZE, "jwt-%s.key", key.info.kid);
}

/* The first key of an installation. Of several replicas that begin at once one makes it. */
static int first_make(const char *folder, struct error *err)
{
    struct arena a = ARENA(16384);
    struct sb    text = SB(&a), mine = SB(&a);
    char         ignored[TOKEN_KEY_FILE_SIZE];
    const char  *path = path_join(&a, folder, first_file);
    struct uuid  id = uuid_v7();

    token_key_make(0, &text, ignored);
    sb_printf(&mine, "%s/.jwt.%s", folder, id.text);
    int rc = file_write(sb_str(&mine).p, sb_str(&text), 0600, err);
    if (rc == 0 && link(mine.p, path) < 0 && errno != EEXIST)
        rc = error_set(err, err_of_errno(errno), "cannot make %s: %s", path, strerror(errno));
    if (rc == 0) {
        unlink(mine.p);
        rc = file_sync_dir(folder, err);
    }
    if (text.n > 0)
        bytes_wipe(text.p, text.n);
    arena_free(&a);
    return rc;
}

struct token_keys *token_keys_open(const char *folder, const char *issuer, int64_t life_s, bool make, struct error *err)
{
    struct token_keys *k = calloc(1, sizeof *k);

    assert(life_s > 0 && life_s <= TOKEN_LIFE_MAX_S);
    if (!k || !(k->issuer = strdup(issuer)) || !(k->folder = strdup(folder))) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the token keys");
        goto fail;
    }
    k->life_s = life_s;
    if (folder_read(&k->set, folder, life_s, err) < 0)
        goto fail;
    if (k->set.count == 0 && make && (first_make(folder, err) < 0 || folder_read(&k->set, folder, life_s, err) < 0))
        goto fail;
    if (k->set.count == 0) {
        error_set(err, ERR_INTERNAL, "%s holds no key", folder);
        goto fail;
    }
    pthread_rwlock_init(&k->lock, NULL);
    return k;
fail:
    if (k) {
        free(k->issuer);
        free(k->folder);
    }
    free(k);
    return NULL;
}

void token_keys_close(struct token_keys *k)
{
    if (!k)
        return;
    set_clear(&k->set);
    pthread_rwlock_destroy(&k->lock);
    free(k->issuer);
    free(k->folder);
    free(k);
}

static bool holds_all(const struct token_key_set *now, const struct token_key_set *before)
{
    size_t found = 0;

    for (size_t i = 0; i < before->count; i++)
        for (size_t j = 0; j < now->count; j++)
            found += strcmp(before->keys[i].info.kid, now->keys[j].info.kid) == 0;
    return found == before->count;
}

int token_keys_reload(struct token_keys *k, struct error *err)
{
    struct token_key_set now = { 0 }, before;

    if (folder_read(&now, k->folder, k->life_s, err) < 0)
        return -1;
    if (now.count == 0)
        return error_set(err, ERR_INTERNAL, "%s holds no key any more", k->folder);
    if (bytes_equal(now.digest, k->set.digest, sizeof now.digest)) { /* only this thread changes it */
        set_clear(&now);
        return 0;
    }
    pthread_rwlock_wrlock(&k->lock);
    before = k->set;
    k->set = now;
    pthread_rwlock_unlock(&k->lock);
    int rc = holds_all(&now, &before) ? 1 : 2;
    set_clear(&before);
    return rc;
}

const struct token_key *token_key_signing(const struct token_keys *k, int64_t now)
{
    const struct token_key *signing = &k->set.keys[0]; /* also when its time is yet to come: one must */

    for (size_t i = 1; i < k->set.count; i++)
        if (k->set.keys[i].info.signs_from <= now)
            signing = &k->set.keys[i];
    return signing;
}

const struct token_key *token_key_find(const struct token_keys *k, const char *kid, int64_t now)
{
    for (size_t i = 0; i < k->set.count; i++)
        if (strcmp(k->set.keys[i].info.kid, kid) == 0)
            return k->set.keys[i].info.until > now ? &k->set.keys[i] : NULL;
    return NULL;
}

size_t token_keys_list(struct token_keys *k, int64_t now, struct token_key_info ret[TOKEN_KEYS_MAX])
{
    pthread_rwlock_rdlock(&k->lock);
    const struct token_key *signing = token_key_signing(k, now);
    size_t                  n = k->set.count;
    for (size_t i = 0; i < n; i++) {
        ret[i] = k->set.keys[i].info;
        ret[i].signs = &k->set.keys[i] == signing;
    }
    pthread_rwlock_unlock(&k->lock);
    return n;
}
