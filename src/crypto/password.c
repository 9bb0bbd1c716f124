/* password.c - see password.h. Parameters: OWASP's first choice of equal strength, 19 MiB, two passes, one lane. */
#include "crypto/password.h"

#include "base/uuid.h"

#include <argon2.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

enum { MEMORY_KIB = 19456, PASSES = 2, LANES = 1, TAG = 32, SALT = 16 };

/* Fifty sign-ins at once would otherwise take a gigabyte. */
static sem_t          gate;
static pthread_once_t gate_once = PTHREAD_ONCE_INIT;

static void gate_open(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    sem_init(&gate, 0, cores > 0 ? (unsigned)cores : 1);
}

static void gate_enter(void)
{
    pthread_once(&gate_once, gate_open);
    while (sem_wait(&gate) < 0)
        ;
}

int password_hash(const char *password, char ret[PASSWORD_HASH_SIZE], struct error *err)
{
    unsigned char salt[SALT];

    random_bytes(salt, sizeof salt);
    gate_enter();
    int rc = argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password, strlen(password), salt, sizeof salt, TAG, ret,
                                   PASSWORD_HASH_SIZE);
    sem_post(&gate);
    return rc == ARGON2_OK ? 0 : error_set(err, ERR_UNAVAILABLE, "argon2: %s", argon2_error_message(rc));
}

bool password_verify(const char *password, const char *hash)
{
    /* Of no password at all: its salt and tag are just letters. Same parameters as above. */
    static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keSE$"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    gate_enter();
    int rc = argon2id_verify(hash ? hash : nobody, password, strlen(password));
    sem_post(&gate);
    return rc == ARGON2_OK && hash;
}

bool password_outdated(const char *hash)
{
    char now[64];

    snprintf(now, sizeof now, "$argon2id$v=19$m=%d,t=%d,p=%d$", MEMORY_KIB, PASSES, LANES);
    return strncmp(hash, now, strlen(now)) != 0;
}
