/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints with several connections that are removed, replaced and closed, on
 * the fake transport. */
#include <muster/shutdown.h>
#include <sched.h>
#include <stdlib.h>

#include "picking_fixture.h"

enum { N_CONNECTIONS = 4 };

TestSuite(pool_end, .timeout = 60);

/* For what the control thread brings about. */
#define AWAIT(condition)                                                       \
    while (!(condition)) {                                                     \
        (void)sched_yield();                                                   \
    }

static bench open_full(const char *name, size_t n_endpoints,
                       muster_channel_options options)
{
    bench b;

    options.connections_per_endpoint = N_CONNECTIONS;
    b = bench_open(name, n_endpoints, &options);
    AWAIT(stats_of(&b).connections_ready == n_endpoints * N_CONNECTIONS);
    return b;
}

/* A lease on each connection of the only endpoint. */
static void pick_each(const bench *b, muster_lease leases[N_CONNECTIONS])
{
    for (int i = 0; i < N_CONNECTIONS; i++) {
        leases[i] = pick(b);
        for (int k = 0; k < i; k++) {
            cr_assert_neq(muster_lease_connection(&leases[i]),
                          muster_lease_connection(&leases[k]));
        }
    }
}

static void finish_each(const bench *b, muster_lease leases[N_CONNECTIONS])
{
    for (int i = 0; i < N_CONNECTIONS; i++) {
        cr_expect(muster_testkit_transport_use(
            b->transport, muster_lease_connection(&leases[i])));
        muster_lease_finish(&leases[i], NULL);
    }
}

Test(pool_end, drains_all_of_a_removed_endpoint)
{
    bench b = open_full("removed", 1, (muster_channel_options){0});
    muster_lease leases[N_CONNECTIONS];

    pick_each(&b, leases);
    script_report_addresses("removed", &addresses[1], 1);
    AWAIT(stats_of(&b).connections_ready == 2 * N_CONNECTIONS &&
          stats_of(&b).draining == N_CONNECTIONS);
    cr_expect_eq(counts_of(&b).destroyed, 0);
    for (int i = 0; i < 20; i++) {
        muster_lease lease = pick(&b);
        cr_expect_str_eq(muster_lease_endpoint(&lease)->address, addresses[1]);
        muster_lease_finish(&lease, NULL);
    }
    finish_each(&b, leases);
    await_counts(&b, 2 * N_CONNECTIONS, 0, N_CONNECTIONS);
    bench_close(&b);
}

Test(pool_end, cancels_all_at_the_drain_deadline)
{
    bench b = open_full("deadline", 1,
                        (muster_channel_options){.drain_deadline_ms = 1});
    muster_lease leases[N_CONNECTIONS];

    pick_each(&b, leases);
    script_report_addresses("deadline", &addresses[1], 1);
    AWAIT(counts_of(&b).cancelled == N_CONNECTIONS);
    finish_each(&b, leases);
    bench_close(&b);
}

Test(pool_end, closes_with_calls_on_all)
{
    bench b = open_full("closed", 1, (muster_channel_options){0});
    muster_lease leases[N_CONNECTIONS];

    pick_each(&b, leases);
    cr_expect_eq(muster_channel_close(b.channel), MUSTER_OK);
    finish_each(&b, leases);
    bench_close(&b);
}

Test(pool_end, closes_while_they_are_made)
{
    muster_channel_options options = {.connections_per_endpoint = N_CONNECTIONS,
                                      .max_connecting = 2};
    bench b = bench_open("busy", 0, &options);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    script_report_addresses("busy", addresses, 2);
    await_counts(&b, 2, 0, 0);
    (void)muster_testkit_transport_connect(b.transport, NULL);
    await_counts(&b, 4, 0, 0);
    bench_close(&b);
}

Test(pool_end, shuts_down_all)
{
    bench b = open_full("shutdown", 1, (muster_channel_options){0});
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};
    muster_lease leases[N_CONNECTIONS];

    pick_each(&b, leases);
    cr_expect_eq(muster_channel_shutdown(b.channel, 0, &numbers), MUSTER_OK);
    cr_expect_eq(numbers.cancelled, N_CONNECTIONS);
    cr_expect_geq(counts_of(&b).cancelled, N_CONNECTIONS);
    finish_each(&b, leases);
    bench_close(&b);
}

