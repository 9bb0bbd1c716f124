/* Access tokens: what is taken and what is refused although our own key signed it; keys that follow one another. The tests sign with the key's file, so
   that nothing but the one thing under test is wrong. */
#include "base/file.h"
#include "crypto/token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define ISSUER "https://dms.example"
#define ID     "018f3c8a-0000-7000-8000-000000000001"
#define HEADER "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}"
#define IDS    "\"sub\":\"" ID "\",\"tid\":\"" ID "\",\"sid\":\"" ID "\",\"jti\":\"" ID "\",\"role\":\"Owner\""
#define FROM   "\"iss\":\"" ISSUER "\",\"aud\":\"dms\","
#define TIMES  ",\"iat\":1000000,\"nbf\":1000000,\"exp\":1000900"

enum { NOW = 1000100, LIFE = 900 };

struct fixture {
    char               folder[64];
    struct arena       a;
    struct token_keys *keys;
    EVP_PKEY          *key; /* of jwt.key */
    char               kid[TOKEN_KID_SIZE];
};

static void write_key(const struct fixture *f, const char *name, char digit, int64_t signs_from)
{
    struct arena a = ARENA(4096);
    struct sb    text = SB(&a);
    struct error err = { 0 };

    for (int i = 0; i < 64; i++)
        sb_putc(&text, digit);
    sb_putc(&text, '\n');
    if (signs_from > 0)
        sb_printf(&text, "signs-from %lld\n", (long long)signs_from);
    assert_int_equal(file_write(path_join(&a, f->folder, name), sb_str(&text), 0600, &err), 0);
    arena_free(&a);
}

static EVP_PKEY *key_of(char digit)
{
    unsigned char seed[32];
    char          hex[64];

    memset(hex, digit, sizeof hex);
    assert_true(hex_decode(seed, sizeof seed, (struct str){ hex, sizeof hex }));
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
}

static int begin(void **state)
{
    struct fixture       *f = calloc(1, sizeof *f);
    struct error          err = { 0 };
    struct token_key_info info[TOKEN_KEYS_MAX];

    if (!f)
        return -1;
    f->a = ARENA(1 << 20);
    snprintf(f->folder, sizeof f->folder, "/tmp/dms-test-token-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    write_key(f, "jwt.key", '1', 0);
    f->keys = token_keys_open(f->folder, ISSUER, LIFE, /* make= */ false, &err);
    f->key = key_of('1');
    if (!f->keys || token_keys_list(f->keys, NOW, info) != 1)
        return -1;
    memcpy(f->kid, info[0].kid, sizeof f->kid);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    struct error    err = { 0 };

    token_keys_close(f->keys);
    EVP_PKEY_free(f->key);
    arena_free(&f->a);
    int rc = file_remove_tree(f->folder, &err);
    free(f);
    return rc;
}

static void put64(struct sb *b, struct str bytes)
{
    char *text = arena_alloc(b->arena, bytes.n * 4 / 3 + 4);

    assert_non_null(text);
    sb_put(b, (struct str){ text, base64url_encode(text, bytes.p, bytes.n) });
}

/* header and payload with a good signature of key. */
static const char *signed_by(struct fixture *f, EVP_PKEY *key, const char *header, struct str payload)
{
    struct sb     b = SB(&f->a);
    unsigned char signature[64];
    size_t        n = sizeof signature;

    put64(&b, str_of(header));
    sb_putc(&b, '.');
    put64(&b, payload);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &n, (const unsigned char *)b.p, b.n), 1);
    EVP_MD_CTX_free(ctx);
    sb_putc(&b, '.');
    put64(&b, (struct str){ (const char *)signature, n });
    assert_false(f->a.failed);
    return b.p;
}

static const char *header_of(struct fixture *f, const char *more)
{
    struct sb b = SB(&f->a);

    sb_printf(&b, "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\"%s}", f->kid, more);
    return b.p;
}

static int verdict(struct fixture *f, const char *token, int64_t now)
{
    struct token_claims c;
    struct error        err = { 0 };
    int                 rc = token_verify(f->keys, str_of(token), now, &c, &err);

    assert_int_equal(err.code, rc < 0 ? ERR_UNAUTHORIZED : ERR_NONE);
    return rc;
}

