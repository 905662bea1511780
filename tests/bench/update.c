/* SPDX-License-Identifier: Apache-2.0 */
/* What changes of a list cost on the control thread: a first list of 100 000,
 * 1 % of it changed, one endpoint changed by a delta, and bytes kept for each.
 * Times run from the call of report() or report_delta() on the control thread
 * to the publication. The peer is a plain hash set of copied strings; both
 * run on one processor. */
#include <muster/muster.h>

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "figure.h"
#include "pin.h"

enum { ENDPOINTS = 100000, DELTAS = 2000, ROUNDS = 5 };

/* ---- a resolver that runs our functions on the control thread ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const muster_resolver_env *running; /* guarded by lock */
static bool is_done;                       /* guarded by lock */

static muster_status resolver_create(const muster_resolver_env *env,
                                     void **ret_self, muster_error *err)
{
    (void)err;
    *ret_self = (void *)env;
    return MUSTER_OK;
}

static void resolver_start(void *self)
{
    pthread_mutex_lock(&lock);
    running = self;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void resolver_free(void *self)
{
    (void)self;
}

static const muster_resolver_class resolver = {
    .struct_size = sizeof resolver,
    .scheme = "bench",
    .create = resolver_create,
    .start = resolver_start,
    .free = resolver_free,
};

static const muster_plugin *entry(void)
{
    static const muster_resolver_class *const classes[] = {&resolver};
    static const muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "bench",
        .version = "0",
        .resolvers = classes,
        .n_resolvers = 1,
    };

    return &plugin;
}

typedef struct job {
    void (*fn)(const muster_resolver_env *env, double *ret_ns);
    double ns;
} job;

