/* SPDX-License-Identifier: Apache-2.0 */
/* Streams whose events come out of a queue: all shapes, messages intact, and
 * bad use. */
#include "streaming.h"

#include <criterion/criterion.h>
#include <grpc/byte_buffer.h>
#include <string.h>

TestSuite(grpc_stream, .timeout = 110);

enum { N_MESSAGES = 1000, SIZE = 1000 };

static backend server;
static muster_channel *channel;
static muster_call_queue *queue;

static void begin(const char *const *flags)
{
    cr_assert(backend_start(&server, flags));
    channel = open_channel("static:///%s", server.address);
    queue = make_queue();
}

static void finish(muster_call *call)
{
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

/* ---- Shapes ---- */

/* A stream that sends so many messages and receives what comes back. */
typedef struct pump {
    muster_call *call;
    uint64_t n_to_send;
    uint64_t n_sent;
    uint64_t n_received;
    bool has_ended;
} pump;

static void send_next(pump *self)
{
    if (self->n_sent < self->n_to_send) {
        self->n_sent++;
        send_message(self->call, message_of(self->n_sent - 1, SIZE),
                     self->n_sent == self->n_to_send ? MUSTER_SEND_LAST : 0);
    }
}

static void start_pump(pump *self, uint64_t n_to_send)
{
    *self = (pump){.n_to_send = n_to_send};
    self->call = make_stream(channel, NULL, 0);
    cr_assert_eq(muster_call_start_stream(self->call, NULL, queue, self->call),
                 MUSTER_OK);
    send_next(self);
    receive_message(self->call);
}

static void handle(pump *self, const muster_call_event *event)
{
    cr_assert_not(self->has_ended);
    if (event->kind == MUSTER_CALL_SENT) {
        cr_assert(event->is_ok);
        send_next(self);
    } else if (event->kind == MUSTER_CALL_ENDED) {
        self->has_ended = true;
    } else if (event->is_ok) {
        cr_assert(is_message(event->message, self->n_received, SIZE));
        self->n_received++;
        receive_message(self->call);
    } else {
        cr_assert_null(event->message);
    }
}

static void run_pumps(pump *pumps, size_t n)
{
    for (size_t n_ended = 0; n_ended < n;) {
        muster_call_event event;
        size_t i = 0;

        cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                     MUSTER_OK);
        while (pumps[i].call != event.call) {
            i++;
        }
        handle(&pumps[i], &event);
        n_ended += pumps[i].has_ended ? 1 : 0;
    }
}

Test(grpc_stream, carries_a_thousand_messages_each_way)
{
    pump self;

    begin(NULL);
    start_pump(&self, N_MESSAGES);
    run_pumps(&self, 1);
    cr_expect_eq(self.n_received, N_MESSAGES);
    cr_expect_eq(result_of(self.call).status, GRPC_STATUS_OK);
    cr_expect_eq(result_of(self.call).flags, MUSTER_OUTCOME_FROM_SERVER);
    cr_expect_eq(result_of(self.call).n_attempts, 1);
    cr_expect_null(result_of(self.call).response);
    finish(self.call);
}

Test(grpc_stream, runs_beside_many_others)
{
    enum { N = 50 };
    pump pumps[N];

    begin(NULL);
    for (size_t i = 0; i < N; i++) {
        start_pump(&pumps[i], 200);
    }
    run_pumps(pumps, N);
    for (size_t i = 0; i < N; i++) {
        cr_expect_eq(pumps[i].n_received, 200);
        cr_expect_eq(result_of(pumps[i].call).status, GRPC_STATUS_OK);
        muster_call_destroy(pumps[i].call);
    }
    finish(NULL);
}

/* Ten to fifty times what flow control lets through at first. */
Test(grpc_stream, from_the_server_waits_for_a_slow_reader)
{
    static const char *const headers[] = {"x-echo-copies", "1000", NULL};
    enum { LONG = 4000 };
    muster_call *call;
    muster_call_event event;

    begin(NULL);
    call = make_stream(channel, headers, 0);
    open_stream(call, message_of(7, LONG), queue);
    cr_expect_eq(
        muster_call_queue_next(queue, now_ns() + 300 * MILLISECOND, &event),
        MUSTER_TIMEOUT);
    for (int i = 0; i < N_MESSAGES; i++) {
        receive_message(call);
        event = await_event(queue, call, MUSTER_CALL_RECEIVED);
        cr_assert(is_message(event.message, 7, LONG));
    }
    receive_message(call);
    cr_expect_not(await_event(queue, call, MUSTER_CALL_RECEIVED).is_ok);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    finish(call);
}

