/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints with several connections on the fake transport, each of which the
 * test can name. */
#ifndef MUSTER_TESTS_POOL_FIXTURE_H
#define MUSTER_TESTS_POOL_FIXTURE_H

#include <sched.h>

#include "picking_fixture.h"

enum { N_CONNECTIONS = 4 };

/* For what the control thread brings about. */
#define AWAIT(condition)                                                       \
    while (!(condition)) {                                                     \
        (void)sched_yield();                                                   \
    }

static inline muster_testkit_transport_counts counts_at(const bench *b,
                                                        const char *address)
{
    muster_testkit_transport_counts counts;

    muster_testkit_transport_get_counts(b->transport, address, &counts);
    return counts;
}

/* ---- which connections calls get ---- */

typedef struct tally {
    const void *connections[2 * N_CONNECTIONS];
    unsigned n_picks[2 * N_CONNECTIONS];
    unsigned n;
} tally;

static inline void count_pick(tally *self, const muster_lease *lease)
{
    const void *connection = muster_lease_connection(lease);
    unsigned i = 0;

    while (i < self->n && self->connections[i] != connection) {
        i++;
    }
    cr_assert_lt(i, 2 * N_CONNECTIONS);
    self->connections[i] = connection;
    self->n_picks[i]++;
    self->n = i == self->n ? i + 1 : self->n;
}

/* ---- one at each address ---- */

static inline void report_spread(const char *name)
{
    const muster_endpoint endpoint = {.address = addresses[0],
                                      .more_addresses = &addresses[1],
                                      .n_more_addresses = N_CONNECTIONS - 1};

    script_report(name, &endpoint, 1);
}

/* The attempt at address, which is being made, is READY. */
static inline void connect_at(const bench *b, const char *address)
{
    AWAIT(counts_at(b, address).connecting == 1);
    cr_assert_eq(muster_testkit_transport_connect(b->transport, address), 1);
    AWAIT(counts_at(b, address).connected == 1);
}

static inline void await_attempt_at(const bench *b, const char *address)
{
    AWAIT(counts_at(b, address).connecting == 1);
}

/* One endpoint whose connections are each at another of its addresses, so that
 * the test has names for them. */
static inline bench open_spread_with(const char *name,
                                     muster_channel_options options)
{
    bench b;

    options.connections_per_endpoint = N_CONNECTIONS;
    options.max_connecting = 1;
    options.connection_attempt_delay_ms = 2000;
    b = bench_open(name, 0, &options);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    report_spread(name);
    for (int i = 0; i < N_CONNECTIONS; i++) {
        for (int k = 0; k < i; k++) {
            await_attempt_at(&b, addresses[k]);
            cr_assert_eq(
                muster_testkit_transport_fail(b.transport, addresses[k], "no"),
                1);
        }
        connect_at(&b, addresses[i]);
    }
    while (stats_of(&b).connections_ready < N_CONNECTIONS) {
        /* The last one joins. */
    }
    return b;
}

static inline bench open_spread(const char *name, uint64_t initial_backoff_ms)
{
    return open_spread_with(
        name,
        (muster_channel_options){.initial_backoff_ms = initial_backoff_ms});
}

/* Connections that calls get. */
static inline unsigned n_serving(const bench *b)
{
    tally picks = {.n = 0};

    /* Many: a thread that picks beside takes its turns, too. */
    for (int i = 0; i < 64 * N_CONNECTIONS; i++) {
        muster_lease lease = pick(b);
        count_pick(&picks, &lease);
        muster_lease_finish(&lease, NULL);
    }
    return picks.n;
}

#endif
