/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints with several connections of which not all reach a server that
 * serves, on the fake transport. */
#include <jansson.h>
#include <muster/connectivity.h>
#include <muster/shutdown.h>
#include <stdlib.h>

#include "pool_fixture.h"

#define WATCHES "{\"healthCheckConfig\": {\"serviceName\": \"a\"}}"
#define REASON "health check of a: NOT_SERVING"

TestSuite(pool_health, .timeout = 120);

static const muster_channel_options watching = {
    .service_config = WATCHES,
    .initial_backoff_ms = 600000,
    .replace_timeout_ms = 600000,
};

/* NULL: of all. */
static void tell(const bench *b, const char *address, muster_health health)
{
    cr_assert_gt(muster_testkit_transport_report_health(
                     b->transport, address, health,
                     health == MUSTER_HEALTH_NOT_SERVING ? REASON : NULL),
                 0);
}

static muster_connectivity state_of(const bench *b)
{
    return stats_of(b).state;
}

/* Each connection at another address, and all of them serve. */
static bench open_serving(const char *name)
{
    bench b = open_spread_with(name, watching);

    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(state_of(&b) == MUSTER_READY && n_serving(&b) == N_CONNECTIONS);
    return b;
}

/* As open_serving(), and then only the last serves. */
static bench open_with_one(const char *name)
{
    bench b = open_serving(name);

    for (int i = 0; i < N_CONNECTIONS - 1; i++) {
        tell(&b, addresses[i], MUSTER_HEALTH_NOT_SERVING);
    }
    AWAIT(n_serving(&b) == 1);
    return b;
}

/* What the dump has of the only endpoint; NULL: null. The caller's. */
static char *in_dump(const bench *b, const char *key)
{
    char *text = NULL;
    char *found = NULL;
    const char *value;
    json_t *dump;

    cr_assert_eq(muster_channel_dump_json(b->channel, &text), MUSTER_OK);
    dump = json_loads(text, 0, NULL);
    value = json_string_value(json_object_get(
        json_array_get(json_object_get(dump, "endpoints"), 0), key));
    if (value != NULL) {
        found = strdup(value);
    }
    json_decref(dump);
    free(text);
    return found;
}

/* How many of its connections are of that health. */
static unsigned n_of_health(const bench *b, const char *health)
{
    char *text = NULL;
    unsigned n = 0;
    size_t i;
    json_t *connection;
    json_t *dump;

    cr_assert_eq(muster_channel_dump_json(b->channel, &text), MUSTER_OK);
    dump = json_loads(text, 0, NULL);
    json_array_foreach(
        json_object_get(json_array_get(json_object_get(dump, "endpoints"), 0),
                        "connections"),
        i, connection)
    {
        const char *value =
            json_string_value(json_object_get(connection, "health"));
        n += value != NULL && strcmp(value, health) == 0;
    }
    json_decref(dump);
    free(text);
    return n;
}

/* Nothing was made, lost or asked for beside the first ones. */
static void expect_quiet(const bench *b, const char *name)
{
    cr_expect_eq(stats_of(b).connections_created, N_CONNECTIONS);
    cr_expect_eq(stats_of(b).connections_destroyed, 0);
    cr_expect_eq(counts_of(b).connected, N_CONNECTIONS);
    cr_expect_eq(script_refreshes(name), 0);
}

/* ---- one of several ---- */

Test(pool_health, takes_one_connection_out_of_the_choice_and_back)
{
    bench b = open_serving("one");
    uint64_t generation = stats_of(&b).generation;
    picker p;

    picker_start(&p, &b);
    for (int i = 0; i < 5 * N_CONNECTIONS; i++) {
        const char *address = addresses[i % N_CONNECTIONS];

        tell(&b, address, MUSTER_HEALTH_NOT_SERVING);
        AWAIT(n_of_health(&b, "not_serving") == 1);
        cr_expect_eq(n_serving(&b), N_CONNECTIONS - 1);
        cr_expect_eq(state_of(&b), MUSTER_READY);
        tell(&b, address, MUSTER_HEALTH_SERVING);
        AWAIT(n_of_health(&b, "serving") == N_CONNECTIONS);
        AWAIT(n_serving(&b) == N_CONNECTIONS);
    }
    picker_stop(&p);
    cr_expect_eq(stats_of(&b).generation, generation, "a new view");
    expect_quiet(&b, "one");
    bench_close(&b);
}

Test(pool_health, leaves_calls_in_flight_alone)
{
    bench b = open_serving("calls");
    muster_lease leases[N_CONNECTIONS];

    for (int i = 0; i < N_CONNECTIONS; i++) {
        leases[i] = pick(&b);
    }
    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(state_of(&b) == MUSTER_TRANSIENT_FAILURE);
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(state_of(&b) == MUSTER_READY);
    for (int i = 0; i < N_CONNECTIONS; i++) {
        cr_expect(muster_testkit_transport_use(
            b.transport, muster_lease_connection(&leases[i])));
        muster_lease_finish(&leases[i], NULL);
    }
    expect_quiet(&b, "calls");
    bench_close(&b);
}

Test(pool_health, has_a_connection_that_serves_for_the_first)
{
    bench b = open_serving("first");

    for (int i = 0; i < N_CONNECTIONS; i++) {
        char *address;

        tell(&b, addresses[i], MUSTER_HEALTH_SERVING);
        AWAIT(state_of(&b) == MUSTER_READY);
        for (int k = 0; k < N_CONNECTIONS; k++) {
            if (k != i) {
                tell(&b, addresses[k], MUSTER_HEALTH_NOT_SERVING);
            }
        }
        AWAIT(n_of_health(&b, "not_serving") == N_CONNECTIONS - 1);
        cr_expect_eq(n_serving(&b), 1);
        address = in_dump(&b, "connected_address");
        cr_expect_str_eq(address, addresses[i]);
        free(address);
    }
    expect_quiet(&b, "first");
    bench_close(&b);
}

