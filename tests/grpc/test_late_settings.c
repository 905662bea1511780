/* SPDX-License-Identifier: Apache-2.0 */
/* Servers whose SETTINGS come when muster has given up, and C core has not: it
 * leaks the socket of a channel that is destroyed between (grpc/grpc#32071). */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/time.h>

#include "grpc_connection.h"
#include "runtime.h"
#include "transport_host.h"

#define TIMEOUT_MS 200

static void send_settings(int client)
{
    static const char empty[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};

    cr_assert_eq(send(client, empty, sizeof empty, MSG_NOSIGNAL), sizeof empty);
}

/* The client's end of a connection, which has sent its preface: its transport
 * is there and waits for SETTINGS. */
static int accept_transport(int server)
{
    const struct timeval limit = {.tv_sec = 10};
    char preface[24];
    int client = accept(server, NULL, NULL);

    cr_assert_geq(client, 0);
    cr_assert_eq(
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    cr_assert_eq(recv(client, preface, sizeof preface, MSG_WAITALL),
                 sizeof preface);
    return client;
}

static bool is_closed_by_peer(int client)
{
    char bytes[256];
    ssize_t n;

    do {
        n = recv(client, bytes, sizeof bytes, 0);
    } while (n > 0);
    return n == 0 || errno == ECONNRESET;
}

Test(late_settings, close_a_connection_that_timed_out)
{
    muster__grpc_config *config = make_config();
    char address[32];
    int server = silent_server(address, sizeof address);
    int client;
    host h;
    void *connection;

    host_init(&h);
    connection = connect_to(config, &h, address, TIMEOUT_MS);
    client = accept_transport(server);
    cr_assert_eq(wait_for_state(&h, 0), MUSTER_TRANSIENT_FAILURE);
    muster__grpc_transport.destroy(connection);
    send_settings(client);
    cr_expect(is_closed_by_peer(client));
    muster__grpc_config_unref(config);
    (void)close(client);
    (void)close(server);
}

/* As the loser of a race is. A later one tells when its time is over. */
Test(late_settings, close_an_attempt_that_was_given_up_before)
{
    muster__grpc_config *config = make_config();
    char address[32];
    int server = silent_server(address, sizeof address);
    int client;
    host loser;
    host later;
    void *connection;

    host_init(&loser);
    host_init(&later);
    connection = connect_to(config, &loser, address, TIMEOUT_MS);
    client = accept_transport(server);
    muster__grpc_transport.destroy(connection);
    connection = connect_to(config, &later, address, TIMEOUT_MS);
    cr_assert_eq(wait_for_state(&later, 0), MUSTER_TRANSIENT_FAILURE);
    muster__grpc_transport.destroy(connection);
    send_settings(client);
    cr_expect(is_closed_by_peer(client));
    cr_expect_eq(loser.n_states, 0);
    muster__grpc_config_unref(config);
    (void)close(client);
    (void)close(server);
}

/* A connection that was READY, and is lost. */
static void *lose_connection(muster__grpc_config *config, host *h, int server,
                             const char *address)
{
    void *connection = connect_to(config, h, address, TIMEOUT_MS);
    int client = accept_transport(server);

    send_settings(client);
    cr_assert_eq(wait_for_state(h, 0), MUSTER_READY, "%s", h->reason);
    (void)close(client);
    cr_assert_eq(wait_for_state(h, 1), MUSTER_IDLE);
    return connection;
}

static void ignore(grpc_completion_queue_functor *self, int ok)
{
    (void)self;
    (void)ok;
}

/* C core connects again for it. */
static grpc_call *call_late(void *connection)
{
    grpc_call *call = grpc_channel_create_call(
        muster__grpc_connection_channel(connection), NULL,
        GRPC_PROPAGATE_DEFAULTS, muster__grpc_watch_queue(),
        grpc_slice_from_static_string("/echo.Echo/Unary"), NULL,
        gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    static grpc_completion_queue_functor ignored = {.functor_run = ignore};
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};

    cr_assert_eq(grpc_call_start_batch(call, &op, 1, &ignored, NULL),
                 GRPC_CALL_OK);
    return call;
}

Test(late_settings, close_what_a_late_call_began)
{
    muster__grpc_config *config = make_config();
    char address[32];
    int server = silent_server(address, sizeof address);
    int client;
    host h;
    void *connection;
    grpc_call *call;

    host_init(&h);
    connection = lose_connection(config, &h, server, address);
    call = call_late(connection);
    client = accept_transport(server);
    (void)grpc_call_cancel(call, NULL);
    grpc_call_unref(call);
    muster__grpc_transport.destroy(connection);
    send_settings(client);
    cr_expect(is_closed_by_peer(client));
    muster__grpc_config_unref(config);
    (void)close(client);
    (void)close(server);
}
