/* test_jws.c - the RFCs' own examples, and the keys that must not verify anything. What a whole token may look like is test/identity/test_oidc.py's. */
#include "crypto/jws.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CLAIMS "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
/* RFC 7515, A.2 */
#define RSA_N \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RSA(more) "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"" more "}"
#define RSA_TOKEN                  \
    "eyJhbGciOiJSUzI1NiJ9." CLAIMS \
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
/* RFC 7515, A.3 */
#define EC_X     "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y     "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC(more) "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"" more "}"
#define EC_TOKEN                   \
    "eyJhbGciOiJFUzI1NiJ9." CLAIMS \
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
/* RFC 8037, A.4: its payload is a sentence */
#define ED "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define ED_TOKEN \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define SET(keys) "{\"keys\":[" keys "]}"

/* NULL: taken; else why not. */
static const char *verify(struct arena *a, const char *token, const char *set, struct jws *ret)
{
    struct error  err = { 0 };
    const json_t *keys = json_read(a, str_of(set), 8, 100, &err);
    bool          unknown;

    assert_non_null(keys);
    if (jws_verify(a, str_of(token), keys, ret, &unknown, &err) == 0)
        return NULL;
    assert_int_equal(err.code, ERR_UNAUTHORIZED);
    assert_int_equal(unknown, strstr(err.detail, "not known") != NULL);
    return arena_text(a, err.detail, strlen(err.detail));
}

static void the_rfcs_examples_are_taken(void **state)
{
    struct arena a = ARENA(1 << 20);
    struct jws   jws;

    (void)state;
    assert_null(verify(&a, RSA_TOKEN, SET(RSA("")), &jws));
    assert_int_equal(jws.alg, JWS_RS256);
    assert_string_equal(jv_text(jws.claims, "iss", ""), "joe");
    assert_null(verify(&a, EC_TOKEN, SET(RSA("") "," EC(",\"alg\":\"ES256\",\"use\":\"sig\"")), &jws));
    assert_int_equal(jws.alg, JWS_ES256);
    assert_string_equal(verify(&a, ED_TOKEN, SET(ED), &jws), "token refused: its claims are not an object");
    arena_free(&a);
}

static void other_keys_verify_nothing(void **state)
{
    static const struct {
        const char *token, *set, *why;
    } cases[] = {
        { RSA_TOKEN, SET(""), "not known" },
        { RSA_TOKEN, "{}", "not known" },
        { RSA_TOKEN, "{\"keys\":{}}", "not known" },
        { RSA_TOKEN, "{\"keys\":[1,null,\"x\"]}", "another algorithm" },
        { RSA_TOKEN, SET(EC("")), "another algorithm" },
        { RSA_TOKEN, SET(RSA(",\"use\":\"enc\"")), "another algorithm" },
        { RSA_TOKEN, SET(RSA(",\"key_ops\":[\"encrypt\"]")), "another algorithm" },
        { RSA_TOKEN, SET(RSA(",\"alg\":\"RS512\"")), "another algorithm" },
        { RSA_TOKEN, SET(RSA(",\"kid\":\"a\"") "," RSA(",\"kid\":\"b\"")), "several" },
        { RSA_TOKEN, SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"}"), "too weak" },
        { RSA_TOKEN, SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AA\"}"), "too weak" },
        { RSA_TOKEN, SET("{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0t\",\"e\":\"AQAB\"}"), "too weak" },
        { RSA_TOKEN, SET("{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}"), "too weak" },
        { EC_TOKEN, SET("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}"),
          "another algorithm" },
        { EC_TOKEN, SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_X "\"}"),
          "too weak" }, /* off the curve */
        { EC_TOKEN, SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\"}"), "too weak" },
        { ED_TOKEN, SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKx\"}"), "too weak" },
        { ED_TOKEN, SET("{\"kty\":\"oct\",\"k\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"),
          "another algorithm" },
    };
    struct jws jws;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a = ARENA(1 << 20);
        const char  *why = verify(&a, cases[i].token, cases[i].set, &jws);

        assert_non_null(why);
        if (!strstr(why, cases[i].why))
            fail_msg("case %zu: %s", i, why);
        arena_free(&a);
    }
}

static void every_changed_character_is_seen(void **state)
{
    struct arena a = ARENA(64 << 20);
    char         token[] = EC_TOKEN;
    struct jws   jws;

    (void)state;
    for (size_t i = 0; i < sizeof token - 1; i++) {
        char was = token[i];

        token[i] = was == 'B' ? 'D' : 'B';
        assert_non_null(verify(&a, token, SET(EC("")), &jws));
        token[i] = was;
    }
    arena_free(&a);
}

static void the_half_hash_is_the_standards(void **state)
{
    struct arena a = ARENA(4096);

    (void)state; /* OpenID Connect Core 1.0, A.3 */
    assert_string_equal(jws_half_hash(&a, JWS_RS256, S("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y")),
                        "77QmUPtjPfzWtF2AnpK9RQ");
    assert_int_equal(strlen(jws_half_hash(&a, JWS_EDDSA, S("x"))), 43);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_examples_are_taken),
        cmocka_unit_test(other_keys_verify_nothing),
        cmocka_unit_test(every_changed_character_is_seen),
        cmocka_unit_test(the_half_hash_is_the_standards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