/* ---- all of them ---- */

Test(pool_health, fails_an_endpoint_only_when_no_connection_serves)
{
    bench b = open_with_one("all");
    muster_lease lease = {0};
    muster_error err;

    cr_expect_eq(state_of(&b), MUSTER_READY);
    tell(&b, addresses[N_CONNECTIONS - 1], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(state_of(&b) == MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(stats_of(&b).ready, 0);
    cr_assert_eq(muster_channel_pick(b.channel, NULL, &lease, &err),
                 MUSTER_UNAVAILABLE);
    cr_expect_not_null(strstr(err.message, REASON), "%s", err.message);
    tell(&b, addresses[1], MUSTER_HEALTH_SERVING);
    AWAIT(state_of(&b) == MUSTER_READY);
    cr_expect_eq(n_serving(&b), 1);
    expect_quiet(&b, "all");
    bench_close(&b);
}

Test(pool_health, keeps_an_endpoint_connecting_until_one_answers_well)
{
    bench b = open_spread_with("unknown", watching);

    for (int i = 0; i < N_CONNECTIONS - 1; i++) {
        tell(&b, addresses[i], MUSTER_HEALTH_NOT_SERVING);
        AWAIT(n_of_health(&b, "not_serving") == (unsigned)i + 1);
        cr_expect_eq(state_of(&b), MUSTER_CONNECTING);
    }
    tell(&b, addresses[N_CONNECTIONS - 1], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(state_of(&b) == MUSTER_TRANSIENT_FAILURE);
    /* It stays so, until one serves. */
    tell(&b, addresses[2], MUSTER_HEALTH_UNKNOWN);
    AWAIT(n_of_health(&b, "unknown") == 1);
    cr_expect_eq(state_of(&b), MUSTER_TRANSIENT_FAILURE);
    tell(&b, addresses[2], MUSTER_HEALTH_SERVING);
    AWAIT(state_of(&b) == MUSTER_READY);
    expect_quiet(&b, "unknown");
    bench_close(&b);
}

/* ---- the last that serves is lost ---- */

/* What is left is READY and does not serve. */
Test(pool_health, makes_another_when_the_only_one_that_serves_is_lost)
{
    bench b = open_with_one("lost");

    cr_assert_eq(muster_testkit_transport_disconnect(
                     b.transport, addresses[N_CONNECTIONS - 1]),
                 1);
    AWAIT(state_of(&b) == MUSTER_TRANSIENT_FAILURE);
    await_attempt_at(&b, addresses[0]);
    AWAIT(script_refreshes("lost") > 0);
    muster_testkit_transport_set_delay(b.transport, 0);
    (void)muster_testkit_transport_connect(b.transport, addresses[0]);
    AWAIT(counts_of(&b).connected == N_CONNECTIONS);
    AWAIT(n_of_health(&b, "unknown") == 1);
    cr_expect_eq(state_of(&b), MUSTER_TRANSIENT_FAILURE);
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(state_of(&b) == MUSTER_READY && n_serving(&b) == N_CONNECTIONS);
    bench_close(&b);
}

Test(pool_health, gives_up_a_held_endpoint_that_does_not_serve)
{
    bench b = open_with_one("held");

    script_report_addresses("held", &addresses[N_CONNECTIONS], 1);
    AWAIT(counts_at(&b, addresses[N_CONNECTIONS]).connecting == 1);
    cr_expect_eq(n_serving(&b), 1); /* it is held */
    (void)muster_testkit_transport_disconnect(b.transport,
                                              addresses[N_CONNECTIONS - 1]);
    for (int i = 0; i < N_CONNECTIONS; i++) {
        AWAIT(counts_at(&b, addresses[i]).connected == 0);
    }
    cr_expect_eq(state_of(&b), MUSTER_CONNECTING);
    bench_close(&b);
}

/* ---- renewed ---- */

Test(pool_health, renews_a_connection_when_the_health_of_the_new_one_is_known)
{
    bench b = open_serving("renewed");
    picker p;

    picker_start(&p, &b);
    muster_testkit_transport_set_delay(b.transport, 0);
    (void)muster_testkit_transport_renew(b.transport, NULL);
    AWAIT(counts_of(&b).connected == 2 * N_CONNECTIONS);
    cr_expect_eq(n_serving(&b), N_CONNECTIONS);
    cr_expect_eq(stats_of(&b).connections_destroyed, 0);
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).connections_destroyed == N_CONNECTIONS);
    cr_expect_eq(n_serving(&b), N_CONNECTIONS);
    picker_stop(&p);
    bench_close(&b);
}

/* Each takes over, whatever its health, and leaves the choice by that. */
Test(pool_health, fails_an_endpoint_whose_new_connections_do_not_serve)
{
    bench b = open_serving("tired");

    muster_testkit_transport_set_delay(b.transport, 0);
    (void)muster_testkit_transport_renew(b.transport, NULL);
    AWAIT(counts_of(&b).connected == 2 * N_CONNECTIONS);
    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).connections_destroyed == N_CONNECTIONS);
    AWAIT(state_of(&b) == MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(n_of_health(&b, "not_serving"), N_CONNECTIONS);
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(state_of(&b) == MUSTER_READY && n_serving(&b) == N_CONNECTIONS);
    bench_close(&b);
}
