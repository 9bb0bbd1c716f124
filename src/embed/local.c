/* local.c - the encoder in this process. Each batch runs on one core, so cores do not wait for one another.
   Queries: computed by the threads that ask, at most one per core at a time; who gets a turn takes along all that wait.
   Ingest: computed by threads of our own at low priority, so that a query never waits for it (nor does one in another process). */
#include "embed/bert.h"
#include "embed/provider.h"
#include "embed/wordpiece.h"

#include "base/file.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    MAX_THREADS = 64,
    BATCH_TOKENS = 512,    /* enough for full speed, few enough for the caches and for small memory */
    BATCH_SEQUENCES = 256, /* a sequence has at least two tokens */
    MAX_TEXTS = 512,       /* of a call, tokenised at a time */
    INGEST_NICE = 5,
    MAX_PATHS_BYTES = 16384,
    PRIORITIES = EMBED_INGEST + 1,
};

static const char how_to_add[] =
    "The embedding model is not installed, so search is by words only. Add it with \"script/model DIR\", or "
    "name a service that speaks the OpenAI embeddings protocol.";

/* A text on its way, in the arena of the call. */
struct item {
    struct bert_sequence sequence;
    size_t              *left; /* of the call: sequences not yet computed */
    struct item         *next;
};

struct queue {
    struct item *first, **last;
};

struct core {
    struct local        *local;
    struct bert_scratch *query, *ingest;
    struct core         *next_free;
    pthread_t            thread;
    bool                 started;
};

struct local {
    struct embedder   embedder;
    struct wordpiece *wordpiece;
    struct bert      *bert;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t  some_ingest, done;
    struct queue    queues[PRIORITIES];
    struct core    *free; /* not computing a query now */
    bool            closing;
    unsigned        threads;
    struct core     cores[];
};

static void queue_put(struct queue *q, struct item *i)
{
    i->next = NULL;
    *q->last = i;
    q->last = &i->next;
}

static struct item *queue_take(struct queue *q)
{
    struct item *i = q->first;

    q->first = i->next;
    if (!q->first)
        q->last = &q->first;
    return i;
}

/* With the lock held: computes one batch of what waits, the lock released meanwhile. */
static void run_batch(struct local *l, struct queue *q, struct bert_scratch *scratch)
{
    struct bert_sequence batch[BATCH_SEQUENCES];
    size_t              *left[BATCH_SEQUENCES];
    size_t               n = 0, tokens = 0;

    while (n < BATCH_SEQUENCES && q->first && tokens + q->first->sequence.n <= BATCH_TOKENS) {
        struct item *i = queue_take(q);

        tokens += i->sequence.n;
        left[n] = i->left;
        batch[n++] = i->sequence;
    }
    pthread_mutex_unlock(&l->lock);
    bert_run(l->bert, scratch, batch, n);
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < n; i++)
        --*left[i];
    pthread_cond_broadcast(&l->done);
}