static int payload_verdict(struct fixture *f, const char *payload)
{
    return verdict(f, signed_by(f, f->key, header_of(f, ""), str_of(payload)), NOW);
}

static void our_own_token_is_taken(void **state)
{
    struct fixture     *f = *state;
    struct token_claims c = { ID, ID, ID, ID, "Owner", 1000000, 1000000, 1000900 }, back;
    struct error        err = { 0 };
    const char         *token = token_sign(f->keys, &f->a, &c);

    assert_int_equal(token_verify(f->keys, str_of(token), NOW, &back, &err), 0);
    assert_memory_equal(&c, &back, sizeof c);
    assert_int_equal(payload_verdict(f, "{" FROM IDS TIMES "}"), 0);
    assert_int_equal(payload_verdict(f, "{" FROM IDS TIMES ",\"more\":{\"a\":[1]}}"), 0);
}

static void headers(void **state)
{
    struct fixture *f = *state;
    struct str      payload = S("{" FROM IDS TIMES "}");
    const struct {
        const char *header;
        int         rc;
    } cases[] = {
        { HEADER, 0 },
        { "{\"kid\":\"%s\",\"typ\":\"application/at+jwt\",\"alg\":\"EdDSA\"}", 0 },
        /* not followed, whatever they say */
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jku\":\"http://127.0.0.1:9/\",\"x5u\":\"http://127.0.0.1:9/\",\"x5c\":[\"MIIB\"],"
          "\"jwk\":{\"kty\":\"OKP\"}}",
          0 },
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"crit\":[]}", -1 },
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"crit\":[\"exp\"]}", -1 },
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"alg\":\"EdDSA\"}", -1 },
        { "{\"alg\":\"EdDSA\",\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", -1 },
        { "{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", -1 },
        { "{\"alg\":\"eddsa\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", -1 },
        { "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", -1 },
        { "{\"alg\":[\"EdDSA\"],\"typ\":\"at+jwt\",\"kid\":\"%s\"}", -1 },
        { "{\"typ\":\"at+jwt\",\"kid\":\"%s\"}", -1 },
        { "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"%s\"}", -1 },
        { "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", -1 },
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"../%s\"}", -1 },
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\\u0000\"}", -1 },
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":[\"%s\"]}", -1 },
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"' or 1=1 -- %s\"}", -1 },
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\"} ", 0 }, /* white space is JSON's */
        { "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}{}", -1 },
        { "[\"%s\"]", -1 },
        { "\"%s\"", -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sb   b = SB(&f->a);
        const char *at = strstr(cases[i].header, "%s");

        sb_put(&b, (struct str){ cases[i].header, (size_t)(at - cases[i].header) });
        sb_puts(&b, f->kid);
        sb_puts(&b, at + 2);
        if (verdict(f, signed_by(f, f->key, b.p, payload), NOW) != cases[i].rc)
            fail_msg("%s: not %d", b.p, cases[i].rc);
    }
}

