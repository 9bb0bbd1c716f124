/* api.h - what the handlers share: the process-wide parts, the thread's database connection, and the few ways to answer. Handlers read
   parameters, check, make one store call, and write; status numbers stand in tbl/errors.def and in routes.c's answers only. */
#ifndef DMS_API_API_H
#define DMS_API_API_H

#include "blob/blob.h"
#include "crypto/token.h"
#include "domain/permission.h"
#include "domain/settings.h"
#include "embed/embedder.h"
#include "http/http.h"
#include "queue/queue.h"
#include "store/db.h"
#include "store/job.h"

enum { API_LOOPS = 64 }; /* the most that the setting loops allows */

struct address_list;
struct auth_cache;
struct credential_watch;
struct pipeline;
struct limiter;
struct event_hub;
struct oidc;

/* What loop_open gives each event loop: its ways to the database, NULL once they are closed. Slow statements have one of their own, so that
   quick ones never wait behind them. */
struct api_loop {
    struct pipeline *quick, *slow;
};

/* Made by serve at start; immutable afterwards but for what its parts lock themselves. */
struct api {
    const struct settings *settings;
    const char            *conninfo, *issuer, *version, *commit;
    struct token_keys     *keys;
    unsigned char          pepper[32];
    struct blob_store     *blobs;
    struct embedder       *embedder; /* NULL: no model, keyword leg only */
    struct queue          *queue;    /* NULL: no Redis configured */
    struct auth_cache     *auth;
    struct limiter        *limiter;
    struct event_hub      *events;
    struct oidc           *oidc;
    struct db             *events_db; /* of the thread that hears what other processes tell */
    struct work_pool      *pool;
    struct api_loop        loops[API_LOOPS]; /* filled while the server is opened */
    unsigned               loop_count;
    struct http_server    *server;
    int64_t                started_us;
};

/* What thread_open gives each thread of the work lane. */
struct api_thread {
    struct api *api;
    struct db  *db;
};

static inline struct api *api_of(const struct request *req)
{
    return req->app;
}
static inline struct db *api_db(const struct request *req)
{
    return ((struct api_thread *)req->thread)->db;
}
/* What the role does not allow was let in by a grant: then only what such grants open is there. */
static inline struct db_scope api_scope(const struct request *req)
{
    uint64_t missing = req->route->needs & PERM_ALL & ~req->who.granted;

    return (struct db_scope){ req->who.tenant_id, req->who.user_id, grant_needed(missing) };
}

/* --- answers --- */

/* What a transaction came to; sent after its commit, remembered with it under the request's Idempotency-Key. */
struct answer {
    unsigned    status;
    const char *location, *etag; /* or NULL */
    struct str  body;            /* JSON */
};
typedef int answer_fn(struct db *db, struct request *req, void *arg, struct answer *ret, struct error *err);

/* Runs fn in one transaction of the caller's tenant. With an Idempotency-Key header: answers what the first request with this key got,
   refuses another body (fingerprint; "" takes the JSON body's), and stores the answer in the same transaction. */
MUST_CHECK int api_answer_in_tx(struct request *req, const char *fingerprint, answer_fn *fn, void *arg);

/* Whether the request's Idempotency-Key, if it has one, is that of an answered request. */
MUST_CHECK int api_answered_before(struct request *req, bool *ret);

/* One statement whose first row has a column body (JSON) and perhaps etag; no row: NOT_FOUND. */
MUST_CHECK int api_answer_query(struct request *req, unsigned status, enum sql q, const char *const *args, int nargs);

/* One row for the audit log, in the transaction of the act. before and after are JSON or NULL, without secrets. An action that ends in _failed, _refused or
   _reused is told as refused. */
MUST_CHECK int api_audit(struct db *db, struct request *req, const char *action, const char *object_type,
                         const char *object_id, const char *before, const char *after, struct error *err);
/* Whether a read of a document's content is to be noted: the setting audit_reads. sensitive: by the document's classification. */
bool api_audits_read(const struct request *req, bool sensitive);

/* A mail to be sent once the transaction of the act commits: a template of tbl/mails.def, its values as a JSON object of printable texts. In the
   language of who has that address, else of who asks. to "": nobody; costs the same. */
MUST_CHECK int api_mail(struct db *db, struct request *req, const char *template, const char *to, const char *values,
                        struct error *err);

