/* load.c - dms-bench-load: asks an HTTP server at a given rate and prints, as JSON, how long the answers took. Open loop: arrivals are fixed in
   advance (Poisson, seeded) and a latency counts from when its request was due, so a server that stalls cannot hide it. One thread, epoll,
   kept-alive connections taken first in, first out. Knows of HTTP/1.1 what our server answers to a GET: a head with Content-Length. */
#include "base/text.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    STEPS = 256, /* so that a percentile is at most 0.8 % too high */
    BUCKETS = STEPS * 16,
    HEAD = 4096,
    EVENTS = 32, /* a turn is short, so that what is due starts in time */
    LATE_NS = 1000000,
    RETRY_NS = 100000000,
};
static const int64_t SECOND = 1000000000, CONNECT_NS = 10000000000; /* of waiting for all connections */

/* --- a histogram of microseconds -------------------------------------------------------------------------------------- */

struct histogram {
    uint64_t total, max;
    uint32_t count[BUCKETS];
};

/* Below STEPS a bucket a value; above, each power of two in STEPS / 2 buckets. */
static size_t bucket_of(uint64_t us)
{
    if (us < STEPS)
        return us;
    unsigned shift = (unsigned)(63 - __builtin_clzll(us)) - 7;

    return (size_t)shift * (STEPS / 2) + (us >> shift);
}

static uint64_t bucket_top(size_t b)
{
    if (b < STEPS)
        return b;
    unsigned shift = (unsigned)(b / (STEPS / 2)) - 1;

    return ((b - (size_t)shift * (STEPS / 2) + 1) << shift) - 1;
}

static void record(struct histogram *h, int64_t ns)
{
    uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    size_t   b = bucket_of(us);

    h->count[b < BUCKETS ? b : BUCKETS - 1]++;
    h->total++;
    if (us > h->max)
        h->max = us;
}

/* The smallest value that `share` of all do not exceed, in milliseconds. */
static double percentile(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)ceil(share * (double)h->total), seen = 0;

    for (size_t b = 0; b < BUCKETS; b++) {
        seen += h->count[b];
        if (seen >= wanted && seen > 0) {
            uint64_t us = bucket_top(b);
            return (double)(us < h->max ? us : h->max) / 1000;
        }
    }
    return 0;
}

static void print_histogram(const char *name, const struct histogram *h)
{
    printf(
        " \"%s\": {\"count\": %llu, \"p50\": %.3f, \"p90\": %.3f, \"p95\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f, \"max\": %.3f},\n",
        name, (unsigned long long)h->total, percentile(h, .5), percentile(h, .9), percentile(h, .95),
        percentile(h, .99), percentile(h, .999), (double)h->max / 1000);
}

/* --- what one run is ---------------------------------------------------------------------------------------------------- */

enum state { CLOSED, CONNECTING, FREE, ASKED };

struct list {
    struct conn *first, *last;
};

struct conn {
    struct conn *next, *prev;
    struct list *in; /* the list it stands in: of its state, the longest there first */
    int          fd;
    enum state   state;
    int64_t      since; /* it is in this state */
    int64_t      due;   /* of the request under way */
    bool         counts, close_after;
    unsigned     status;
    size_t       head_n;
    int64_t      left; /* of the body; -1: still in the head */
    char         head[HEAD + 1];
};

struct slice {
    uint64_t         ok, refused, failed;
    struct histogram latency;
};