static void claims(void **state)
{
    static const char *const bad[] = {
        "",
        "null",
        "[]",
        "\"" ID "\"",
        "{}",
        "{" IDS TIMES "}",
        "{\"iss\":\"" ISSUER "\"," IDS TIMES "}",
        "{\"aud\":\"dms\"," IDS TIMES "}",
        "{\"iss\":\"" ISSUER "/\",\"aud\":\"dms\"," IDS TIMES "}",
        "{\"iss\":\"https://staging.dms.example\",\"aud\":\"dms\"," IDS TIMES "}",
        "{\"iss\":[\"" ISSUER "\"],\"aud\":\"dms\"," IDS TIMES "}",
        "{\"iss\":\"" ISSUER "\",\"aud\":\"DMS\"," IDS TIMES "}",
        "{\"iss\":\"" ISSUER "\",\"aud\":\"dm\"," IDS TIMES "}",
        "{" FROM IDS TIMES ",\"sub\":\"" ID "\"}",
        "{" FROM IDS TIMES ",\"exp\":1000900}",
        "{" FROM "\"sub\":\"x\",\"tid\":\"" ID "\",\"sid\":\"" ID "\",\"jti\":\"" ID "\",\"role\":\"Owner\"" TIMES "}",
        "{" FROM "\"sub\":\"" ID "\",\"tid\":\"" ID "\",\"sid\":\"" ID "\",\"role\":\"Owner\"" TIMES "}",
        "{" FROM "\"sub\":\"" ID "\",\"tid\":\"" ID "\",\"jti\":\"" ID "\",\"role\":\"Owner\"" TIMES "}",
        "{" FROM "\"sub\":\"" ID "\",\"sid\":\"" ID "\",\"jti\":\"" ID "\",\"role\":\"Owner\"" TIMES "}",
        "{" FROM "\"sub\":\"" ID "\",\"tid\":\"" ID "\",\"sid\":\"" ID "\",\"jti\":\"" ID "\"" TIMES "}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000}",
        "{" FROM IDS ",\"iat\":1000000,\"exp\":1000900}",
        "{" FROM IDS ",\"nbf\":1000000,\"exp\":1000900}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":1000900.0}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":1.0009e6}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":\"1000900\"}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":-1}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":null}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":1000000000000000000}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":9223372036854775807}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":9223372036854775808}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":18446744073710552516}",
        "{" FROM IDS ",\"iat\":-9223372036854775808,\"nbf\":1000000,\"exp\":1000900}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":-1,\"exp\":1000900}",
        "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":1086401}", /* longer than any of ours */
        "{" FROM IDS TIMES,
        "{" FROM     IDS TIMES "}}",
        "{" FROM     IDS TIMES ",\"a\":\"\xff\"}",
        "{" FROM     IDS TIMES ",\"a\":[[[[1]]]]}",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (payload_verdict(f, bad[i]) != -1)
            fail_msg("taken: %s", bad[i]);
    struct sb deep = SB(&f->a), digits = SB(&f->a);
    sb_puts(&deep, "{" FROM IDS TIMES ",\"a\":");
    for (int i = 0; i < 1000; i++)
        sb_putc(&deep, '[');
    for (int i = 0; i < 1000; i++)
        sb_putc(&deep, ']');
    sb_puts(&deep, "}");
    assert_int_equal(payload_verdict(f, deep.p), -1);
    sb_puts(&digits, "{" FROM IDS ",\"iat\":1000000,\"nbf\":1000000,\"exp\":1");
    for (int i = 0; i < 2000; i++)
        sb_putc(&digits, '0');
    sb_puts(&digits, "}");
    assert_int_equal(payload_verdict(f, digits.p), -1);
}

static void a_million_digits_are_refused_unread(void **state)
{
    struct fixture *f = *state;
    struct arena    a = ARENA(8 << 20);
    struct sb       b = SB(&a);

    put64(&b, str_of(header_of(f, "")));
    sb_putc(&b, '.');
    for (int i = 0; i < 1000000; i++)
        sb_putc(&b, 'M');
    sb_puts(&b, ".AAAA");
    assert_int_equal(verdict(f, b.p, NOW), -1);
    arena_free(&a);
}

static void times_have_half_a_minute_of_leeway(void **state)
{
    struct fixture     *f = *state;
    struct token_claims c = { ID, ID, ID, ID, "Owner", NOW, NOW, NOW + LIFE };
    const char         *token = token_sign(f->keys, &f->a, &c);

    assert_int_equal(verdict(f, token, NOW - 30), 0);
    assert_int_equal(verdict(f, token, NOW - 31), -1);
    assert_int_equal(verdict(f, token, NOW - 60), -1);
    assert_int_equal(verdict(f, token, NOW + LIFE + 29), 0);
    assert_int_equal(verdict(f, token, NOW + LIFE + 30), -1);
    assert_int_equal(verdict(f, token, NOW + LIFE + 60), -1);
    c.not_before = NOW + 60; /* each of the two by itself */
    assert_int_equal(verdict(f, token_sign(f->keys, &f->a, &c), NOW), -1);
    c.not_before = NOW;
    c.issued_at = NOW + 60;
    assert_int_equal(verdict(f, token_sign(f->keys, &f->a, &c), NOW), -1);
}

