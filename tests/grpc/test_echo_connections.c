/* SPDX-License-Identifier: Apache-2.0 */
/* muster-echo-server ends connections, pings, and bears pings, as its flags
 * say: seen by a relay between it and a client of plain C core. */
#include <criterion/criterion.h>

#include "backend.h"
#include "core_client.h"
#include "h2_relay.h"

enum { NO_ERROR = 0, ENHANCE_YOUR_CALM = 11 };

static backend server;
static h2_relay *relay;
static core_client client;

static void start(const char *const *flags, const grpc_arg *arguments,
                  size_t n_arguments)
{
    cr_assert(backend_start(&server, flags));
    relay = h2_relay_start(server.port);
    cr_assert_not_null(relay);
    core_client_open(&client, h2_relay_address(relay), NULL, arguments,
                     n_arguments);
    cr_assert(core_client_await_state(&client, GRPC_CHANNEL_READY));
}

static void end(void)
{
    core_client_close(&client);
    h2_relay_stop(relay);
    backend_kill(&server);
}

typedef struct expectation {
    uint64_t (*sum_of)(h2_relay *relay);
    uint64_t least;
} expectation;

static bool is_met(void *arg)
{
    const expectation *expected = arg;

    return expected->sum_of(relay) >= expected->least;
}

/* While the client moves. */
static bool await_sum(uint64_t (*sum_of)(h2_relay *relay), uint64_t least)
{
    expectation expected = {sum_of, least};

    return core_client_await_condition(&client, is_met, &expected);
}

static uint32_t goaway_code_of(size_t number)
{
    h2_relay_view view;

    cr_assert(h2_relay_look(relay, number, &view));
    return view.from_server.goaway_code;
}

/* ---- Idleness and age: long enough for a call to begin in them ---- */

Test(echo_connections, end_when_they_are_idle)
{
    static const char *const flags[] = {"--max-connection-idle-ms", "500",
                                        NULL};

    start(flags, NULL, 0);
    cr_expect_eq(core_client_ask(&client), GRPC_STATUS_OK);
    cr_expect(await_sum(h2_relay_goaways, 1));
    end();
}

Test(echo_connections, end_by_age_after_their_calls)
{
    static const char *const flags[] = {"--max-connection-age-ms", "500", NULL};
    grpc_metadata slow = core_header("x-delay-ms", "1000");
    core_call made;

    start(flags, NULL, 0);
    core_client_call(&client, &made, "", &slow, 1);
    cr_expect_eq(made.status, GRPC_STATUS_OK);
    core_call_fini(&made);
    cr_expect(await_sum(h2_relay_goaways, 1));
    cr_expect_eq(goaway_code_of(0), NO_ERROR);
    end();
}

Test(echo_connections, end_after_the_grace_whatever_is_called)
{
    static const char *const flags[] = {"--max-connection-age-ms", "50",
                                        "--max-connection-age-grace-ms", "50",
                                        NULL};
    grpc_metadata slow = core_header("x-delay-ms", "60000");
    core_call made;

    start(flags, NULL, 0);
    core_client_call(&client, &made, "", &slow, 1);
    cr_expect_eq(made.status, GRPC_STATUS_UNAVAILABLE);
    core_call_fini(&made);
    end();
}

/* ---- The server's pings ---- */

Test(echo_connections, are_pinged_at_the_keepalive_time)
{
    static const char *const flags[] = {
        "--keepalive-time-ms", "20", "--keepalive-permit-without-calls", NULL};

    start(flags, NULL, 0);
    cr_expect(await_sum(h2_relay_server_pings, 2));
    cr_expect(backend_await_count(&server, "connections", 1));
    end();
}

Test(echo_connections, end_when_no_ping_is_answered)
{
    static const char *const flags[] = {"--keepalive-time-ms",
                                        "20",
                                        "--keepalive-timeout-ms",
                                        "50",
                                        "--keepalive-permit-without-calls",
                                        NULL};

    start(flags, NULL, 0);
    h2_relay_freeze(relay, H2_RELAY_ALL);
    cr_expect(backend_await_count(&server, "connections", 0));
    end();
}

Test(echo_connections, are_not_pinged_without_leave_while_nothing_is_called)
{
    static const char *const flags[] = {"--keepalive-time-ms", "20", NULL};
    const grpc_arg argument = core_number(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    grpc_metadata slow = core_header("x-delay-ms", "1000");
    core_call made;

    start(flags, &argument, 1);
    cr_expect_eq(h2_relay_server_pings(relay), 0);
    core_client_call(&client, &made, "", &slow, 1);
    core_call_fini(&made);
    cr_expect_geq(h2_relay_server_pings(relay), 1);
    end();
}

/* ---- The client's pings ---- */

Test(echo_connections, end_after_too_many_pings)
{
    static const char *const flags[] = {
        "--min-ping-interval-ms",           "60000", "--max-ping-strikes", "1",
        "--keepalive-permit-without-calls", NULL};
    /* C core sends one a second at most, whatever it is told. */
    const grpc_arg arguments[] = {
        core_number(GRPC_ARG_KEEPALIVE_TIME_MS, 20),
        core_number(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        core_number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0)};

    start(flags, arguments, 3);
    cr_expect(await_sum(h2_relay_goaways, 1));
    cr_expect_eq(goaway_code_of(0), ENHANCE_YOUR_CALM);
    end();
}
