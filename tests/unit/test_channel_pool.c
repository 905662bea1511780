/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints with several connections, on the fake transport. */
#include <muster/connectivity.h>
#include <muster/shutdown.h>
#include <stdlib.h>

#include "pool_fixture.h"

enum { N_PICKS = 4000 };

TestSuite(pool, .timeout = 60);

static const muster_channel_options four = {.connections_per_endpoint =
                                                N_CONNECTIONS};

/* All connections that were to be made are, and calls may get them. */
static void await_full(const bench *b, uint64_t n_connections)
{
    AWAIT(counts_of(b).connected == n_connections &&
          stats_of(b).connections_ready - stats_of(b).connections_destroyed ==
              n_connections);
}

static bench open_full(const char *name, size_t n_endpoints,
                       const muster_channel_options *options)
{
    bench b = bench_open(name, n_endpoints, options);

    await_full(&b, n_endpoints * options->connections_per_endpoint);
    return b;
}

static unsigned count_in_dump(const bench *b, const char *text)
{
    char *json = NULL;
    unsigned n = 0;

    cr_assert_eq(muster_channel_dump_json(b->channel, &json), MUSTER_OK);
    for (const char *at = strstr(json, text); at != NULL;
         at = strstr(at + 1, text)) {
        n++;
    }
    free(json);
    return n;
}

/* ---- making them ---- */

Test(pool, has_so_many_connections_of_each_endpoint)
{
    bench b = open_full("all", 3, &four);

    for (int i = 0; i < 3; i++) {
        cr_expect_eq(counts_at(&b, addresses[i]).created, N_CONNECTIONS);
    }
    cr_expect_eq(stats_of(&b).ready, 3);
    cr_expect_eq(stats_of(&b).connections_created, 3 * N_CONNECTIONS);
    bench_close(&b);
}

/* The option wins. */
Test(pool, is_of_the_size_in_the_service_config)
{
    muster_channel_options options = {
        .struct_size = sizeof options,
        .service_config = "{\"muster\": {\"connectionsPerEndpoint\": 3}}"};
    bench b = bench_open("json", 1, &options);

    await_full(&b, 3);
    bench_close(&b);
    options.connections_per_endpoint = 2;
    b = bench_open("both", 1, &options);
    await_full(&b, 2);
    bench_close(&b);
}

Test(pool, takes_from_1_to_64_connections)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .connections_per_endpoint = 65};
    muster_channel *channel = NULL;
    muster_error err;
    bench b;

    cr_expect_eq(muster_channel_create("static:///127.0.0.1:1", &options,
                                       &channel, &err),
                 MUSTER_INVAL);
    cr_expect_neq(strstr(err.message, "connections_per_endpoint"), NULL);
    options.connections_per_endpoint = 2;
    options.connection_choice = (muster_connection_choice)2;
    cr_expect_eq(muster_channel_create("static:///127.0.0.1:1", &options,
                                       &channel, &err),
                 MUSTER_INVAL);
    cr_expect_neq(strstr(err.message, "connection_choice"), NULL);
    options.connections_per_endpoint = 64;
    options.connection_choice = MUSTER_CONNECTION_ROUND_ROBIN;
    b = open_full("most", 1, &options);
    /* Each is there twice for a moment: there is room. */
    cr_expect_eq(muster_testkit_transport_renew(b.transport, NULL), 64);
    await_counts(&b, 128, 0, 64);
    bench_close(&b);
}

Test(pool, makes_the_first_of_each_endpoint_before_any_second)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .max_connecting = 1,
                                      .connections_per_endpoint = 3};
    bench b = bench_open("fair", 1, &options);

    await_full(&b, 3);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    script_report_addresses("fair", &addresses[1], 4);
    for (uint64_t n = 1; n <= 12; n++) {
        uint64_t least = (n - 1) / 4;

        await_counts(&b, 3 + n, 0, 0);
        for (int i = 1; i <= 4; i++) {
            uint64_t created = counts_at(&b, addresses[i]).created;
            cr_expect(created == least || created == least + 1);
        }
        cr_expect_eq(muster_testkit_transport_connect(b.transport, NULL), 1);
    }
    while (counts_of(&b).connected != 12) {
        (void)stats_of(&b);
    }
    cr_expect_eq(counts_of(&b).max_connecting, 1);
    bench_close(&b);
}