/* Of a good token each character changed for each other one, each prefix, and odd forms. */
static void damage(void **state)
{
    static const char   letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ";
    struct fixture     *f = *state;
    struct token_claims c = { ID, ID, ID, ID, "Owner", NOW, NOW, NOW + LIFE };
    const char         *good = token_sign(f->keys, &f->a, &c);
    size_t              n = strlen(good);
    char               *bad = arena_alloc(&f->a, n + 16);

    assert_non_null(bad);
    for (size_t at = 0; at < n; at += at < n - 90 ? 7 : 1) {
        for (const char *l = letters; *l; l++) {
            memcpy(bad, good, n + 1);
            bad[at] = *l;
            if (verdict(f, bad, NOW) != (good[at] == *l ? 0 : -1))
                fail_msg("character %zu as %c", at, *l);
        }
        memcpy(bad, good, at);
        bad[at] = '\0';
        assert_int_equal(verdict(f, bad, NOW), -1);
    }
    for (const char *l = letters; *l; l++) {
        snprintf(bad, n + 16, "%s%c", good, *l);
        assert_int_equal(verdict(f, bad, NOW), -1);
    }
    snprintf(bad, n + 16, "%s.AAAA", good);
    assert_int_equal(verdict(f, bad, NOW), -1);
}

static void signatures_of_others(void **state)
{
    struct fixture *f = *state;
    struct str      payload = S("{" FROM IDS TIMES "}");
    EVP_PKEY       *foreign = key_of('2');
    struct sb       b = SB(&f->a);
    unsigned char   raw[32], mac[32];
    size_t          raw_n = sizeof raw;
    unsigned        n = sizeof mac;

    assert_int_equal(verdict(f, signed_by(f, foreign, header_of(f, ""), payload), NOW), -1);
    EVP_PKEY_free(foreign);
    assert_int_equal(EVP_PKEY_get_raw_public_key(f->key, raw, &raw_n), 1);
    sb_puts(&b, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\""); /* the public key as an HMAC's secret */
    sb_puts(&b, f->kid);
    sb_puts(&b, "\"}");
    struct sb token = SB(&f->a);
    put64(&token, sb_str(&b));
    sb_putc(&token, '.');
    put64(&token, payload);
    assert_non_null(HMAC(EVP_sha256(), raw, sizeof raw, (const unsigned char *)token.p, token.n, mac, &n));
    sb_putc(&token, '.');
    put64(&token, (struct str){ (const char *)mac, n });
    assert_int_equal(verdict(f, token.p, NOW), -1);
}

static size_t published(struct fixture *f, int64_t now)
{
    struct sb b = SB(&f->a);
    size_t    n = 0;

    token_jwks(f->keys, now, &b);
    for (const char *at = b.p; (at = strstr(at, "\"kid\"")); at++)
        n++;
    return n;
}

static void a_key_follows_another_and_nobody_is_signed_out(void **state)
{
    struct fixture       *f = *state;
    struct error          err = { 0 };
    struct token_claims   c = { ID, ID, ID, ID, "Owner", NOW, NOW, NOW + LIFE };
    struct token_key_info info[TOKEN_KEYS_MAX];
    const int64_t         from = NOW + 300, over = from + LIFE + TOKEN_LEEWAY_S + TOKEN_KEY_PICKUP_S;

    const char *before = token_sign(f->keys, &f->a, &c);
    assert_int_equal(published(f, NOW), 1);
    write_key(f, "jwt-next.key", '2', from);
    assert_int_equal(token_keys_reload(f->keys, &err), 1);
    assert_int_equal(token_keys_reload(f->keys, &err), 0);
    assert_int_equal(published(f, NOW), 2); /* before it signs */
    assert_int_equal(token_keys_list(f->keys, NOW, info), 2);
    assert_true(info[0].signs && !info[1].signs);
    assert_int_equal(info[0].until, over);
    assert_int_equal(token_keys_list(f->keys, from, info), 2);
    assert_true(!info[0].signs && info[1].signs);

    c.issued_at = c.not_before = from - 1;
    c.expires_at = from - 1 + LIFE;
    const char *last = token_sign(f->keys, &f->a, &c);
    c.issued_at = c.not_before = from;
    c.expires_at = from + LIFE;
    const char *first = token_sign(f->keys, &f->a, &c);
    assert_memory_not_equal(last, first, (size_t)(strchr(last, '.') - last)); /* another kid */
    assert_int_equal(verdict(f, before, NOW + LIFE), 0);
    assert_int_equal(verdict(f, last, from + LIFE - 1), 0);
    assert_int_equal(verdict(f, first, from), 0);
    assert_int_equal(published(f, over - 1), 2);
    assert_int_equal(published(f, over), 1); /* all that it signed has run out */

    assert_int_equal(unlink(path_join(&f->a, f->folder, "jwt.key")), 0); /* taken away at once */
    assert_int_equal(token_keys_reload(f->keys, &err), 2);
    assert_int_equal(verdict(f, last, from), -1);
    assert_int_equal(verdict(f, first, from), 0);
}

