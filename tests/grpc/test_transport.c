/* SPDX-License-Identifier: Apache-2.0 */
/* The gRPC transport alone, under a host of the test's own. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <grpc/support/alloc.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "backend.h"
#include "call.h"
#include "calling.h"
#include "grpc_config.h"
#include "grpc_connection.h"
#include "limit.h"
#include "poller.h"
#include "transport_host.h"

/* A port that is bound but does not listen: connects are refused. */
static int refused_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(bind(descriptor, (struct sockaddr *)&address, length), 0);
    cr_assert_eq(getsockname(descriptor, (struct sockaddr *)&address, &length),
                 0);
    return ntohs(address.sin_port);
}

/* How long a server took to be READY, and its end to be noticed. */
typedef struct times {
    uint64_t ready_ns;
    uint64_t lost_ns;
} times;

static times measure(muster__grpc_config *config)
{
    times taken;
    backend server;
    host h;
    void *connection;
    uint64_t begun_ns;

    cr_assert(backend_start(&server, NULL));
    host_init(&h);
    begun_ns = now_ns();
    connection = connect_to(config, &h, server.address, 5000);
    cr_assert_eq(wait_for_state(&h, 0), MUSTER_READY, "%s", h.reason);
    taken.ready_ns = h.last_ns - begun_ns;
    begun_ns = now_ns();
    backend_kill(&server);
    cr_assert_eq(wait_for_state(&h, 1), MUSTER_IDLE);
    taken.lost_ns = h.last_ns - begun_ns;
    muster__grpc_transport.destroy(connection);
    return taken;
}

/* The best of some: the machine may be busy, but a poller that is not there
 * takes seconds every time. */
static times best_times(void)
{
    muster__grpc_config *config = make_config();
    times best = {.ready_ns = UINT64_MAX, .lost_ns = UINT64_MAX};

    for (int i = 0; i < 5; i++) {
        times taken = measure(config);

        best.ready_ns =
            taken.ready_ns < best.ready_ns ? taken.ready_ns : best.ready_ns;
        best.lost_ns =
            taken.lost_ns < best.lost_ns ? taken.lost_ns : best.lost_ns;
    }
    muster__grpc_config_unref(config);
    return best;
}

Test(grpc_transport, becomes_ready_at_a_server_that_listens)
{
    uint64_t taken_ns = best_times().ready_ns;

    cr_expect_lt(taken_ns, limit_ns(50), "%llu", (unsigned long long)taken_ns);
}

Test(grpc_transport, reports_idle_when_the_server_goes_away)
{
    uint64_t taken_ns = best_times().lost_ns;

    cr_expect_lt(taken_ns, limit_ns(50), "%llu", (unsigned long long)taken_ns);
}

Test(grpc_transport, fails_with_the_reason_when_refused)
{
    muster__grpc_config *config = make_config();
    char address[32];
    host h;
    void *connection;

    (void)snprintf(address, sizeof address, "127.0.0.1:%d", refused_port());
    host_init(&h);
    connection = connect_to(config, &h, address, 5000);
    cr_expect_eq(wait_for_state(&h, 0), MUSTER_TRANSIENT_FAILURE);
    cr_expect(strstr(h.reason, "Connection refused") != NULL, "%s", h.reason);
    cr_expect(strstr(h.reason, address) != NULL, "%s", h.reason);
    muster__grpc_transport.destroy(connection);
    muster__grpc_config_unref(config);
}

Test(grpc_transport, gives_up_after_the_connect_timeout)
{
    muster__grpc_config *config = make_config();
    char address[32];
    int descriptor = silent_server(address, sizeof address);
    host h;
    void *connection;

    host_init(&h);
    connection = connect_to(config, &h, address, 200);
    cr_expect_eq(wait_for_state(&h, 0), MUSTER_TRANSIENT_FAILURE);
    cr_expect_str_eq(h.reason, "connect timed out after 200 ms");
    muster__grpc_transport.destroy(connection);
    muster__grpc_config_unref(config);
    (void)close(descriptor);
}

Test(grpc_transport, can_be_destroyed_while_it_connects)
{
    muster__grpc_config *config = make_config();
    char address[32];
    int descriptor = silent_server(address, sizeof address);
    host h;

    host_init(&h);
    for (int i = 0; i < 200; i++) {
        void *connection = connect_to(config, &h, address, 0);

        muster__grpc_transport.destroy(connection);
    }
    cr_expect_eq(h.n_states, 0);
    muster__grpc_config_unref(config);
    (void)close(descriptor);
}

