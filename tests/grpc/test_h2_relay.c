/* SPDX-License-Identifier: Apache-2.0 */
/* The relay that stands between clients and servers. */
#include "h2_relay.h"

#include <criterion/criterion.h>

#include "backend.h"
#include "core_client.h"

static backend server;
static h2_relay *relay;
static core_client client;

static void set_up(void)
{
    cr_assert(backend_start(&server, NULL));
    relay = h2_relay_start(server.port);
    cr_assert_not_null(relay);
    core_client_open(&client, h2_relay_address(relay), NULL, NULL, 0);
}

static void tear_down(void)
{
    core_client_close(&client);
    h2_relay_stop(relay);
    backend_kill(&server);
}

static bool has_call(void *unused)
{
    (void)unused;
    return backend_count(&server, "calls") == 1;
}

/* C core knows of the loss; it may have reconnected. Its calls end a moment
 * before, and another one made then fails, too. */
static bool has_lost_first(void *unused)
{
    (void)unused;
    return grpc_channel_check_connectivity_state(client.channel, 0) !=
               GRPC_CHANNEL_READY ||
           h2_relay_n_connections(relay) > 1;
}

TestSuite(h2_relay, .init = set_up, .fini = tear_down);

Test(h2_relay, passes_calls_on_and_counts_their_frames)
{
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(core_client_ask(&client), GRPC_STATUS_OK);
    }
    cr_expect_eq(h2_relay_n_connections(relay), 1);
    cr_expect_eq(h2_relay_n_open(relay), 1);
    cr_expect_eq(h2_relay_client_frames(relay, H2_HEADERS), 10);
    /* Headers and trailers. */
    cr_expect_eq(h2_relay_server_frames(relay, H2_HEADERS), 20);
    cr_expect_eq(h2_relay_goaways(relay), 0);
}

Test(h2_relay, holds_what_comes_while_it_is_frozen)
{
    core_call made;
    const gpr_timespec forever = gpr_inf_future(GPR_CLOCK_MONOTONIC);

    cr_assert_eq(core_client_ask(&client), GRPC_STATUS_OK);
    h2_relay_freeze(relay, 0);
    core_call_start(&made, client.channel, client.queue, "/echo.Echo/Unary",
                    NULL, NULL, 0, forever);
    /* Long enough for the call to come, were it not for the relay. */
    cr_expect_eq(grpc_completion_queue_next(
                     client.queue,
                     gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                  gpr_time_from_millis(100, GPR_TIMESPAN)),
                     NULL)
                     .type,
                 GRPC_QUEUE_TIMEOUT);
    cr_expect_eq(backend_count(&server, "calls"), 1);
    h2_relay_thaw(relay, 0);
    cr_expect(core_client_await_calls(&client, 1));
    cr_expect_eq(made.status, GRPC_STATUS_OK);
    core_call_fini(&made);
    cr_expect_eq(h2_relay_n_connections(relay), 1);
}

Test(h2_relay, resets_a_connection_with_its_calls)
{
    grpc_metadata slow = core_header("x-delay-ms", "60000");
    core_call made;

    core_call_start(&made, client.channel, client.queue, "/echo.Echo/Unary",
                    NULL, &slow, 1, gpr_inf_future(GPR_CLOCK_MONOTONIC));
    cr_assert(core_client_await_condition(&client, has_call, NULL));
    h2_relay_reset(relay, 0);
    cr_expect(core_client_await_calls(&client, 1));
    cr_expect_eq(made.status, GRPC_STATUS_UNAVAILABLE);
    core_call_fini(&made);
    cr_assert(core_client_await_condition(&client, has_lost_first, NULL));
    cr_expect_eq(core_client_ask(&client), GRPC_STATUS_OK);
    cr_expect_eq(h2_relay_n_connections(relay), 2);
    cr_expect_eq(h2_relay_n_open(relay), 1);
}

Test(h2_relay, refuses_clients_when_the_server_is_gone)
{
    backend_kill(&server);
    cr_expect(core_client_await_state(&client, GRPC_CHANNEL_TRANSIENT_FAILURE));
    cr_expect_eq(h2_relay_n_connections(relay), 0);
}
