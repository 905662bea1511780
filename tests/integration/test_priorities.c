/* SPDX-License-Identifier: Apache-2.0 */
/* Two servers of priority 0 and two of priority 1. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "cluster.h"
#include "load.h"
#include "scale.h"
#include "script_resolver.h"

enum { N_SERVERS = 4, N_BEST = 2, N_CALLERS = 8 };

static const muster_channel_options options = {.struct_size = sizeof options,
                                               .initial_backoff_ms = 50,
                                               .max_backoff_ms = 200};

static void list_with_priorities(cluster *c)
{
    muster_endpoint endpoints[N_SERVERS] = {0};

    for (size_t i = 0; i < N_SERVERS; i++) {
        endpoints[i].address = c->servers[i].address;
        endpoints[i].priority = i < N_BEST ? 0 : 1;
    }
    script_report(c->name, endpoints, N_SERVERS);
}

/* Calls that the servers of priority 1 answered. */
static uint64_t answered_by_spares(const cluster *c, const load *calls)
{
    uint64_t n = 0;

    for (size_t i = N_BEST; i < N_SERVERS; i++) {
        n += load_answered_by(calls, c->servers[i].port);
    }
    return n;
}

static void go_on(load *calls)
{
    cr_assert(load_await(calls, load_ended(calls) + scale(2000, 50000)));
}

typedef struct growth {
    const cluster *cluster;
    const load *calls;
    uint64_t before;
} growth;

static bool are_spares_used(void *arg)
{
    const growth *self = arg;

    return answered_by_spares(self->cluster, self->calls) > self->before + 100;
}

static bool is_first_used(void *arg)
{
    const growth *self = arg;

    return load_answered_by(self->calls, self->cluster->servers[0].port) >
           self->before + 100;
}

/* From the kill of the last best one to its return. */
static void fail_over_and_back(cluster *c, load *calls)
{
    growth use = {.cluster = c, .calls = calls};
    const int port = c->servers[0].port;

    use.before = answered_by_spares(c, calls);
    backend_kill(&c->servers[0]);
    cr_assert(eventually(are_spares_used, &use), "no failover");
    use.before = load_answered_by(calls, port);
    cr_assert(backend_start_on(&c->servers[0], port));
    cr_assert(eventually(is_first_used, &use), "not back");
}

Test(priorities, use_the_spares_only_while_no_better_one_is_ready)
{
    cluster c;
    load *calls;
    uint64_t n_spare;

    cluster_init(&c, "priorities", N_SERVERS, NULL, &options);
    list_with_priorities(&c);
    cr_assert(cluster_await_ready(&c, N_BEST));
    calls = load_start_blocking(c.channel, N_CALLERS);
    go_on(calls);
    cr_expect_eq(answered_by_spares(&c, calls), 0);
    backend_kill(&c.servers[1]);
    go_on(calls);
    cr_expect_eq(answered_by_spares(&c, calls), 0, "one of the best is left");
    fail_over_and_back(&c, calls);
    cr_assert(load_settle(calls));
    n_spare = answered_by_spares(&c, calls);
    go_on(calls);
    cr_expect_eq(answered_by_spares(&c, calls), n_spare, "after the return");
    cr_expect_eq(load_failed(calls),
                 load_failed_on(calls, c.servers[0].port) +
                     load_failed_on(calls, c.servers[1].port));
    load_destroy(calls);
    cluster_fini(&c);
}