/* Tells open event streams of this tenant (here and in other replicas). */
void api_notify_document(struct request *req, const char *document_id, unsigned version, const char *status,
                         const char *step);

/* If-Match against what people changed: the number before the first dot of the tag. Processing goes on meanwhile and is no conflict. */
MUST_CHECK int api_if_match(struct request *req, const char *revision, struct error *err);

/* Refuses what would come to lie outside of any folder (folder_id NULL), where nothing is granted, when only a grant lets the request in. */
MUST_CHECK int api_check_place(struct request *req, const char *folder_id);

/* --- the parts --- */
/* entries: how many credentials it remembers, at least 8. */
struct auth_cache *auth_cache_open(unsigned ttl_ms, unsigned entries, struct error *err);
void               auth_cache_close(struct auth_cache *c);
/* digest: SHA-256 of the credential. CACHED_NOT: not there, or run out. CACHED_FRESH, and CACHED_ELSEWHERE when the credential may not be used from
   this address: checked less than ttl_ms ago. *ret is set but for CACHED_NOT. */
enum cached { CACHED_NOT, CACHED_STALE, CACHED_ELSEWHERE, CACHED_FRESH };
enum cached auth_cache_get(struct auth_cache *c, const unsigned char digest[32], const char *ip, struct principal *ret);
/* allowed: the addresses it may be used from, taken over; NULL: any. */
void            auth_cache_put(struct auth_cache *c, const unsigned char digest[32], const struct principal *who,
                               struct address_list *allowed);
enum auth_state api_authenticate(struct request *req);      /* http_app.authenticate */
int             api_authenticate_slow(struct request *req); /* http_app.authenticate_slow */
/* Looks anew at what a principal of a while ago may do. ERR_UNAUTHORIZED, ERR_FORBIDDEN: its credential has ended, or may not come from here. */
MUST_CHECK int api_principal_renew(struct db *db, struct arena *a, const char *ip, struct principal *who,
                                   struct error *err);
void           auth_cache_forget_session(struct auth_cache *c, const char *session_id);
void           auth_cache_forget_all(struct auth_cache *c);
/* Looks every few seconds, as long as it is open, at the files of api->keys (what a removed key has signed is out with it) and at who has
   event streams open. */
struct credential_watch *credential_watch_open(struct api *api, struct error *err);
void                     credential_watch_close(struct credential_watch *w);
/* dms_<env>_<sk|pk>_<26 random><6 checksum> */
const char *api_key_make(struct arena *a, const char *env, const char *kind);
bool        api_key_plausible(const char *env, struct str key); /* a key of this environment, typed right */
void        api_key_hash(const struct api *api, struct str key, unsigned char ret[32]);

int api_limit(struct request *req); /* http_app.limit */
/* A counted upload came to nothing, or was a repeat: it does not count as a document. Once a request. */
void api_limit_not_uploaded(struct request *req);

bool api_upload_limited(struct request *req);                    /* http_app.upload_limited */
int  api_upload_room(struct request *req, uint64_t least_bytes); /* http_app.upload_room */
/* Books documents and bytes in the transaction that stores them; ERR_QUOTA with limit, use and where to get more. */
MUST_CHECK int api_quota_reserve(struct db *db, struct request *req, unsigned documents, uint64_t bytes,
                                 struct error *err);

struct event_hub *event_hub_open(struct error *err);
void              event_hub_close(struct event_hub *h);
/* Any thread, with a connection of its own: to the streams of the tenant; what is about a document, to those who may see it. */
void event_hub_publish(struct event_hub *h, struct db *db, const char *tenant_id, const char *type, struct str json);
/* Ends the streams whose credential has ended, or hears more or less than when they were opened: their clients come back with what they have. */
void event_hub_check(struct event_hub *h, struct db *db);
bool event_hub_empty(struct event_hub *h);

/* http_app.check: the header Content-Digest (RFC 9530) against the body as it came. */
int  content_digest_open(struct request *req, void **ret);
void content_digest_add(void *check, struct str bytes);
int  content_digest_end(void *check, struct error *err);

int  api_read(struct request *req); /* http_app.read */
void api_finished(struct request *req, unsigned status, uint64_t bytes_in, uint64_t bytes_out, int64_t took_us);

extern const struct route api_routes[];
extern const size_t       api_route_count;
/* Everything above as the server wants it. */
struct http_app api_http_app(struct api *api);

#endif
