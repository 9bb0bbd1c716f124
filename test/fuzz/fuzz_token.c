/* fuzz_token.c - access tokens: the first byte says whether the rest is a token, a header or a payload; the latter two get a good signature. */
#include "base/file.h"
#include "crypto/token.h"

#include <openssl/evp.h>
#include <stdio.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1000100 };

static struct token_keys    *keys;
static struct token_key_info info[TOKEN_KEYS_MAX];
static EVP_PKEY             *key;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char   folder[] = "/tmp/dms-fuzz-token-XXXXXX";
    unsigned char seed[32];
    struct arena  a = ARENA(65536);
    struct error  err = { 0 };

    (void)argc;
    (void)argv;
    assert(mkdtemp(folder));
    int rc = file_write(path_join(&a, folder, "jwt.key"),
                        S("1111111111111111111111111111111111111111111111111111111111111111"), 0600, &err);
    assert(rc == 0);
    keys = token_keys_open(folder, "https://dms.example", 900, /* make= */ false, &err);
    assert(keys && token_keys_list(keys, NOW, info) == 1);
    memset(seed, 0x11, sizeof seed);
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    rc = file_remove_tree(folder, &err);
    assert(key && rc == 0);
    arena_free(&a);
    return 0;
}

static void put64(struct sb *b, struct str bytes)
{
    char *text = arena_alloc(b->arena, bytes.n * 4 / 3 + 4);

    if (text)
        sb_put(b, (struct str){ text, base64url_encode(text, bytes.p, bytes.n) });
}

static struct str sign(struct arena *a, struct str header, struct str payload)
{
    struct sb     b = SB(a);
    unsigned char signature[64];
    size_t        n = sizeof signature;
    EVP_MD_CTX   *ctx = EVP_MD_CTX_new();

    put64(&b, header);
    sb_putc(&b, '.');
    put64(&b, payload);
    bool ok = EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1
              && EVP_DigestSign(ctx, signature, &n, (const unsigned char *)sb_str(&b).p, b.n) == 1;
    EVP_MD_CTX_free(ctx);
    assert(ok);
    sb_putc(&b, '.');
    put64(&b, (struct str){ (const char *)signature, n });
    return sb_str(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena        a = ARENA(1 << 20);
    struct token_claims c;
    struct error        err = { 0 };
    struct sb           header = SB(&a);

    if (size < 1)
        return 0;
    struct str rest = { (const char *)data + 1, size - 1 }, token = rest;
    sb_printf(&header, "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", info[0].kid);
    if (data[0] % 3 == 1)
        token = sign(&a, rest, S("{}"));
    else if (data[0] % 3 == 2)
        token = sign(&a, sb_str(&header), rest);
    if (token_verify(keys, token, NOW, &c, &err) == 0)
        assert(data[0] % 3 == 2 && strlen(c.subject) == 36 && strlen(c.tenant) == 36 && strlen(c.session) == 36
               && c.role[0] != '\0' && c.expires_at > NOW - TOKEN_LEEWAY_S
               && c.expires_at - c.issued_at <= TOKEN_LIFE_MAX_S);
    else
        assert(err.code == ERR_UNAUTHORIZED);
    arena_free(&a);
    return 0;
}
