/* SPDX-License-Identifier: Apache-2.0 */
/* SRV records of two priorities: the best serves by its weights, the second
 * while the best is not there. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "cluster.h"
#include "dns_cluster.h"
#include "load.h"
#include "scale.h"

/* So many spares that READY ones are told apart from the best by their number.
 */
enum { N_BEST = 3, N_SPARE = 4, N_SERVERS = N_BEST + N_SPARE, N_CALLERS = 8 };
enum { N_CALLS = 10000, ALL = (1 << N_SERVERS) - 1, BEST = (1 << N_BEST) - 1 };

static const unsigned weights[N_BEST] = {1, 2, 5};

static const muster_channel_options options = {.struct_size = sizeof options,
                                               .initial_backoff_ms = 50,
                                               .max_backoff_ms = 200};

typedef struct world {
    dns_cluster cluster;
    muster_channel *channel;
    load *calls;
    double worst_share; /* the farthest off, in percent of all calls */
} world;

/* ---- who answers ---- */

typedef struct count {
    uint64_t of[N_SERVERS];
    uint64_t best;
    uint64_t spare;
} count;

static count count_calls(const world *self)
{
    count n = {.best = 0};

    for (int i = 0; i < N_SERVERS; i++) {
        n.of[i] =
            sightings_count(load_sightings(self->calls), DNS_CLUSTER_FIRST + i);
        *(i < N_BEST ? &n.best : &n.spare) += n.of[i];
    }
    return n;
}

/* Those that were under way at a change are over before. */
static count count_during_calls(world *self)
{
    count n;
    count before;

    cr_assert(load_settle(self->calls));
    before = count_calls(self);
    cr_assert(load_await(self->calls, load_ended(self->calls) + N_CALLS));
    n = count_calls(self);
    for (int i = 0; i < N_SERVERS; i++) {
        n.of[i] -= before.of[i];
    }
    n.best -= before.best;
    n.spare -= before.spare;
    return n;
}

static void expect_best(world *self, const char *when)
{
    const count n = count_during_calls(self);

    cr_expect_eq(n.spare, 0, "%s: %lu calls on the spares", when, n.spare);
    for (int i = 0; i < N_BEST; i++) {
        const double share = 100.0 * (double)n.of[i] / (double)n.best;
        const double off = fabs(share - 100.0 * weights[i] / 8);

        cr_expect_leq(off, 2.0, "%s: weight %u got %.2f %%", when, weights[i],
                      share);
        self->worst_share = fmax(self->worst_share, off);
    }
}

static void expect_spare(world *self, const char *when)
{
    const count n = count_during_calls(self);

    cr_expect_eq(n.best, 0, "%s: %lu calls on the best", when, n.best);
    for (int i = N_BEST; i < N_SERVERS; i++) {
        cr_expect_gt(n.of[i], 0, "%s: a spare gets none", when);
    }
}

/* ---- what happens ---- */

static void list(world *self, unsigned listed)
{
    dns_cluster_list_services(&self->cluster, listed, weights, N_BEST);
}

static void init(world *self)
{
    char target[DNS_CLUSTER_TARGET_SIZE];

    self->worst_share = 0;
    dns_cluster_init(&self->cluster, N_SERVERS, false);
    list(self, ALL);
    (void)dns_cluster_target(&self->cluster, NULL, DNS_CLUSTER_SERVICE, target);
    self->channel = dns_channel_open(target, &options);
    dns_channel_await(self->channel, N_SERVERS, N_BEST);
    self->calls = load_start_blocking(self->channel, N_CALLERS);
}

static void fini(world *self)
{
    load_destroy(self->calls);
    muster_channel_destroy(self->channel);
    dns_cluster_fini(&self->cluster);
}

static void remove_best_from_zone(world *self)
{
    const uint64_t n_failed = load_failed(self->calls);

    list(self, ALL & ~BEST);
    dns_channel_await(self->channel, N_SPARE, N_SPARE);
    expect_spare(self, "the best has left the zone");
    list(self, ALL);
    dns_channel_await(self->channel, N_SERVERS, N_BEST);
    expect_best(self, "the best is in the zone again");
    cr_expect_eq(load_failed(self->calls), n_failed);
}

static uint64_t failed_on_best(const world *self)
{
    uint64_t n = 0;

    for (int i = 0; i < N_BEST; i++) {
        n += load_failed_on(self->calls, self->cluster.servers[i].port);
    }
    return n;
}

static void kill_best(world *self)
{
    for (size_t i = 0; i < N_BEST; i++) {
        dns_cluster_kill(&self->cluster, i);
    }
    dns_channel_await(self->channel, N_SERVERS, N_SPARE);
    expect_spare(self, "the best are dead");
    for (size_t i = 0; i < N_BEST; i++) {
        dns_cluster_restart(&self->cluster, i);
    }
    dns_channel_await(self->channel, N_SERVERS, N_BEST);
    expect_best(self, "the best are alive again");
}

Test(dns_services, use_the_second_priority_while_the_first_is_away,
     .timeout = 600)
{
    const size_t n_rounds = scale(1, 10);
    world w;

    init(&w);
    expect_best(&w, "at first");
    for (size_t i = 0; i < n_rounds; i++) {
        remove_best_from_zone(&w);
        kill_best(&w);
    }
    load_stop(w.calls);
    (void)printf("%zu rounds of both, %lu calls, %lu failed, %lu of them on "
                 "killed servers; the share farthest off: %.3f %%\n",
                 n_rounds, load_ended(w.calls), load_failed(w.calls),
                 failed_on_best(&w), w.worst_share);
    cr_expect_eq(load_failed(w.calls), failed_on_best(&w));
    fini(&w);
}