static void *ingest_main(void *arg)
{
    struct core  *c = arg;
    struct local *l = c->local;
    struct queue *q = &l->queues[EMBED_INGEST];
    int ignored = setpriority(PRIO_PROCESS, (id_t)gettid(), INGEST_NICE); /* this thread only; it works without, too */

    (void)ignored;
    pthread_mutex_lock(&l->lock);
    while (!l->closing) {
        if (q->first)
            run_batch(l, q, c->ingest);
        else
            pthread_cond_wait(&l->some_ingest, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* With the lock held: takes turns at computing queries until those of this call are done. */
static void run_queries(struct local *l, const size_t *left)
{
    struct queue *q = &l->queues[EMBED_QUERY];

    while (*left > 0) {
        struct core *c = l->free;

        if (!q->first || !c) {
            pthread_cond_wait(&l->done, &l->lock);
            continue;
        }
        l->free = c->next_free;
        run_batch(l, q, c->query);
        c->next_free = l->free;
        l->free = c;
        pthread_cond_broadcast(&l->done); /* there is a free core */
    }
}

static int longest_first(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return (x->sequence.n < y->sequence.n) - (x->sequence.n > y->sequence.n);
}

/* At most MAX_TEXTS texts. Long ones go first, so that the cores end at about the same time. */
static int run_some(struct local *l, enum embed_priority priority, const struct str *texts, size_t n, float *ret,
                    struct error *err)
{
    size_t                             room = n * (sizeof(struct item) + BERT_MAX_TOKENS * sizeof(uint32_t));
    _cleanup_(arena_free) struct arena a = ARENA(room + 64);
    struct item                       *items = arena_alloc_array(&a, n, sizeof *items);
    uint32_t                          *ids = arena_alloc_array(&a, n * BERT_MAX_TOKENS, sizeof *ids);
    size_t                             left = n;

    if (!items || !ids)
        return error_set(err, ERR_UNAVAILABLE, "no memory for the tokens of %zu texts", n);
    for (size_t i = 0; i < n; i++, ids += BERT_MAX_TOKENS) {
        size_t tokens = wordpiece_encode(l->wordpiece, texts[i], ids + 1, BERT_MAX_TOKENS - 2);

        ids[0] = WORDPIECE_CLS;
        ids[tokens + 1] = WORDPIECE_SEP;
        items[i] = (struct item){ .sequence = { ids, tokens + 2, ret + i * BERT_WIDTH }, .left = &left };
    }
    qsort(items, n, sizeof *items, longest_first);
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < n; i++)
        queue_put(&l->queues[priority], &items[i]);
    if (priority == EMBED_QUERY)
        run_queries(l, &left);
    else {
        pthread_cond_broadcast(&l->some_ingest);
        while (left > 0)
            pthread_cond_wait(&l->done, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return 0;
}

static int local_run(struct embedder *e, enum embed_priority priority, const struct str *texts, size_t n, float *ret,
                     struct error *err)
{
    struct local *l = (struct local *)e;

    for (size_t at = 0; at < n; at += MAX_TEXTS)
        if (run_some(l, priority, texts + at, n - at < MAX_TEXTS ? n - at : MAX_TEXTS, ret + at * BERT_WIDTH, err) < 0)
            return -1;
    return 0;
}

static size_t local_count_tokens(const struct embedder *e, struct str text)
{
    return wordpiece_count(((const struct local *)e)->wordpiece, text);
}

static void local_close(struct embedder *e)
{
    struct local *l = (struct local *)e;

    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->some_ingest);
    pthread_mutex_unlock(&l->lock);
    for (unsigned i = 0; i < l->threads; i++) {
        if (l->cores[i].started)
            pthread_join(l->cores[i].thread, NULL);
        bert_scratch_close(l->cores[i].query);
        bert_scratch_close(l->cores[i].ingest);
    }
    bert_close(l->bert);
    wordpiece_close(l->wordpiece);
    pthread_cond_destroy(&l->some_ingest);
    pthread_cond_destroy(&l->done);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static const struct provider local_provider = { local_close, local_count_tokens, local_run };

static int start_cores(struct local *l, struct error *err)
{
    sigset_t all, before;
    int      failed = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals belong to the main thread */
    for (unsigned i = 0; i < l->threads && failed == 0; i++) {
        struct core *c = &l->cores[i];

        c->local = l;
        c->query = bert_scratch_open(BATCH_TOKENS, err);
        c->ingest = c->query ? bert_scratch_open(BATCH_TOKENS, err) : NULL;
        failed = c->ingest ? pthread_create(&c->thread, NULL, ingest_main, c) : -1;
        c->started = failed == 0;
        c->next_free = l->free;
        l->free = c;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0
               ? 0
               : error_set(err, ERR_UNAVAILABLE, "cannot start a thread: %s", strerror(failed > 0 ? failed : 0));
}

static int open_model(struct local *l, const char *dir, enum embed_precision precision, struct error *err)
{
    _cleanup_(arena_free) struct arena a = ARENA(MAX_PATHS_BYTES);
    struct error                       why = { 0 };

    l->wordpiece = wordpiece_open(path_join(&a, dir, "vocab.txt"), &why);
    l->bert = l->wordpiece ? bert_open(path_join(&a, dir, "model.safetensors"), precision, &why) : NULL;
    if (why.code == ERR_UNAVAILABLE)
        return error_say(err, ERR_UNAVAILABLE, NULL, "%s", how_to_add);
    if (!l->bert)
        return error_set(err, ERR_INTERNAL, "%s", why.detail);
    if (wordpiece_size(l->wordpiece) != BERT_VOCAB)
        return error_set(err, ERR_INTERNAL, "the vocabulary is not the one of the model");
    return 0;
}

struct embedder *embedder_open_local(const char *dir, unsigned threads, enum embed_precision precision,
                                     struct error *err)
{
    threads = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
    struct local *l = calloc(1, sizeof *l + threads * sizeof l->cores[0]);

    if (!l) {
        error_set(err, ERR_UNAVAILABLE, "no memory for the embedding model");
        return NULL;
    }
    l->embedder = (struct embedder){ &local_provider, "all-MiniLM-L6-v2", BERT_WIDTH };
    l->threads = threads;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->some_ingest, NULL);
    pthread_cond_init(&l->done, NULL);
    for (size_t i = 0; i < PRIORITIES; i++)
        l->queues[i].last = &l->queues[i].first;
    if (open_model(l, dir, precision, err) == 0 && start_cores(l, err) == 0)
        return &l->embedder;
    local_close(&l->embedder);
    return NULL;
}