/* ---- choosing ---- */

Test(pool, shares_calls_evenly)
{
    bench b = open_full("even", 2, &four);
    tally picks = {.n = 0};

    for (int i = 0; i < N_PICKS; i++) {
        muster_lease lease = pick(&b);
        count_pick(&picks, &lease);
        muster_lease_finish(&lease, NULL);
    }
    cr_assert_eq(picks.n, 2 * N_CONNECTIONS);
    for (unsigned i = 0; i < picks.n; i++) {
        unsigned fair = N_PICKS / picks.n;
        cr_expect_geq(picks.n_picks[i] * 100, fair * 95);
        cr_expect_leq(picks.n_picks[i] * 100, fair * 105);
    }
    bench_close(&b);
}

Test(pool, can_give_calls_to_the_least_loaded)
{
    muster_channel_options options = {.connections_per_endpoint = N_CONNECTIONS,
                                      .connection_choice =
                                          MUSTER_CONNECTION_LEAST_LOADED};
    bench b = open_full("least", 1, &options);
    muster_lease leases[3 * N_CONNECTIONS];
    tally picks = {.n = 0};

    for (int i = 0; i < 3 * N_CONNECTIONS; i++) {
        leases[i] = pick(&b);
        count_pick(&picks, &leases[i]);
    }
    for (unsigned i = 0; i < N_CONNECTIONS; i++) {
        cr_expect_eq(picks.n_picks[i], 3);
    }
    for (int i = 0; i < 3 * N_CONNECTIONS; i++) {
        const void *connection = muster_lease_connection(&leases[i]);
        muster_lease_finish(&leases[i], NULL);
        leases[i] = pick(&b);
        cr_expect_eq(muster_lease_connection(&leases[i]), connection);
    }
    for (int i = 0; i < 3 * N_CONNECTIONS; i++) {
        muster_lease_finish(&leases[i], NULL);
    }
    bench_close(&b);
}

/* ---- some of them die ---- */

static void lose_and_regain(bench *b, int victim)
{
    uint64_t generation = stats_of(b).generation;

    muster_testkit_transport_set_delay(b->transport, MUSTER_FOREVER);
    cr_assert_eq(
        muster_testkit_transport_disconnect(b->transport, addresses[victim]),
        1);
    /* The others serve, and the next one is made at once. */
    await_attempt_at(b, addresses[0]);
    AWAIT(counts_at(b, addresses[victim]).connected == 0);
    cr_expect_eq(stats_of(b).state, MUSTER_READY);
    cr_expect_eq(n_serving(b), N_CONNECTIONS - 1);
    for (int k = 0; k < victim; k++) {
        await_attempt_at(b, addresses[k]);
        (void)muster_testkit_transport_fail(b->transport, addresses[k], "no");
    }
    connect_at(b, addresses[victim]);
    while (n_serving(b) < N_CONNECTIONS) {
        /* It joins. */
    }
    cr_expect_eq(stats_of(b).generation, generation, "a new view");
}

Test(pool, serves_on_when_a_member_dies_and_makes_another)
{
    bench b = open_spread("dies", 60000);
    picker p;

    picker_start(&p, &b);
    for (int victim = 0; victim < N_CONNECTIONS; victim++) {
        lose_and_regain(&b, victim);
    }
    picker_stop(&p);
    cr_expect_eq(script_refreshes("dies"), 0);
    bench_close(&b);
}