struct load {
    /* the order */
    struct sockaddr_in to;
    uint64_t           connections, rate, seconds, warmup, seed, timeout_ms, slice_ms;
    const char        *address, *paths_file, *token_file;
    struct str        *requests;
    size_t             n_requests;
    struct arena       arena;
    /* the run */
    int           epoll;
    struct conn  *conns;
    struct list   closed, connecting, free, asked;
    uint64_t      random, open;
    size_t        next_request;
    int64_t       start, counted_from, end, due;
    struct slice *slices;
    size_t        n_slices;
    /* the result */
    uint64_t         due_count, sent, unsent, late_no_connection, late_self;
    uint64_t         s2xx, s3xx, s4xx, s429, s503, s5xx;
    uint64_t         refused, reset, timeouts, connect_timeouts, garbled;
    int64_t          connect_ns;
    struct histogram latency, service, refusal;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

/* The distance to the next arrival, exponential: splitmix64 into (0, 1], then -ln. */
static int64_t next_gap(struct load *l)
{
    uint64_t z = l->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (int64_t)(-log(((double)(z >> 11) + 1) / 9007199254740992.0) * 1e9 / (double)l->rate);
}

/* --- connections ---------------------------------------------------------------------------------------------------------- */

static void move(struct conn *c, struct list *to, enum state state, int64_t now)
{
    if (c->in) {
        *(c->prev ? &c->prev->next : &c->in->first) = c->next;
        *(c->next ? &c->next->prev : &c->in->last) = c->prev;
    }
    c->prev = to->last;
    c->next = NULL;
    *(to->last ? &to->last->next : &to->first) = c;
    to->last = c;
    c->in = to;
    c->state = state;
    c->since = now;
}

static void drop(struct load *l, struct conn *c, int64_t now)
{
    if (c->state == FREE || c->state == ASKED)
        l->open--;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    move(c, &l->closed, CLOSED, now);
}

static void open_conn(struct load *l, struct conn *c, int64_t now)
{
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };
    if (c->fd < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0) {
        perror("dms-bench-load: socket");
        exit(1);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    move(c, &l->connecting, CONNECTING, now);
    if (connect(c->fd, (const struct sockaddr *)&l->to, sizeof l->to) < 0 && errno != EINPROGRESS) {
        l->refused++;
        drop(l, c, now);
    }
}

static void connected(struct load *l, struct conn *c, int64_t now)
{
    int                failure = 0;
    socklen_t          n = sizeof failure;
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &n) < 0 || failure != 0
        || epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e) < 0) {
        l->refused++;
        drop(l, c, now);
        return;
    }
    c->head_n = 0;
    c->left = -1;
    c->close_after = false;
    move(c, &l->free, FREE, now);
    if (++l->open == l->connections && l->connect_ns == 0)
        l->connect_ns = now - l->start;
}

/* --- requests --------------------------------------------------------------------------------------------------------------- */

static struct slice *slice_of(struct load *l, int64_t due)
{
    size_t i = l->n_slices > 0 ? (size_t)((due - l->start) / (int64_t)(l->slice_ms * 1000000)) : 0;

    return i < l->n_slices ? &l->slices[i] : NULL;
}

/* How a request that counts ended: answered, or given up. ret_ns is what its user waited. */
static void note_wait(struct load *l, int64_t due, int64_t waited, unsigned status)
{
    struct slice *s = slice_of(l, due);

    record(&l->latency, waited);
    if (!s)
        return;
    record(&s->latency, waited);
    if (status >= 200 && status < 300)
        s->ok++;
    else if (status == 429 || status == 503)
        s->refused++;
    else
        s->failed++;
}

/* The connection broke, timed out or answered nonsense; the one in ret_count is told. */
static void fail(struct load *l, struct conn *c, uint64_t *count, int64_t now)
{
    if (c->state == ASKED && c->counts) {
        ++*count;
        note_wait(l, c->due, now - c->due, 0);
    }
    drop(l, c, now);
    open_conn(l, c, now);
}

static void answered(struct load *l, struct conn *c, int64_t now)
{
    if (c->counts) {
        unsigned s = c->status;
        bool     refusal = s == 429 || s == 503;

        ++*(s == 429   ? &l->s429
            : s == 503 ? &l->s503
            : s < 300  ? &l->s2xx
            : s < 400  ? &l->s3xx
            : s < 500  ? &l->s4xx
                       : &l->s5xx);
        note_wait(l, c->due, now - c->due, s);
        if (s < 300 || refusal)
            record(refusal ? &l->refusal : &l->service, now - c->since);
    }
    c->head_n = 0;
    c->left = -1;
    if (!c->close_after) {
        move(c, &l->free, FREE, now);
        return;
    }
    drop(l, c, now);
    open_conn(l, c, now);
}

static void ask(struct load *l, struct conn *c, int64_t now)
{
    struct str r = l->requests[l->next_request++ % l->n_requests];

    c->due = l->due;
    c->counts = c->due >= l->counted_from;
    if (c->counts) {
        l->due_count++;
        l->sent++;
        if (now - c->due > LATE_NS)
            ++*(c->since > c->due ? &l->late_no_connection : &l->late_self);
    }
    move(c, &l->asked, ASKED, now);
    l->due += next_gap(l);
    if (write(c->fd, r.p, r.n) != (ssize_t)r.n) /* the connection is idle: its buffer has room for a request */
        fail(l, c, &l->reset, now);
}

static void ask_due(struct load *l, int64_t now)
{
    while (l->due <= now && l->due < l->end && l->free.first)
        ask(l, l->free.first, now);
}