static void what_is_no_key_changes_nothing(void **state)
{
    static const char *const bad[] = { "", "\n", "11", "signs-from 5", "xx", "\0" };
    struct fixture          *f = *state;
    struct token_claims      c = { ID, ID, ID, ID, "Owner", NOW, NOW, NOW + LIFE };
    const char              *token = token_sign(f->keys, &f->a, &c);
    const char              *path = path_join(&f->a, f->folder, "jwt-bad.key");

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error err = { 0 };

        assert_int_equal(file_write(path, str_of(bad[i]), 0600, &err), 0);
        assert_int_equal(token_keys_reload(f->keys, &err), -1);
        assert_int_equal(verdict(f, token, NOW), 0);
    }
    for (unsigned mode = 0640; mode != 0; mode = mode == 0640 ? 0604 : mode == 0604 ? 0660 : 0) {
        struct error err = { 0 };

        assert_int_equal(
            file_write(path, S("2222222222222222222222222222222222222222222222222222222222222222"), mode, &err), 0);
        assert_int_equal(token_keys_reload(f->keys, &err), -1); /* open to others */
        unlink(path);
    }
    struct error err = { 0 };
    write_key(f, "jwt-same.key", '1', NOW + 300); /* the same key again is the same key */
    assert_int_equal(token_keys_reload(f->keys, &err), 1);
    assert_int_equal(published(f, NOW), 1);
    assert_int_equal(verdict(f, token, NOW), 0);
}

static void another_text_is_signed_and_is_no_token(void **state)
{
    struct fixture *f = *state;
    struct error    err = { 0 };
    char            kid[TOKEN_KID_SIZE];
    unsigned char   signature[TOKEN_SIGNATURE];

    assert_int_equal(token_sign_text(f->keys, S("a text"), kid, signature, &err), 0);
    assert_string_equal(kid, f->kid);
    assert_int_equal(token_check_text(f->keys, kid, S("a text"), signature), 1);
    assert_int_equal(token_check_text(f->keys, kid, S("a texT"), signature), 0);
    assert_int_equal(token_check_text(f->keys, "0000000000000000", S("a text"), signature), -1);
    signature[0] ^= 1;
    assert_int_equal(token_check_text(f->keys, kid, S("a text"), signature), 0);
}

static void the_first_key_is_made_once(void **state)
{
    struct fixture *f = *state;
    struct error    err = { 0 };
    const char     *folder = path_join(&f->a, f->folder, "new");

    assert_int_equal(file_make_dirs(folder, 0700, &err), 0);
    assert_null(token_keys_open(folder, ISSUER, LIFE, /* make= */ false, &err));
    err = (struct error){ 0 };
    struct token_keys *one = token_keys_open(folder, ISSUER, LIFE, /* make= */ true, &err);
    struct token_keys *two = token_keys_open(folder, ISSUER, LIFE, /* make= */ true, &err);
    struct sb          a = SB(&f->a), b = SB(&f->a);
    assert_non_null(one);
    assert_non_null(two);
    token_jwks(one, NOW, &a);
    token_jwks(two, NOW, &b);
    assert_string_equal(a.p, b.p);
    token_keys_close(one);
    token_keys_close(two);
}

#define WITH_KEYS(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KEYS(our_own_token_is_taken),
        WITH_KEYS(headers),
        WITH_KEYS(claims),
        WITH_KEYS(a_million_digits_are_refused_unread),
        WITH_KEYS(times_have_half_a_minute_of_leeway),
        WITH_KEYS(damage),
        WITH_KEYS(signatures_of_others),
        WITH_KEYS(a_key_follows_another_and_nobody_is_signed_out),
        WITH_KEYS(what_is_no_key_changes_nothing),
        WITH_KEYS(another_text_is_signed_and_is_no_token),
        WITH_KEYS(the_first_key_is_made_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