/* ---- replaced ---- */

Test(pool_end, renews_each_connection)
{
    enum { ROUNDS = 20 };
    bench b = open_full("renewed", 2, (muster_channel_options){0});
    picker p;

    picker_start(&p, &b);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        cr_assert_eq(muster_testkit_transport_renew(b.transport, NULL),
                     2 * N_CONNECTIONS);
        await_counts(&b, (round + 1) * 2 * N_CONNECTIONS, 0,
                     round * 2 * N_CONNECTIONS);
    }
    picker_stop(&p);
    cr_expect_eq(counts_of(&b).connected, 2 * N_CONNECTIONS);
    bench_close(&b);
}

Test(pool_end, goes_on_with_a_renewal_of_a_member_that_dies)
{
    bench b = open_full("both", 1, (muster_channel_options){0});

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    (void)muster_testkit_transport_renew(b.transport, NULL);
    await_counts(&b, 2 * N_CONNECTIONS, 0, 0);
    (void)muster_testkit_transport_disconnect(b.transport, NULL);
    AWAIT(muster_channel_state(b.channel) == MUSTER_CONNECTING);
    (void)muster_testkit_transport_connect(b.transport, NULL);
    AWAIT(stats_of(&b).connections_ready == 2 * N_CONNECTIONS);
    cr_expect_eq(counts_of(&b).created, 2 * N_CONNECTIONS);
    bench_close(&b);
}

Test(pool_end, serves_on_while_lists_are_replaced)
{
    bench b = open_full("lists", 2, (muster_channel_options){0});
    picker p;

    picker_start(&p, &b);
    for (unsigned i = 1; i <= 40; i++) {
        script_report_addresses("lists", &addresses[i % 4], 2);
        (void)stats_of(&b);
    }
    AWAIT(counts_of(&b).connected == 2 * N_CONNECTIONS &&
          stats_of(&b).draining == 0);
    picker_stop(&p);
    bench_close(&b);
}

/* A spare that hangs while it is made has all the room there is. */
Test(pool_end, leaves_its_room_to_what_replaces_it)
{
    muster_channel_options options = {.connections_per_endpoint = 2,
                                      .max_connecting = 1,
                                      .replace_timeout_ms = 50};
    bench b = bench_open("room", 0, &options);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    script_report_addresses("room", &addresses[0], 1);
    await_counts(&b, 1, 0, 0);
    (void)muster_testkit_transport_connect(b.transport, NULL);
    await_counts(&b, 2, 0, 0);
    script_report_addresses("room", &addresses[1], 1);
    await_counts_of(&b, addresses[1], 1, 0);
    bench_close(&b);
}

/* ---- what is said of them ---- */

static bool has_in_dump(const bench *b, const char *text)
{
    char *json = NULL;
    bool has_it;

    cr_assert_eq(muster_channel_dump_json(b->channel, &json), MUSTER_OK);
    has_it = strstr(json, text) != NULL;
    free(json);
    return has_it;
}

Test(pool_end, is_in_the_dump)
{
    bench b = open_full("dump", 1, (muster_channel_options){0});
    muster_lease lease = pick(&b);

    cr_expect(has_in_dump(&b, "\"in_flight\":1,\"last_failure\""));
    cr_expect(has_in_dump(&b, "\"connections\":[{\"address\":\"10.0.0.1:1\","
                              "\"state\":\"READY\",\"health\":null,"
                              "\"in_flight\":"));
    cr_expect(has_in_dump(&b, "{\"address\":\"10.0.0.1:1\",\"state\":"
                              "\"READY\",\"health\":null,\"in_flight\":1}"));
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

Test(pool_end, is_not_in_the_dump_of_one_connection)
{
    bench b = bench_open("one", 1, NULL);

    cr_expect_not(has_in_dump(&b, "\"connections\""));
    bench_close(&b);
}