Test(grpc_transport, reaches_a_socket_whose_path_has_odd_characters)
{
    muster__grpc_config *config = make_config();
    const char *parent = getenv("TMPDIR");
    char folder[64];
    char path[96];
    const char *const flags[] = {"--unix", path, NULL};
    backend server;
    host h;
    void *connection;

    (void)snprintf(folder, sizeof folder, "%s/musterXXXXXX",
                   parent == NULL ? "/tmp" : parent);
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/a b", folder);
    cr_assert(backend_start(&server, flags));
    host_init(&h);
    connection = connect_to(config, &h, server.address, 5000);
    cr_expect_eq(wait_for_state(&h, 0), MUSTER_READY, "%s", h.reason);
    muster__grpc_transport.destroy(connection);
    muster__grpc_config_unref(config);
    backend_kill(&server);
    (void)unlink(path);
    (void)rmdir(folder);
}

Test(grpc_transport, survives_churn_of_hundreds)
{
    enum { N = 100, ROUNDS = 5 };
    muster__grpc_config *config = make_config();
    static host hosts[N];
    void *connections[N];
    backend server;

    cr_assert(backend_start(&server, NULL));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++) {
            host_init(&hosts[i]);
            connections[i] =
                connect_to(config, &hosts[i], server.address, 5000);
        }
        for (int i = 0; i < N; i++) {
            if (i % 2 == 0) {
                cr_expect_eq(wait_for_state(&hosts[i], 0), MUSTER_READY, "%s",
                             hosts[i].reason);
            }
            muster__grpc_transport.destroy(connections[i]);
        }
    }
    muster__grpc_config_unref(config);
    backend_kill(&server);
}

