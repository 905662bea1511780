/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that change all the time, under unary calls and open streams. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "load.h"
#include "scale.h"
#include "script_resolver.h"
#include "stream.h"
#include "usage.h"

enum {
    N_SERVERS = 6,
    ALL = (1 << N_SERVERS) - 1,
    LOW_HALF = 7,
    HIGH_HALF = ALL - LOW_HALF,
    N_IN_FLIGHT = 64,
    CALLS_PER_UPDATE = 100,
    N_STREAMS = 100
};

/* What malloc may keep of a round: caches of its threads, not connections,
 * each of which has 40 KB at least. */
#define ROUND_BYTES (256 * 1024)

typedef struct held {
    size_t n_descriptors;
    size_t n_bytes;
} held;

/* The servers of listed in an order drawn by chance. */
static void shuffle(cluster *c, unsigned listed, unsigned *seed)
{
    const char *addresses[N_SERVERS];
    size_t n = 0;

    for (size_t i = 0; i < N_SERVERS; i++) {
        if ((listed >> i & 1) != 0) {
            size_t at = (size_t)rand_r(seed) % (n + 1);

            addresses[n++] = addresses[at];
            addresses[at] = c->servers[i].address;
        }
    }
    script_report_addresses(c->name, addresses, n);
}

/* Adds, shuffles, removes or replaces. Returns what is listed now. */
static unsigned update(cluster *c, size_t step, unsigned listed, unsigned *seed)
{
    const unsigned bit = 1u << (unsigned)rand_r(seed) % N_SERVERS;

    switch (step % 4) {
    case 0:
        listed |= bit;
        break;
    case 1:
        listed = listed == bit ? listed : listed & ~bit;
        break;
    case 2:
        shuffle(c, listed, seed);
        return listed;
    default: /* nothing of the former list is in this one */
        listed = (step & 4) != 0 ? LOW_HALF : HIGH_HALF;
        cluster_list(c, ALL & ~listed);
        break;
    }
    cluster_list(c, listed);
    return listed;
}

static void run_round(cluster *c, size_t n_updates, unsigned *seed)
{
    load *calls = load_start_queued(c->channel, N_IN_FLIGHT);
    stream_load *streams = stream_load_start(c->channel, N_STREAMS);
    const uint64_t begun_ns = now_ns();
    const uint64_t before = load_ended(calls);
    unsigned listed = ALL;

    for (size_t i = 0; i < n_updates; i++) {
        listed = update(c, i, listed, seed);
        cr_assert(load_await(calls, before + (i + 1) * CALLS_PER_UPDATE),
                  "calls stand still after update %zu", i);
    }
    cluster_list(c, ALL);
    stream_load_stop(streams);
    load_stop(calls);
    (void)printf("%zu updates, %lu calls (%lu failed), %lu streams (%lu "
                 "failed), %.1f s\n",
                 n_updates, load_ended(calls), load_failed(calls),
                 stream_load_ended(streams), stream_load_failed(streams),
                 (double)(now_ns() - begun_ns) / 1e9);
    cr_expect_eq(load_failed(calls), 0);
    cr_expect_eq(stream_load_failed(streams), 0);
    load_destroy(calls);
    stream_load_destroy(streams);
}

/* What is held once nothing runs any more and all are READY. */
static held hold_of(cluster *c)
{
    held now;

    cluster_await_calm(c, N_SERVERS);
    now.n_descriptors = usage_descriptors();
    now.n_bytes = usage_bytes();
    (void)printf("%zu descriptors, %zu bytes\n", now.n_descriptors,
                 now.n_bytes);
    return now;
}

typedef struct bound {
    cluster *cluster;
    held first;
} bound;

static bool is_within(void *arg)
{
    const bound *self = arg;

    return usage_descriptors() <= self->first.n_descriptors &&
           usage_bytes() <= self->first.n_bytes + ROUND_BYTES;
}

Test(updates, under_load_fail_no_call_and_leave_nothing_behind)
{
    const size_t n_updates = scale(150, 1000);
    unsigned seed = 1;
    cluster c;
    bound limit;

    cluster_init(&c, "updates", N_SERVERS, NULL, NULL);
    cluster_list_ready(&c, ALL);
    run_round(&c, n_updates, &seed);
    limit.first = hold_of(&c);
    for (int i = 0; i < 2; i++) {
        run_round(&c, n_updates, &seed);
        cluster_await_calm(&c, N_SERVERS);
        cr_expect(eventually(is_within, &limit));
        (void)hold_of(&c);
    }
    cr_expect_eq(cluster_stats(&c).updates_refused, 0);
    cluster_fini(&c);
}
