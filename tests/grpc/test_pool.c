/* SPDX-License-Identifier: Apache-2.0 */
/* Several connections to one real server: so many, and calls spread evenly. */
#include <muster/muster.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "calling.h"

enum { N_CONNECTIONS = 4, N_CALLS = 4000 };

TestSuite(grpc_pool, .timeout = 120);

typedef struct tally {
    char addresses[N_CONNECTIONS]
                  [64]; /* of our ends, as the server sees them */
    unsigned n_calls[N_CONNECTIONS];
    unsigned n;
} tally;

/* answer: "ADDRESS NAME" */
static void count(tally *self, const char *answer)
{
    size_t length = strcspn(answer, " ");
    unsigned i = 0;

    cr_assert_lt(length, sizeof self->addresses[0]);
    while (i < self->n && (strncmp(self->addresses[i], answer, length) != 0 ||
                           self->addresses[i][length] != '\0')) {
        i++;
    }
    cr_assert_lt(i, N_CONNECTIONS, "more than %d connections", N_CONNECTIONS);
    if (i == self->n) {
        memcpy(self->addresses[i], answer, length);
        self->n++;
    }
    self->n_calls[i]++;
}

static void call_peer(muster_channel *channel, tally *ret_tally)
{
    muster_call *call = NULL;
    muster_call_result result;
    char *answer;

    cr_assert_eq(
        muster_call_create(channel, "/echo.Echo/Peer", &patient, &call, NULL),
        MUSTER_OK);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    result = result_of(call);
    cr_assert_eq(result.status, GRPC_STATUS_OK, "%s", result.message);
    answer = text_of(result.response);
    count(ret_tally, answer);
    free(answer);
    muster_call_destroy(call);
}

static void check_even(const tally *calls)
{
    const unsigned fair = N_CALLS / N_CONNECTIONS;

    cr_assert_eq(calls->n, N_CONNECTIONS);
    for (unsigned i = 0; i < calls->n; i++) {
        (void)printf("%s: %u calls\n", calls->addresses[i], calls->n_calls[i]);
        cr_expect_geq(calls->n_calls[i] * 100, fair * 95);
        cr_expect_leq(calls->n_calls[i] * 100, fair * 105);
    }
}

static void serve_with(muster_connection_choice choice)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .connections_per_endpoint = N_CONNECTIONS,
                                      .connection_choice = choice};
    muster_channel_stats stats = {.struct_size = sizeof stats};
    muster_channel *channel = NULL;
    tally calls = {.n = 0};
    backend server;
    char target[160];

    cr_assert(backend_start(&server, NULL));
    (void)snprintf(target, sizeof target, "static:///%s", server.address);
    cr_assert_eq(
        muster_grpc_channel_create(target, &options, NULL, &channel, NULL),
        MUSTER_OK);
    cr_assert(backend_await_count(&server, "connections", N_CONNECTIONS));
    while (stats.connections_ready < N_CONNECTIONS) {
        cr_assert_eq(muster_channel_get_stats(channel, &stats), MUSTER_OK);
    }
    for (int i = 0; i < N_CALLS; i++) {
        call_peer(channel, &calls);
    }
    check_even(&calls);
    cr_expect_eq(backend_count(&server, "connections"), N_CONNECTIONS);
    muster_channel_destroy(channel);
    backend_stop(&server);
}

Test(grpc_pool, spreads_calls_over_its_connections)
{
    serve_with(MUSTER_CONNECTION_ROUND_ROBIN);
}

/* One after another they find all equally loaded, and those take turns. */
Test(grpc_pool, spreads_calls_over_equally_loaded_connections)
{
    serve_with(MUSTER_CONNECTION_LEAST_LOADED);
}

/* Each may reach another process. */
Test(grpc_pool, watches_the_health_of_each_connection)
{
    static const char *const serves[] = {"--health", "SERVING", NULL};
    const muster_channel_options options = {
        .struct_size = sizeof options,
        .connections_per_endpoint = N_CONNECTIONS,
        .service_config = "{\"healthCheckConfig\": {\"serviceName\": \"\"}}"};
    muster_channel *channel = NULL;
    tally calls = {.n = 0};
    backend server;
    char target[160];

    cr_assert(backend_start(&server, serves));
    (void)snprintf(target, sizeof target, "static:///%s", server.address);
    cr_assert_eq(
        muster_grpc_channel_create(target, &options, NULL, &channel, NULL),
        MUSTER_OK);
    cr_expect(backend_await_count(&server, "watches", N_CONNECTIONS));
    while (calls.n < N_CONNECTIONS) { /* as they are told that it serves */
        call_peer(channel, &calls);
    }
    cr_expect_eq(backend_count(&server, "connections"), N_CONNECTIONS);
    muster_channel_destroy(channel);
    backend_stop(&server);
}

/* A lost one's C core channel is kept for the next (too_many_pings): for one,
 * not for all that are lost with it. */
Test(grpc_pool, has_as_many_again_after_all_are_lost)
{
    static const char *const flags[] = {"--max-connection-age-ms", "700", NULL};
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .connections_per_endpoint =
                                                N_CONNECTIONS,
                                            .initial_backoff_ms = 10};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options, .keepalive_time_ms = 10000};
    muster_channel_stats stats = {.struct_size = sizeof stats};
    muster_channel *channel = NULL;
    backend server;
    char target[160];

    cr_assert(backend_start(&server, flags));
    (void)snprintf(target, sizeof target, "static:///%s", server.address);
    cr_assert_eq(muster_grpc_channel_create(target, &options, &grpc_options,
                                            &channel, NULL),
                 MUSTER_OK);
    do {
        cr_assert_eq(muster_channel_get_stats(channel, &stats), MUSTER_OK);
        cr_assert_leq(backend_count(&server, "connections"), 2 * N_CONNECTIONS);
    } while (stats.connections_ready < 4 * N_CONNECTIONS);
    cr_expect(backend_await_count(&server, "connections", N_CONNECTIONS));
    muster_channel_destroy(channel);
    backend_stop(&server);
}
