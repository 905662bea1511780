/* SPDX-License-Identifier: Apache-2.0 */
/* What muster-echo-server counts, and its commands. */
#include <criterion/criterion.h>

#include "backend.h"
#include "core_client.h"

Test(echo_counts, tell_of_calls_and_connections)
{
    grpc_metadata failing = core_header("x-status", "9");
    core_client clients[2];
    core_call made;
    backend server;

    cr_assert(backend_start(&server, NULL));
    for (int i = 0; i < 2; i++) {
        core_client_open(&clients[i], server.address, NULL, NULL, 0);
        cr_assert_eq(core_client_ask(&clients[i]), GRPC_STATUS_OK);
    }
    core_client_call(&clients[0], &made, "", &failing, 1);
    core_call_fini(&made);
    cr_expect_eq(backend_count(&server, "calls"), 3);
    cr_expect_eq(backend_count(&server, "failed"), 1);
    cr_expect_eq(backend_count(&server, "accepted"), 2);
    cr_expect_eq(backend_count(&server, "connections"), 2);
    core_client_close(&clients[0]);
    cr_expect(backend_await_count(&server, "connections", 1));
    cr_expect_eq(backend_count(&server, "accepted"), 2);
    core_client_close(&clients[1]);
    backend_stop(&server);
}

Test(echo_counts, come_through_beside_what_is_told_of_calls)
{
    static const char *const flags[] = {"--tell-calls", NULL};
    core_client client;
    backend server;

    cr_assert(backend_start(&server, flags));
    core_client_open(&client, server.address, NULL, NULL, 0);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(core_client_ask(&client), GRPC_STATUS_OK);
    }
    cr_expect(backend_await_call(&server));
    cr_expect_eq(backend_count(&server, "calls"), 5);
    core_client_close(&client);
    backend_kill(&server);
}

Test(echo_counts, have_pages_of_connections)
{
    /* C core tells of 500 at most at once. */
    enum { N_CLIENTS = 510 };
    static core_client clients[N_CLIENTS];
    backend server;

    cr_assert(backend_start(&server, NULL));
    for (int i = 0; i < N_CLIENTS; i++) {
        core_client_open(&clients[i], server.address, NULL, NULL, 0);
        (void)grpc_channel_check_connectivity_state(clients[i].channel, 1);
    }
    for (int i = 0; i < N_CLIENTS; i++) {
        cr_assert(core_client_await_state(&clients[i], GRPC_CHANNEL_READY));
    }
    cr_expect(backend_await_count(&server, "connections", N_CLIENTS));
    for (int i = 0; i < N_CLIENTS; i++) {
        core_client_close(&clients[i]);
    }
    backend_kill(&server);
}

Test(echo_counts, and_other_commands_are_refused_when_unknown)
{
    backend server;

    cr_assert(backend_start(&server, NULL));
    cr_expect_not(backend_tell(&server, "dance"));
    cr_expect_not(backend_tell(&server, "health DANCING"));
    cr_expect_not(backend_tell(&server, "health-calls DANCING"));
    cr_expect(backend_tell(&server, "health SERVING"));
    cr_expect_eq(backend_count(&server, "dances"), UINT64_MAX);
    backend_kill(&server);
}

Test(echo_counts, are_of_a_server_that_was_not_started_with_wrong_flags)
{
    static const char *const wrong[][3] = {
        {"--error-rate", "2", NULL},  {"--error-status", "NO", NULL},
        {"--delay-ms", "-1", NULL},   {"--health", "FINE", NULL},
        {"--tls-key", "x.pem", NULL}, {"--dance", NULL, NULL}};
    backend server;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_not(backend_start(&server, wrong[i]));
    }
}