Test(pool, serves_on_while_members_cannot_be_made)
{
    bench b = open_spread("refused", 60000);
    picker p;

    picker_start(&p, &b);
    muster_testkit_transport_set_delay(b.transport, 0);
    (void)muster_testkit_transport_set_failure(b.transport, NULL, "no");
    for (int victim = 0; victim < N_CONNECTIONS - 1; victim++) {
        (void)muster_testkit_transport_disconnect(b.transport,
                                                  addresses[victim]);
    }
    AWAIT(stats_of(&b).connections_failed == N_CONNECTIONS - 1);
    AWAIT(n_serving(&b) == 1);
    cr_expect_eq(stats_of(&b).state, MUSTER_READY);
    cr_expect_eq(count_in_dump(&b, "\"state\":\"TRANSIENT_FAILURE\""),
                 N_CONNECTIONS - 1);
    (void)muster_testkit_transport_set_failure(b.transport, NULL, NULL);
    (void)stats_of(&b);
    cr_expect_eq(n_serving(&b), 1); /* its backoff runs */
    muster_channel_reset_backoff(b.channel);
    AWAIT(n_serving(&b) == N_CONNECTIONS);
    picker_stop(&p);
    bench_close(&b);
}

Test(pool, makes_a_member_again_when_its_backoff_is_over)
{
    bench b = open_spread("backoff", 5);

    muster_testkit_transport_set_delay(b.transport, 0);
    (void)muster_testkit_transport_set_failure(b.transport, NULL, "no");
    (void)muster_testkit_transport_disconnect(b.transport, addresses[1]);
    AWAIT(stats_of(&b).connections_failed >= 3);
    (void)muster_testkit_transport_set_failure(b.transport, NULL, NULL);
    AWAIT(n_serving(&b) == N_CONNECTIONS);
    bench_close(&b);
}

/* ---- all of them die ---- */

Test(pool, is_not_ready_when_all_have_died)
{
    muster_channel_options options = {.connections_per_endpoint = N_CONNECTIONS,
                                      .initial_backoff_ms = 60000};
    bench b = open_full("death", 1, &options);
    muster_call_info call = {.struct_size = sizeof call};
    muster_lease lease = {0};

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    cr_assert_eq(muster_testkit_transport_disconnect(b.transport, NULL),
                 N_CONNECTIONS);
    AWAIT(muster_channel_state(b.channel) == MUSTER_CONNECTING);
    while (counts_of(&b).connecting > 0) {
        (void)muster_testkit_transport_fail(b.transport, NULL, "no");
        (void)stats_of(&b);
    }
    AWAIT(muster_channel_state(b.channel) == MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(muster_channel_pick_wait(b.channel, &call, &lease, NULL),
                 MUSTER_UNAVAILABLE);
    AWAIT(script_refreshes("death") > 0);
    muster_testkit_transport_set_delay(b.transport, 0);
    muster_channel_reset_backoff(b.channel);
    AWAIT(counts_of(&b).connected == N_CONNECTIONS);
    AWAIT(muster_channel_state(b.channel) == MUSTER_READY);
    bench_close(&b);
}

/* A member that is being made when the last one dies is the first then: it is
 * as good as a new one. */
Test(pool, goes_on_with_a_member_that_is_being_made)
{
    bench b = open_spread("heir", 60000);

    (void)muster_testkit_transport_disconnect(b.transport, addresses[3]);
    await_attempt_at(&b, addresses[0]);
    for (int i = 0; i < 3; i++) {
        (void)muster_testkit_transport_disconnect(b.transport, addresses[i]);
    }
    AWAIT(muster_channel_state(b.channel) == MUSTER_CONNECTING);
    cr_expect_eq(counts_at(&b, addresses[0]).connecting, 1);
    cr_assert_eq(muster_testkit_transport_connect(b.transport, addresses[0]),
                 1);
    AWAIT(muster_channel_state(b.channel) == MUSTER_READY);
    muster_testkit_transport_set_delay(b.transport, 0);
    (void)muster_testkit_transport_connect(b.transport, NULL);
    AWAIT(n_serving(&b) == N_CONNECTIONS);
    bench_close(&b);
}