Test(grpc_stream, from_the_client_is_answered_once)
{
    static const char *const headers[] = {"x-echo-collect", "yes", NULL};
    muster_call *call;
    muster_call_event event;

    begin(NULL);
    call = make_stream(channel, headers, 0);
    open_stream(call, NULL, queue);
    for (uint64_t i = 0; i < N_MESSAGES; i++) {
        send_message(call, message_of(i, SIZE), 0);
        cr_assert(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    }
    send_message(call, NULL, MUSTER_SEND_LAST);
    cr_assert(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    receive_message(call);
    event = await_event(queue, call, MUSTER_CALL_RECEIVED);
    cr_assert_not_null(event.message);
    cr_expect_eq(grpc_byte_buffer_length(event.message), N_MESSAGES * SIZE);
    grpc_byte_buffer_destroy(event.message);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    finish(call);
}

Test(grpc_stream, may_carry_nothing)
{
    muster_call *call;

    begin(NULL);
    call = make_stream(channel, NULL, 0);
    open_stream(call, NULL, queue);
    send_message(call, NULL, MUSTER_SEND_LAST);
    cr_assert(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    finish(call);
}

/* ---- What is known when ---- */

Test(grpc_stream, knows_its_headers_and_peer_before_its_end)
{
    static const char *const headers[] = {"x-echo", "there", NULL};
    muster_call *call;
    const grpc_metadata *found;

    begin((const char *const[]){"--id", "b", NULL});
    call = make_stream(channel, headers, 0);
    cr_expect_null(muster_call_peer(call));
    open_stream(call, NULL, queue);
    cr_expect_eq(result_of(call).initial_metadata->count, 0);
    say_hello(queue, call);
    found = find(result_of(call).initial_metadata, "x-server-id");
    cr_assert_not_null(found);
    cr_expect_eq(grpc_slice_str_cmp(found->value, "b"), 0);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_UNKNOWN);
    cr_expect_eq(result_of(call).n_attempts, 1);
    cr_expect_eq(result_of(call).trailing_metadata->count, 0);
    cr_assert_not_null(muster_call_peer(call));
    cr_expect_not_null(strstr(muster_call_peer(call), server.address));
    send_message(call, NULL, MUSTER_SEND_LAST);
    (void)await_event(queue, call, MUSTER_CALL_SENT);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    cr_expect_not_null(find(result_of(call).trailing_metadata, "x-echo"));
    cr_expect_not_null(strstr(muster_call_peer(call), server.address));
    finish(call);
}

Test(grpc_stream, is_ended_by_its_server_before_its_client)
{
    static const char *const headers[] = {"x-echo-end-after", "2", "x-status",
                                          "9", NULL};
    muster_call *call;
    muster_call_event event;
    int n_failed = 0;

    begin(NULL);
    call = make_stream(channel, headers, 0);
    open_stream(call, NULL, queue);
    say_hello(queue, call);
    say_hello(queue, call);
    receive_message(call);
    cr_expect_not(await_event(queue, call, MUSTER_CALL_RECEIVED).is_ok);
    while (muster_call_send(call, NULL, MUSTER_SEND_LAST, call) == MUSTER_OK) {
        n_failed++;
        cr_assert_lt(n_failed, 2, "after the last");
    }
    do {
        cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                     MUSTER_OK);
    } while (event.kind != MUSTER_CALL_ENDED);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_FAILED_PRECONDITION);
    cr_expect_str_eq(result_of(call).message, "the server was asked to fail");
    cr_expect_eq(muster_call_receive(call, NULL), MUSTER_CLOSED);
    cr_expect_eq(muster_call_send(call, NULL, MUSTER_SEND_LAST, NULL),
                 MUSTER_CLOSED);
    finish(call);
}

/* The server has answered and gone while its client still sends: what it sent
 * can be received all the same. */