/* Whoever was due and found no connection until the end has waited at least until now. */
static void count_unsent(struct load *l)
{
    for (; l->due < l->end; l->due += next_gap(l)) {
        l->due_count++;
        l->unsent++;
        note_wait(l, l->due, l->end - l->due, 0);
    }
}

/* --- answers ------------------------------------------------------------------------------------------------------------------ */

/* Status, Content-Length and Connection of a whole head; false when it is not one we understand. */
static bool read_head(struct conn *c)
{
    struct error err = { 0 };
    struct str   rest = { c->head, c->head_n }, line = str_cut(&rest, '\n');
    uint64_t     status, length = 0;

    if (line.n < 12 || !str_starts(line, S("HTTP/1.1 "))
        || parse_u64("status", (struct str){ line.p + 9, 3 }, 100, 599, &status, &err) < 0)
        return false;
    c->status = (unsigned)status;
    bool have = status == 204 || status == 304;
    while (rest.n > 0) {
        line = str_trim(str_cut(&rest, '\n'));
        struct str value = line, name = str_cut(&value, ':');

        value = str_trim(value);
        if (name.n == 14 && strncasecmp(name.p, "content-length", 14) == 0) {
            if (parse_u64("length", value, 0, INT64_MAX, &length, &err) < 0)
                return false;
            have = true;
        } else if (name.n == 10 && strncasecmp(name.p, "connection", 10) == 0)
            c->close_after = value.n == 5 && strncasecmp(value.p, "close", 5) == 0;
    }
    c->left = status == 204 || status == 304 ? 0 : (int64_t)length;
    return have;
}

/* Takes the head's part of what came; what is left over belongs to the body. False: not HTTP. */
static bool take_head(struct conn *c, struct str *got)
{
    size_t before = c->head_n > 3 ? c->head_n - 3 : 0, had = c->head_n, n = got->n < HEAD - had ? got->n : HEAD - had;

    memcpy(c->head + had, got->p, n);
    c->head_n += n;
    const char *end = memmem(c->head + before, c->head_n - before, "\r\n\r\n", 4);
    if (!end) {
        *got = (struct str){ got->p + n, got->n - n };
        return c->head_n < HEAD;
    }
    size_t head = (size_t)(end - c->head) + 4;
    *got = (struct str){ got->p + (head - had), got->n - (head - had) };
    c->head_n = head;
    return read_head(c);
}

static void receive(struct load *l, struct conn *c)
{
    static char buffer[65536];
    ssize_t     n = read(c->fd, buffer, sizeof buffer);
    int64_t     now = now_ns();

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || c->state != ASKED) {
        fail(l, c, &l->reset, now);
        return;
    }
    struct str got = { buffer, (size_t)n };
    if (c->left < 0 && !take_head(c, &got)) {
        fail(l, c, &l->garbled, now);
        return;
    }
    if (c->left < 0)
        return;
    if ((int64_t)got.n > c->left) {
        fail(l, c, &l->garbled, now);
        return;
    }
    c->left -= (int64_t)got.n;
    if (c->left == 0)
        answered(l, c, now);
}

/* --- the loop ------------------------------------------------------------------------------------------------------------------- */

static void look_at_clocks(struct load *l, int64_t now)
{
    int64_t patience = (int64_t)l->timeout_ms * 1000000;

    while (l->asked.first && now - l->asked.first->since > patience)
        fail(l, l->asked.first, &l->timeouts, now);
    while (l->connecting.first && now - l->connecting.first->since > patience) {
        l->connect_timeouts++;
        drop(l, l->connecting.first, now);
    }
    while (l->closed.first && now - l->closed.first->since > RETRY_NS)
        open_conn(l, l->closed.first, now);
}

static void turn(struct load *l, int64_t until)
{
    struct epoll_event events[EVENTS];
    int64_t            now = now_ns(), wake = until < now + RETRY_NS ? until : now + RETRY_NS;

    if (l->free.first && l->due < wake)
        wake = l->due;
    struct timespec wait = { .tv_nsec = wake > now ? wake - now : 0 };
    int             n = epoll_pwait2(l->epoll, events, EVENTS, &wait, NULL);
    now = now_ns();
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;

        if (c->state == CONNECTING)
            connected(l, c, now);
        else
            receive(l, c);
    }
    look_at_clocks(l, now);
}

