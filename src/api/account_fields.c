/* account_fields.c - see account.h: addresses and passwords as people type them, secrets as we make them. Knows no database. */
#include "api/account.h"

#include "base/uuid.h"
#include "crypto/hash.h"
#include "crypto/password.h"

#include <utf8proc.h>

enum { SECRET_BYTES = 32, PASSWORD_BYTES = PASSWORD_MAX * 16 /* before NFC: a character may be several */ };

const char *field_email(struct json_fields *f, const char *name)
{
    const char *s = json_name(f, name, /* required= */ true, EMAIL_MAX, NULL);
    char       *lower = s ? arena_alloc(f->arena, strlen(s) + 1) : NULL;
    size_t      at = 0, n = 0;
    bool        ok = lower;

    for (; ok && s[n]; n++) {
        unsigned char c = (unsigned char)s[n];

        ok = c > ' ' && c < 0x7f && !strchr("\"(),:;<>[\\]", c) && !(c == '@' && at > 0);
        at = c == '@' ? n : at;
        lower[n] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    const char *dot = ok && at > 0 ? strrchr(lower + at, '.') : NULL;
    if (s && !(dot && dot > lower + at + 1 && dot[1] != '\0'))
        json_fields_note(f, name, "is not an e-mail address");
    return lower;
}

const char *email_read(struct arena *a, const char *text)
{
    struct json_fields f;
    struct sb          b = SB(a);
    struct error       ignored = { 0 }; /* NULL says it */

    if (!text)
        return NULL;
    sb_puts(&b, "{\"email\":");
    sb_json(&b, text);
    sb_putc(&b, '}');
    json_fields_begin(&f, a, json_read(a, sb_str(&b), 2, 2, &ignored));
    const char *email = field_email(&f, "email");
    return json_fields_end(&f, &ignored) == 0 ? email : NULL;
}

const char *field_password(struct json_fields *f, const char *name, uint64_t min, const char *email)
{
    const char *s = json_text(f, name, /* required= */ true, PASSWORD_BYTES, NULL);
    uint8_t    *nfc = s ? utf8proc_NFC((const uint8_t *)s) : NULL;
    const char *ret = nfc ? arena_text(f->arena, (const char *)nfc, strlen((const char *)nfc)) : s;
    size_t      n = ret ? utf8_count(str_of(ret)) : 0;

    if (nfc)
        bytes_wipe(nfc, strlen((const char *)nfc));
    free(nfc);
    if (s && (n < min || n > PASSWORD_MAX))
        json_fields_note(f, name, n < min ? "is too short" : "is too long: at most 128 characters");
    else if (ret && email && strcasecmp(ret, email) == 0)
        json_fields_note(f, name, "must not be the e-mail address");
    else if (ret && min > 1 && password_common(ret))
        json_fields_note(f, name, "is among the passwords that are guessed first: choose another");
    return ret;
}

void secret_hash(struct str secret, char ret[SECRET_HASH_SIZE])
{
    unsigned char digest[HASH_SIZE];

    hash_of(secret, digest);
    db_bytea(ret, digest, HASH_SIZE);
}

const char *secret_make(struct arena *a, char ret_hash[SECRET_HASH_SIZE])
{
    unsigned char secret[SECRET_BYTES];
    char          text[SECRET_BYTES * 4 / 3 + 4];
    size_t        n;

    random_bytes(secret, sizeof secret);
    n = base64url_encode(text, secret, sizeof secret);
    secret_hash((struct str){ text, n }, ret_hash);
    const char *ret = arena_text(a, text, n);
    bytes_wipe(secret, sizeof secret);
    bytes_wipe(text, sizeof text);
    return ret ? ret : "";
}