Test(grpc_stream, tells_of_a_failed_send_before_messages_are_received)
{
    static const char *const headers[] = {"x-echo-end-after", "1",
                                          "x-echo-copies", "3", NULL};
    muster_call *call;
    muster_call_event event;

    begin(NULL);
    call = make_stream(channel, headers, 0);
    open_stream(call, NULL, queue);
    do {
        send_message(call, message_of(1, SIZE), 0);
        event = await_event(queue, call, MUSTER_CALL_SENT);
    } while (event.is_ok);
    for (int i = 0; i < 3; i++) {
        receive_message(call);
        event = await_event(queue, call, MUSTER_CALL_RECEIVED);
        cr_assert(is_message(event.message, 1, SIZE));
    }
    receive_message(call);
    cr_expect_not(await_event(queue, call, MUSTER_CALL_RECEIVED).is_ok);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    finish(call);
}

/* ---- Bad use ---- */

Test(grpc_stream, refuses_what_comes_too_early_twice_or_too_late)
{
    muster_call *call;
    grpc_byte_buffer *message = buffer_of("x");

    begin(NULL);
    call = make_stream(channel, NULL, 0);
    cr_expect_eq(muster_call_send(NULL, message, 0, NULL), MUSTER_INVAL);
    cr_expect_eq(muster_call_receive(NULL, NULL), MUSTER_INVAL);
    cr_expect_eq(muster_call_start_stream(call, NULL, NULL, NULL),
                 MUSTER_INVAL);
    cr_expect_eq(muster_call_send(call, message, 0, NULL), MUSTER_INVAL);
    cr_expect_eq(muster_call_receive(call, NULL), MUSTER_INVAL);
    open_stream(call, NULL, queue);
    cr_expect_eq(muster_call_start_stream(call, NULL, queue, NULL),
                 MUSTER_INVAL);
    cr_expect_eq(muster_call_start_unary(call, NULL, queue, NULL),
                 MUSTER_INVAL);
    cr_expect_eq(muster_call_unary(call, NULL), MUSTER_INVAL);
    cr_expect_eq(muster_call_send(call, NULL, 0, NULL), MUSTER_INVAL);
    receive_message(call);
    cr_expect_eq(muster_call_receive(call, NULL), MUSTER_BUSY);
    send_message(call, NULL, MUSTER_SEND_LAST);
    cr_expect_eq(muster_call_send(call, message, 0, NULL), MUSTER_INVAL);
    (void)await_event(queue, call, MUSTER_CALL_SENT);
    cr_expect_eq(muster_call_send(call, message, 0, NULL), MUSTER_INVAL);
    (void)await_event(queue, call, MUSTER_CALL_RECEIVED);
    (void)await_end(queue, call);
    cr_expect_eq(muster_call_send(call, message, 0, NULL), MUSTER_CLOSED);
    grpc_byte_buffer_destroy(message);
    finish(call);
}

Test(grpc_stream, sends_one_message_at_a_time)
{
    muster_call *call;
    muster_channel *unready = open_channel("static:///127.0.0.1:1");
    grpc_byte_buffer *message = buffer_of("x");

    begin(NULL);
    call = make_stream(unready, NULL, 0);
    open_stream(call, NULL, queue);
    send_message(call, buffer_of("x"), 0);
    cr_expect_eq(muster_call_send(call, message, 0, NULL), MUSTER_BUSY);
    muster_call_cancel(call);
    cr_expect_not(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    grpc_byte_buffer_destroy(message);
    finish(call);
    muster_channel_destroy(unready);
}

Test(grpc_stream, is_no_unary_call)
{
    muster_call *call;
    muster_call_event event;

    begin(NULL);
    call = make_call(channel, &patient);
    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    cr_expect_eq(muster_call_send(call, NULL, MUSTER_SEND_LAST, NULL),
                 MUSTER_INVAL);
    cr_expect_eq(muster_call_receive(call, NULL), MUSTER_INVAL);
    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    cr_expect_eq(event.kind, MUSTER_CALL_ENDED);
    cr_expect_eq(event.is_ok, 1);
    finish(call);
}

Test(grpc_stream, is_refused_by_a_queue_that_is_shut_down)
{
    muster_call *call;

    begin(NULL);
    call = make_stream(channel, NULL, 0);
    muster_call_queue_shutdown(queue);
    cr_expect_eq(muster_call_start_stream(call, NULL, queue, NULL),
                 MUSTER_CLOSED);
    cr_expect_eq(muster_call_receive(call, NULL), MUSTER_INVAL);
    finish(call);
}
