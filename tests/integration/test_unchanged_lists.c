/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that say the same in another way, under load. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"
#include "load.h"
#include "scale.h"
#include "script_resolver.h"
#include "usage.h"

enum { N_SERVERS = 5, N_CALLERS = 8, MAX_LISTED = 3 * N_SERVERS };

/* Every server once or more often, in any order, with any weight. */
static void say_it_otherwise(cluster *c, unsigned *seed)
{
    muster_endpoint endpoints[MAX_LISTED] = {0};
    const size_t n =
        N_SERVERS + (size_t)rand_r(seed) % (MAX_LISTED - N_SERVERS);

    for (size_t i = 0; i < n; i++) {
        const size_t at = (size_t)rand_r(seed) % (i + 1);

        endpoints[i] = endpoints[at];
        endpoints[at].address = c->servers[i % N_SERVERS].address;
        endpoints[at].weight = 1 + (unsigned)rand_r(seed) % 10;
    }
    script_report(c->name, endpoints, n);
}

static uint64_t servers_fingerprint(const cluster *c)
{
    uint64_t all = 0;

    for (size_t i = 0; i < c->n_servers; i++) {
        cr_expect_eq(usage_connections(c->servers[i].port), 1);
        all = all * 31 + usage_fingerprint(c->servers[i].port);
    }
    return all;
}

Test(unchanged_lists, make_no_connection)
{
    const size_t n_updates = scale(200, 2000);
    muster_channel_stats before;
    muster_channel_stats after;
    uint64_t fingerprint;
    unsigned seed = 1;
    cluster c;
    load *calls;

    cluster_init(&c, "unchanged", N_SERVERS, NULL, NULL);
    cluster_list_ready(&c, (1 << N_SERVERS) - 1);
    before = cluster_stats(&c);
    fingerprint = servers_fingerprint(&c);
    calls = load_start_blocking(c.channel, N_CALLERS);
    for (size_t i = 0; i < n_updates; i++) {
        say_it_otherwise(&c, &seed);
        cr_assert(load_await(calls, load_ended(calls) + 20));
    }
    load_stop(calls);
    after = cluster_stats(&c);
    (void)printf("%zu lists (%lu generations), %lu calls, %lu failed\n",
                 n_updates, after.list_generation - before.list_generation,
                 load_ended(calls), load_failed(calls));
    cr_expect_eq(load_failed(calls), 0);
    cr_expect_gt(after.list_generation, before.list_generation);
    cr_expect_eq(after.connections_created, before.connections_created);
    cr_expect_eq(after.connections_destroyed, before.connections_destroyed);
    cr_expect_eq(servers_fingerprint(&c), fingerprint);
    load_destroy(calls);
    cluster_fini(&c);
}
