/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1 of muster-echo-server. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/time.h>

#include "backend.h"
#include "core_client.h"

#define CHECK "/grpc.health.v1.Health/Check"
#define WATCH "/grpc.health.v1.Health/Watch"

/* HealthCheckRequest of the service a; the empty one is of the whole server. */
#define A "\n\1a"

/* HealthCheckResponse. */
#define SERVING "\10\1"
#define NOT_SERVING "\10\2"
#define SERVICE_UNKNOWN "\10\3"

static const char *const flags[] = {"--health", "SERVING", "--health-service",
                                    "a=NOT_SERVING", NULL};

static backend server;
static core_client client;

static void set_up(void)
{
    cr_assert(backend_start(&server, flags));
    core_client_open(&client, server.address, NULL, NULL, 0);
}

static void tear_down(void)
{
    core_client_close(&client);
    backend_kill(&server);
}

TestSuite(echo_health, .init = set_up, .fini = tear_down);

/* response may be NULL: none is expected. */
static void expect_check(const char *request, grpc_status_code status,
                         const char *response)
{
    core_call made;
    char *text;

    core_client_call_method(&client, &made, CHECK, request, NULL, 0);
    text = core_call_text(&made);
    cr_expect_eq(made.status, status);
    cr_expect_eq(text == NULL, response == NULL);
    if (text != NULL && response != NULL) {
        cr_expect_str_eq(text, response);
    }
    free(text);
    core_call_fini(&made);
}

/* ---- Watch ---- */

typedef struct watch {
    core_call made; /* but for the message, which comes again and again */
    grpc_byte_buffer *message;
} watch;

static void run(watch *self, grpc_op *ops, size_t n_ops)
{
    cr_assert_eq(grpc_call_start_batch(self->made.call, ops, n_ops, self, NULL),
                 GRPC_CALL_OK);
    cr_assert(core_client_await_calls(&client, 1));
}

static void open_watch(watch *self, const char *request)
{
    grpc_slice slice = grpc_slice_from_copied_string(request);
    grpc_op ops[4];

    memset(self, 0, sizeof *self);
    memset(ops, 0, sizeof ops);
    grpc_metadata_array_init(&self->made.initial);
    grpc_metadata_array_init(&self->made.trailing);
    self->made.request = grpc_raw_byte_buffer_create(&slice, 1);
    self->made.call = grpc_channel_create_call(
        client.channel, NULL, GRPC_PROPAGATE_DEFAULTS, client.queue,
        grpc_slice_from_static_string(WATCH), NULL,
        gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = self->made.request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata =
        &self->made.initial;
    run(self, ops, 4);
    grpc_slice_unref(slice);
}

/* Waits for the next message; NULL: the call is over. */
static void expect_message(watch *self, const char *expected)
{
    grpc_op op;
    char *text;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &self->made.response;
    run(self, &op, 1);
    text = core_call_text(&self->made);
    cr_assert_eq(text == NULL, expected == NULL);
    if (text != NULL && expected != NULL) {
        cr_expect_str_eq(text, expected);
    }
    free(text);
    grpc_byte_buffer_destroy(self->made.response);
    self->made.response = NULL;
}

static grpc_status_code await_end(watch *self)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    op.data.recv_status_on_client.trailing_metadata = &self->made.trailing;
    op.data.recv_status_on_client.status = &self->made.status;
    op.data.recv_status_on_client.status_details = &self->made.details;
    run(self, &op, 1);
    core_call_fini(&self->made);
    return self->made.status;
}

static void cancel(watch *self)
{
    (void)grpc_call_cancel(self->made.call, NULL);
    cr_expect_eq(await_end(self), GRPC_STATUS_CANCELLED);
}

/* ---- The tests ---- */

Test(echo_health, checks_by_the_initial_statuses)
{
    expect_check("", GRPC_STATUS_OK, SERVING);
    expect_check(A, GRPC_STATUS_OK, NOT_SERVING);
    expect_check("\n\1b", GRPC_STATUS_NOT_FOUND, NULL);
    cr_expect_eq(backend_count(&server, "health-calls"), 3);
    cr_expect_eq(backend_count(&server, "calls"), 0);
}

Test(echo_without_health, says_that_it_is_unimplemented)
{
    cr_assert(backend_start(&server, NULL));
    core_client_open(&client, server.address, NULL, NULL, 0);
    expect_check("", GRPC_STATUS_UNIMPLEMENTED, NULL);
    tear_down();
}

Test(echo_health, is_set_while_the_server_runs)
{
    cr_assert(backend_tell(&server, "health NOT_SERVING"));
    cr_assert(backend_tell(&server, "health SERVING b"));
    expect_check("", GRPC_STATUS_OK, NOT_SERVING);
    expect_check("\n\1b", GRPC_STATUS_OK, SERVING);
}

Test(echo_health, tells_who_watches_of_each_change)
{
    watch watched;

    open_watch(&watched, A);
    expect_message(&watched, NOT_SERVING);
    for (int i = 0; i < 50; i++) {
        cr_assert(backend_tell(&server, "health SERVING a"));
        expect_message(&watched, SERVING);
        cr_assert(backend_tell(&server, "health SERVING"));
        cr_assert(backend_tell(&server, "health NOT_SERVING a"));
        expect_message(&watched, NOT_SERVING);
    }
    cr_expect_eq(backend_count(&server, "watches"), 1);
    cancel(&watched);
    cr_expect(backend_await_count(&server, "watches", 0));
}

Test(echo_health, watches_a_service_before_it_is_known)
{
    watch watched;

    open_watch(&watched, "\n\1b");
    expect_message(&watched, SERVICE_UNKNOWN);
    cr_assert(backend_tell(&server, "health SERVING b"));
    expect_message(&watched, SERVING);
    cancel(&watched);
}

Test(echo_health, fails_as_it_is_told_to)
{
    watch open;
    watch late;

    open_watch(&open, "");
    expect_message(&open, SERVING);
    cr_assert(backend_tell(&server, "health-calls INTERNAL"));
    expect_message(&open, NULL);
    cr_expect_eq(await_end(&open), GRPC_STATUS_INTERNAL);
    open_watch(&late, "");
    expect_message(&late, NULL);
    cr_expect_eq(await_end(&late), GRPC_STATUS_INTERNAL);
    expect_check("", GRPC_STATUS_INTERNAL, NULL);
    cr_assert(backend_tell(&server, "health-calls OK"));
    expect_check("", GRPC_STATUS_OK, SERVING);
}

Test(echo_health, ends_with_the_server)
{
    watch watched;

    open_watch(&watched, "");
    expect_message(&watched, SERVING);
    cr_assert_eq(kill(server.pid, SIGTERM), 0);
    expect_message(&watched, NULL);
    cr_expect_eq(await_end(&watched), GRPC_STATUS_UNAVAILABLE);
}
