/* SPDX-License-Identifier: Apache-2.0 */
/* A server that bears fewer pings than its client sends. It ends connections
 * with GOAWAY too_many_pings: each connection that follows has half as many. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend.h"
#include "calling.h"
#include "h2_relay.h"
#include "scale.h"

enum { ENHANCE_YOUR_CALM = 11, KEEPALIVE_MS = 1000, N_PINGS_BORNE = 4 };

static backend server;
static h2_relay *relay;
static muster_channel *channel;

static void set_up(void)
{
    /* Full size: 1, 2, 4 and 8 s are too early for it, 16 s are not. */
    const char *const flags[] = {"--min-ping-interval-ms",
                                 scale_is_full() ? "10000" : "5000",
                                 "--max-ping-strikes",
                                 "1",
                                 "--keepalive-permit-without-calls",
                                 NULL};
    const muster_grpc_options options = {.struct_size = sizeof options,
                                         .keepalive_time_ms = KEEPALIVE_MS,
                                         .keepalive_permit_without_calls = 1};
    muster_error err;
    char target[128];

    cr_assert(backend_start(&server, flags));
    relay = h2_relay_start(server.port);
    cr_assert_not_null(relay);
    (void)snprintf(target, sizeof target, "static:///%s",
                   h2_relay_address(relay));
    cr_assert_eq(
        muster_grpc_channel_create(target, NULL, &options, &channel, &err),
        MUSTER_OK, "%s", err.message);
}

static void tear_down(void)
{
    muster_channel_destroy(channel);
    h2_relay_stop(relay);
    backend_kill(&server);
}

TestSuite(too_many_pings, .init = set_up, .fini = tear_down);

/* Between those of one connection. */
static uint64_t shortest_gap_ns(size_t number)
{
    uint64_t shortest_ns = UINT64_MAX;
    h2_relay_view view;

    cr_assert(h2_relay_look(relay, number, &view));
    for (uint64_t i = 1; i < view.from_client.n_pings; i++) {
        const uint64_t gap_ns =
            view.from_client.ping_ns[i] - view.from_client.ping_ns[i - 1];

        shortest_ns = gap_ns < shortest_ns ? gap_ns : shortest_ns;
    }
    return shortest_ns;
}

static void expect_interval(size_t number)
{
    const uint64_t interval_ns = (KEEPALIVE_MS * MILLISECOND) << number;
    const uint64_t gap_ns = shortest_gap_ns(number);

    (void)printf("connection %zu: a ping every %.2f s\n", number,
                 (double)gap_ns / 1e9);
    cr_expect_geq(gap_ns, interval_ns * 9 / 10);
    cr_expect_lt(gap_ns, interval_ns * 18 / 10);
}

static void expect_answer(void)
{
    char *answer = NULL;

    cr_expect_eq(ask(channel, "hello", &patient, &answer), GRPC_STATUS_OK, "%s",
                 answer);
    free(answer);
}

/* A call is answered on each connection; between them the connections are idle,
 * for what a server sends forgives pings. One call: after a second, C core
 * might ping to measure the bandwidth. */
static void outlast(size_t n_goaways)
{
    h2_relay_view view;

    expect_answer();
    for (size_t i = 0; i < n_goaways; i++) {
        cr_assert(h2_relay_await(relay, h2_relay_goaways, i + 1));
        cr_assert(h2_relay_look(relay, i, &view));
        cr_expect_eq(view.from_server.goaway_code, ENHANCE_YOUR_CALM);
        expect_answer();
        expect_interval(i);
    }
}

Test(too_many_pings, halve_with_each_connection_and_no_call_fails)
{
    const size_t n = scale_is_full() ? 4 : 2;

    outlast(n);
    cr_expect_eq(h2_relay_goaways(relay), n);
    if (scale_is_full()) { /* the next ones are borne */
        const uint64_t sent = h2_relay_client_pings(relay);

        for (uint64_t i = 1; i <= N_PINGS_BORNE; i++) {
            cr_assert(h2_relay_await(relay, h2_relay_client_pings, sent + i));
        }
        expect_interval(n);
        expect_answer();
        cr_expect_eq(h2_relay_n_connections(relay), n + 1);
    }
}