static void run(struct load *l)
{
    l->start = now_ns();
    l->due = INT64_MAX;
    l->end = 0;
    for (uint64_t i = 0; i < l->connections; i++) {
        l->conns[i].fd = -1;
        open_conn(l, &l->conns[i], l->start);
    }
    while (l->open < l->connections && now_ns() - l->start < CONNECT_NS
           && !(l->open == 0 && l->refused >= 5 * l->connections))
        turn(l, l->start + CONNECT_NS);
    if (l->open == 0) {
        fprintf(stderr, "dms-bench-load: no connection to %s\n", l->address);
        exit(1);
    }
    l->start = now_ns();
    l->due = l->start + next_gap(l);
    l->counted_from = l->start + (int64_t)l->warmup * SECOND;
    l->end = l->start + (int64_t)(l->warmup + l->seconds) * SECOND;
    for (int64_t now; (now = now_ns()) < l->end;) {
        ask_due(l, now);
        turn(l, l->end);
    }
    ask_due(l, l->end); /* what became due in the last turn */
    count_unsent(l);
    l->due = INT64_MAX;
    while (l->asked.first)
        turn(l, l->asked.first->since + (int64_t)l->timeout_ms * 1000000 + 1000000);
}

static void print_slices(const struct load *l)
{
    printf(" \"slices\": [");
    for (size_t i = 0; i < l->n_slices; i++) {
        const struct slice *s = &l->slices[i];
        printf(
            "%s\n  {\"at_ms\": %llu, \"ok\": %llu, \"refused\": %llu, \"failed\": %llu, \"p50\": %.3f, \"p95\": %.3f, \"max\": %.3f}",
            i > 0 ? "," : "", (unsigned long long)i * l->slice_ms, (unsigned long long)s->ok,
            (unsigned long long)s->refused, (unsigned long long)s->failed, percentile(&s->latency, .5),
            percentile(&s->latency, .95), (double)s->latency.max / 1000);
    }
    printf("],\n");
}