static void run_job(void *arg)
{
    job *j = arg;

    j->fn(running, &j->ns);
    pthread_mutex_lock(&lock);
    is_done = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void await_done(void)
{
    pthread_mutex_lock(&lock);
    while (!is_done) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

/* fn on the control thread; what it says it took. */
static double on_control(void (*fn)(const muster_resolver_env *, double *))
{
    job j = {fn, 0};

    pthread_mutex_lock(&lock);
    while (running == NULL) {
        pthread_cond_wait(&changed, &lock);
    }
    is_done = false;
    pthread_mutex_unlock(&lock);
    (void)running->host->post(running->ctx, run_job, &j);
    await_done();
    return j.ns;
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- lists ---- */

static char (*texts)[24];
static muster_endpoint *list;

static void make_list(void)
{
    texts = calloc(ENDPOINTS * 2, sizeof *texts);
    list = calloc(ENDPOINTS * 2, sizeof *list);
    for (unsigned i = 0; i < ENDPOINTS * 2; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "10.%u.%u.%u:50051",
                       i >> 16 & 255, i >> 8 & 255, i & 255);
        list[i].address = texts[i];
    }
}

static void apply_all(const muster_resolver_env *env, double *ret_ns)
{
    double start = now_ns();

    (void)muster_report(env, list, ENDPOINTS);
    *ret_ns = now_ns() - start;
}

static void apply_none(const muster_resolver_env *env, double *ret_ns)
{
    (void)muster_report(env, list, 0);
    *ret_ns = 0;
}

/* 1 000 endpoints of the list are others than before. */
static void apply_1pct(const muster_resolver_env *env, double *ret_ns)
{
    static unsigned round;

    for (unsigned i = 0; i < ENDPOINTS / 100; i++) {
        unsigned at = (i * 100 + round) % ENDPOINTS;
        list[at].address =
            list[at].address == texts[at] ? texts[ENDPOINTS + at] : texts[at];
    }
    round++;
    apply_all(env, ret_ns);
}

/* One removed and one added, each in a turn of the loop of its own, so that
 * what the last one left behind is cleared up in between, as in life. */
typedef struct deltas {
    const muster_resolver_env *env;
    double *ns;
    int n;
    int n_done;
} deltas;

static size_t warmed;

static void apply_delta(const muster_resolver_env *env, int round,
                        double *ret_ns)
{
    int at = (int)((long)round * 7919 % ENDPOINTS);
    bool is_original = list[at].address == texts[at];
    muster_endpoint gone = list[at];
    muster_delta delta = {.struct_size = sizeof delta,
                          .endpoint_size = sizeof(muster_endpoint),
                          .upserted = &list[at],
                          .n_upserted = 1,
                          .removed = &gone,
                          .n_removed = 1};

    list[at].address = is_original ? texts[ENDPOINTS + at] : texts[at];
    /* A resolver has just read or written what it reports. */
    warmed += strlen(list[at].address) + strlen(gone.address);
    double start = now_ns();
    (void)env->host->report_delta(env->ctx, &delta, NULL);
    *ret_ns = now_ns() - start;
}

static void next_delta(void *arg)
{
    deltas *all = arg;

    apply_delta(all->env, all->n_done, &all->ns[all->n_done]);
    if (++all->n_done < all->n) {
        (void)all->env->host->post(all->env->ctx, next_delta, all);
        return;
    }
    pthread_mutex_lock(&lock);
    is_done = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ---- the peer: a hash set of copied strings ---- */

static double hash_insert_ns(void)
{
    enum { SIZE = 1 << 18 };
    char **slots = calloc(SIZE, sizeof *slots);
    double start = now_ns();

    for (unsigned i = 0; i < ENDPOINTS; i++) {
        size_t length = strlen(list[i].address);
        size_t at = XXH64(list[i].address, length, 0) & (SIZE - 1);
        while (slots[at] != NULL && strcmp(slots[at], list[i].address) != 0) {
            at = (at + 1) & (SIZE - 1);
        }
        if (slots[at] == NULL) {
            slots[at] = strdup(list[i].address);
        }
    }
    double ns = now_ns() - start;
    for (unsigned i = 0; i < SIZE; i++) {
        free(slots[i]);
    }
    free(slots);
    return ns;
}

/* ---- a transport that never gets anywhere ---- */

static muster_status stuck_create(void *arg, const muster_connection_env *env,
                                  void **ret_connection, muster_error *err)
{
    (void)arg;
    (void)err;
    *ret_connection = (void *)env;
    return MUSTER_OK;
}

static void stuck_destroy(void *connection)
{
    (void)connection;
}

static const muster_transport_class stuck = {
    .struct_size = sizeof stuck,
    .name = "stuck",
    .create = stuck_create,
    .destroy = stuck_destroy,
};

/* ---- the figures ---- */

/* Until the control thread has done all that was put off to now: a job of the
 * resolver may run ahead of it. */
static void settle(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    (void)muster_channel_get_stats(channel, &stats);
}

static muster_channel *open_channel(const muster_channel_options *options)
{
    muster_channel *channel = NULL;
    muster_error err;

    running = NULL;
    if (muster_channel_create("bench:///x", options, &channel, &err) !=
        MUSTER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    settle(channel); /* it listens to the resolver only then */
    return channel;
}

static double smaller(double a, double b)
{
    return a == 0 || b < a ? b : a;
}

static void bench_apply(void)
{
    double hash_ns = 0;
    double first_ns = 0;
    double changed_ns = 0;

    for (int i = 0; i < ROUNDS; i++) {
        muster_channel *channel = open_channel(NULL);
        first_ns = smaller(first_ns, on_control(apply_all));
        for (int k = 0; k < ROUNDS; k++) {
            changed_ns = smaller(changed_ns, on_control(apply_1pct));
        }
        (void)on_control(apply_none);
        muster_channel_destroy(channel);
        hash_ns = smaller(hash_ns, hash_insert_ns());
    }
    figure_print("hash_insert_100k_ms", hash_ns / 1e6, "ms");
    figure_print_beside("apply_100k_ms", first_ns / 1e6, "ms",
                        "hash_insert_100k_ms", hash_ns / 1e6);
    figure_print("apply_100k_1pct_ms", changed_ns / 1e6, "ms");
}

static void bench_delta(void)
{
    muster_channel *channel = open_channel(NULL);
    deltas all = {.n = figure_is_quick() ? DELTAS / 20 : DELTAS};

    all.ns = calloc((size_t)all.n, sizeof *all.ns);
    (void)on_control(apply_all);
    all.env = running;
    is_done = false;
    (void)running->host->post(running->ctx, next_delta, &all);
    await_done();
    qsort(all.ns, (size_t)all.n, sizeof *all.ns, compare);
    figure_print("delta_100k_us", all.ns[all.n / 2] / 1e3, "us");
    figure_print("delta_100k_p99_us", all.ns[all.n * 99 / 100] / 1e3, "us");
    free(all.ns);
    muster_channel_destroy(channel);
}

static void bench_bytes(void)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .transport = &stuck,
                                      .max_connecting = 1};
    muster_channel *channel = open_channel(&options);
    struct mallinfo2 before = mallinfo2();
    (void)on_control(apply_all);
    settle(channel);
    struct mallinfo2 after = mallinfo2();
    double bytes = (double)(after.uordblks + after.hblkhd) -
                   (double)(before.uordblks + before.hblkhd);

    figure_print("bytes_per_endpoint", bytes / ENDPOINTS, "B");
    muster_channel_destroy(channel);
}

int main(int argc, char **argv)
{
    muster_error err;

    figure_init(&argc, argv);
    pin_to(0); /* the control thread, too, which starts later */
    make_list();
    if (muster_plugin_register(entry, &err) != MUSTER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    bench_bytes(); /* first: nothing of the others is still being freed */
    bench_apply();
    bench_delta();
    free(list);
    free(texts);
    return 0;
}