static grpc_call *begin_call(grpc_channel *channel,
                             grpc_completion_queue *queue)
{
    return grpc_channel_create_call(
        channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
        grpc_slice_from_static_string("/echo.Echo/Unary"), NULL,
        gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

/* How the call ends, without a message; whether it never left. */
static grpc_status_code end_of(grpc_call *call, grpc_completion_queue *queue,
                               bool *ret_never_left)
{
    grpc_metadata_array metadata[2];
    grpc_byte_buffer *response = NULL;
    grpc_status_code status;
    grpc_slice details = grpc_empty_slice();
    grpc_op ops[5];

    memset(ops, 0, sizeof ops);
    grpc_metadata_array_init(&metadata[0]);
    grpc_metadata_array_init(&metadata[1]);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[2].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[2].data.recv_initial_metadata.recv_initial_metadata = &metadata[0];
    ops[3].op = GRPC_OP_RECV_MESSAGE;
    ops[3].data.recv_message.recv_message = &response;
    ops[4].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[4].data.recv_status_on_client.trailing_metadata = &metadata[1];
    ops[4].data.recv_status_on_client.status = &status;
    ops[4].data.recv_status_on_client.status_details = &details;
    (void)grpc_call_start_batch(call, ops, 5, call, NULL);
    muster__grpc_poller_enter();
    (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                     NULL);
    muster__grpc_poller_leave();
    *ret_never_left = muster__call_never_left(status, details);
    grpc_metadata_array_destroy(&metadata[0]);
    grpc_metadata_array_destroy(&metadata[1]);
    grpc_byte_buffer_destroy(response);
    grpc_slice_unref(details);
    return status;
}

/* One empty call by hand, polled for as muster's calls are. Whether it reached
 * a transport. */
static bool call_once(grpc_channel *channel, grpc_completion_queue *queue)
{
    grpc_call *call = begin_call(channel, queue);
    bool never_left;

    (void)end_of(call, queue, &never_left);
    grpc_call_unref(call);
    return never_left;
}

/* Calls on one connection until told to stop. */
typedef struct caller {
    grpc_channel *channel;
    atomic_bool is_stopped;
    atomic_int n_calls;
} caller;

static void *keep_calling(void *arg)
{
    caller *self = arg;
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);

    while (!atomic_load(&self->is_stopped)) {
        (void)call_once(self->channel, queue);
        atomic_fetch_add(&self->n_calls, 1);
    }
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
    return NULL;
}

/* How long after its server was killed a connection reported it, with calls
 * on another one: still running, or just stopped. */
static uint64_t loss_noticed_ns(muster__grpc_config *config, bool are_running)
{
    backend busy;
    backend dying;
    host busy_host;
    host dying_host;
    pthread_t thread;
    caller self = {0};
    void *busy_connection;
    void *dying_connection;
    uint64_t killed_ns;

    cr_assert(backend_start(&busy, NULL) && backend_start(&dying, NULL));
    host_init(&busy_host);
    host_init(&dying_host);
    busy_connection = connect_to(config, &busy_host, busy.address, 5000);
    dying_connection = connect_to(config, &dying_host, dying.address, 5000);
    cr_assert_eq(wait_for_state(&busy_host, 0), MUSTER_READY);
    cr_assert_eq(wait_for_state(&dying_host, 0), MUSTER_READY);
    self.channel = muster__grpc_connection_channel(busy_connection);
    cr_assert_eq(pthread_create(&thread, NULL, keep_calling, &self), 0);
    while (atomic_load(&self.n_calls) < 1000) {
        (void)sched_yield();
    }
    atomic_store(&self.is_stopped, !are_running);
    if (!are_running) {
        (void)pthread_join(thread, NULL);
    }
    killed_ns = now_ns();
    backend_kill(&dying);
    cr_expect_eq(wait_for_state(&dying_host, 1), MUSTER_IDLE);
    if (are_running) {
        atomic_store(&self.is_stopped, true);
        (void)pthread_join(thread, NULL);
    }
    muster__grpc_transport.destroy(busy_connection);
    muster__grpc_transport.destroy(dying_connection);
    backend_kill(&busy);
    return dying_host.last_ns - killed_ns;
}

/* As best_times(). */
static uint64_t best_loss_noticed_ns(bool are_running)
{
    muster__grpc_config *config = make_config();
    uint64_t best_ns = UINT64_MAX;

    for (int i = 0; i < 5 && best_ns > limit_ns(50); i++) {
        uint64_t taken_ns = loss_noticed_ns(config, are_running);

        best_ns = taken_ns < best_ns ? taken_ns : best_ns;
    }
    muster__grpc_config_unref(config);
    return best_ns;
}

Test(grpc_transport, notices_a_loss_within_50_ms_while_calls_run)
{
    uint64_t taken_ns = best_loss_noticed_ns(true);

    cr_expect_lt(taken_ns, limit_ns(50), "%llu", (unsigned long long)taken_ns);
}

Test(grpc_transport, notices_a_loss_within_50_ms_when_calls_just_stopped)
{
    uint64_t taken_ns = best_loss_noticed_ns(false);

    cr_expect_lt(taken_ns, limit_ns(50), "%llu", (unsigned long long)taken_ns);
}

/* What placing a call again rests on. */
Test(grpc_transport, tells_calls_that_left_from_those_that_did_not)
{
    muster__grpc_config *config = make_config();
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    backend server;
    host h;
    void *connection;
    grpc_channel *channel;

    cr_assert(backend_start(&server, NULL));
    host_init(&h);
    connection = connect_to(config, &h, server.address, 5000);
    channel = muster__grpc_connection_channel(connection);
    cr_assert_eq(wait_for_state(&h, 0), MUSTER_READY, "%s", h.reason);
    cr_expect_not(call_once(channel, queue));
    backend_kill(&server);
    cr_assert_eq(wait_for_state(&h, 1), MUSTER_IDLE);
    cr_expect(call_once(channel, queue));
    muster__grpc_transport.destroy(connection);
    muster__grpc_config_unref(config);
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
}

/* Its lease is from before. */
Test(grpc_transport, cancels_a_call_that_comes_after_cancelling)
{
    muster__grpc_config *config = make_config();
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    muster__grpc_placed placed = {0};
    bool never_left;
    backend server;
    host h;
    void *connection;

    cr_assert(backend_start(&server, NULL));
    host_init(&h);
    connection = connect_to(config, &h, server.address, 5000);
    cr_assert_eq(wait_for_state(&h, 0), MUSTER_READY, "%s", h.reason);
    muster__grpc_transport.cancel(connection);
    placed.call =
        begin_call(muster__grpc_connection_channel(connection), queue);
    muster__grpc_connection_link(connection, &placed);
    cr_expect_eq(end_of(placed.call, queue, &never_left),
                 GRPC_STATUS_UNAVAILABLE);
    muster__grpc_connection_unlink(connection, &placed);
    gpr_free(placed.peer);
    grpc_call_unref(placed.call);
    muster__grpc_transport.destroy(connection);
    muster__grpc_config_unref(config);
    backend_kill(&server);
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
}