static void print(const struct load *l)
{
    struct rusage r;
    const struct {
        const char *name;
        uint64_t    value;
    } counts[] = { { "connections", l->connections },
                   { "connected", l->open },
                   { "rate", l->rate },
                   { "seconds", l->seconds },
                   { "due", l->due_count },
                   { "sent", l->sent },
                   { "unsent", l->unsent },
                   { "late_no_connection", l->late_no_connection },
                   { "late_self", l->late_self },
                   { "2xx", l->s2xx },
                   { "3xx", l->s3xx },
                   { "4xx", l->s4xx },
                   { "429", l->s429 },
                   { "503", l->s503 },
                   { "5xx", l->s5xx },
                   { "refused", l->refused },
                   { "reset", l->reset },
                   { "timeout", l->timeouts },
                   { "connect_timeout", l->connect_timeouts },
                   { "garbled", l->garbled } };

    getrusage(RUSAGE_SELF, &r);
    printf("{");
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        printf(" \"%s\": %llu,", counts[i].name, (unsigned long long)counts[i].value);
    printf("\n");
    print_histogram("latency_ms", &l->latency);
    print_histogram("service_ms", &l->service);
    print_histogram("refusal_ms", &l->refusal);
    if (l->n_slices > 0)
        print_slices(l);
    printf(" \"connect_ms\": %.1f, \"cpu_seconds\": %.3f}\n", (double)l->connect_ns / 1e6,
           (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6);
}

/* --- the order -------------------------------------------------------------------------------------------------------------------- */

NORETURN static void stop(const char *what, const char *why)
{
    fprintf(stderr, "dms-bench-load: %s: %s\n", what, why);
    exit(2);
}

/* The whole file, in the arena. */
static struct str read_file(struct load *l, const char *path)
{
    struct sb b = SB(&l->arena);
    char      piece[65536];
    FILE     *f = fopen(path, "re");

    if (!f)
        stop(path, strerror(errno));
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        sb_put(&b, (struct str){ piece, n });
    fclose(f);
    return sb_str(&b);
}

/* A line is a path, or a path and a header that replaces everybody's token. */
static void make_requests(struct load *l)
{
    struct str rest = read_file(l, l->paths_file),
               token = l->token_file ? str_trim(read_file(l, l->token_file)) : S("");
    size_t room = 1;

    for (size_t i = 0; i < rest.n; i++)
        room += rest.p[i] == '\n';
    l->requests = arena_alloc(&l->arena, room * sizeof *l->requests);
    if (!l->requests)
        stop(l->paths_file, "no memory");
    while (rest.n > 0) {
        struct str own = str_trim(str_cut(&rest, '\n')), path = str_cut(&own, ' ');
        struct sb  b = SB(&l->arena);

        if (path.n == 0)
            continue;
        sb_printf(&b, "GET %.*s HTTP/1.1\r\nHost: %s\r\n", (int)path.n, path.p, l->address);
        if (own.n > 0)
            sb_printf(&b, "%.*s\r\n", (int)own.n, own.p);
        else if (token.n > 0)
            sb_printf(&b, "Authorization: Bearer %.*s\r\n", (int)token.n, token.p);
        sb_puts(&b, "\r\n");
        l->requests[l->n_requests++] = sb_str(&b);
    }
    if (l->n_requests == 0 || l->arena.failed)
        stop(l->paths_file, l->arena.failed ? "no memory" : "no paths in it");
}

static const struct argp_option options[] = {
    { "connect", 'a', "IP:PORT", 0, "whom to ask", 0 },
    { "paths", 'p', "FILE", 0,
      "what to ask for, in turn: a path a line, after it a header (NAME: VALUE) instead of the token", 0 },
    { "token", 't', "FILE", 0, "the bearer token", 0 },
    { "connections", 'c', "N", 0, "kept-alive connections (64)", 0 },
    { "rate", 'r', "N", 0, "requests a second (1000)", 0 },
    { "seconds", 's', "N", 0, "how long to count (5)", 0 },
    { "warmup", 'w', "N", 0, "seconds before that (1)", 0 },
    { "seed", 'S', "N", 0, "of the arrivals (1)", 0 },
    { "timeout", 'T', "MS", 0, "given up when not answered so long after sending (10000)", 0 },
    { "slices", 'i', "MS", 0, "also the figures of each so long piece of the run", 0 },
    { 0 },
};

static error_t parse_number(struct argp_state *state, char *arg, uint64_t min, uint64_t max, uint64_t *ret)
{
    struct error err = { 0 };

    if (parse_u64("number", str_of(arg), min, max, ret, &err) < 0)
        argp_error(state, "%s", err.detail[0] ? err.detail : err.message);
    return 0;
}

static error_t parse_address(struct load *l, char *arg, struct argp_state *state)
{
    struct error err = { 0 };
    struct str   port = str_of(arg), host = str_cut(&port, ':');
    uint64_t     number = 0;

    l->address = arg;
    l->to.sin_family = AF_INET;
    if (parse_u64("port", port, 1, 65535, &number, &err) < 0
        || inet_pton(AF_INET, str_dup(&l->arena, host), &l->to.sin_addr) != 1)
        argp_error(state, "%s is not IP:PORT", arg);
    l->to.sin_port = htons((uint16_t)number);
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct load *l = state->input;

    switch (key) {
    case 'a':
        return parse_address(l, arg, state);
    case 'p':
        l->paths_file = arg;
        return 0;
    case 't':
        l->token_file = arg;
        return 0;
    case 'c':
        return parse_number(state, arg, 1, 50000, &l->connections);
    case 'r':
        return parse_number(state, arg, 1, 10000000, &l->rate);
    case 's':
        return parse_number(state, arg, 1, 100000, &l->seconds);
    case 'w':
        return parse_number(state, arg, 0, 1000, &l->warmup);
    case 'S':
        return parse_number(state, arg, 0, UINT64_MAX, &l->seed);
    case 'T':
        return parse_number(state, arg, 1, 1000000, &l->timeout_ms);
    case 'i':
        return parse_number(state, arg, 10, 1000000, &l->slice_ms);
    case ARGP_KEY_END:
        if (!l->address || !l->paths_file)
            argp_error(state, "--connect and --paths are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    static struct load l = {
        .connections = 64, .rate = 1000, .seconds = 5, .warmup = 1, .seed = 1, .timeout_ms = 10000
    };
    static const struct argp how = { .options = options,
                                     .parser = parse,
                                     .doc = "Asks an HTTP server at a given rate, open loop." };
    struct rlimit            files;

    l.arena = (struct arena)ARENA(SIZE_MAX);
    argp_parse(&how, argc, argv, 0, NULL, &l);
    make_requests(&l);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    prctl(PR_SET_TIMERSLACK, 1000);
    l.random = l.seed;
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    l.conns = calloc(l.connections, sizeof *l.conns);
    l.n_slices = l.slice_ms > 0 ? (l.warmup + l.seconds) * 1000 / l.slice_ms + 1 : 0;
    l.slices = l.n_slices > 0 ? calloc(l.n_slices, sizeof *l.slices) : NULL;
    if (l.epoll < 0 || !l.conns || (l.n_slices > 0 && !l.slices))
        stop("start", "no memory");
    run(&l);
    print(&l);
    return 0;
}
