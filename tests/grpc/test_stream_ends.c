/* SPDX-License-Identifier: Apache-2.0 */
/* How streams end before they are done: cancelled, at a deadline, with their
 * server, over a limit, with their channel. */
#include "streaming.h"

#include <criterion/criterion.h>
#include <grpc/byte_buffer.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <muster/muster.h>

#include "limit.h"
#include "retrying.h"

TestSuite(grpc_stream_ends, .timeout = 110);

static backend server;
static muster_channel *channel;
static muster_call_queue *queue;

static void begin(void)
{
    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    queue = make_queue();
}

static void finish(muster_call *call)
{
    cr_expect_eq(stats_of(channel).in_flight, 0, "every lease is finished");
    cr_expect_eq(stats_of(channel).parked, 0);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

/* One that has had a message each way. */
static muster_call *open_and_say_hello(uint64_t deadline_ns)
{
    muster_call *call = make_stream(channel, NULL, deadline_ns);

    open_stream(call, NULL, queue);
    say_hello(queue, call);
    return call;
}

static void expect_no_message(muster_call *call)
{
    muster_call_event event = await_event(queue, call, MUSTER_CALL_RECEIVED);

    cr_expect_eq(event.is_ok, 0);
    cr_expect_null(event.message);
}

/* ---- Cancelled ---- */

Test(grpc_stream_ends, cancelled_before_it_is_opened)
{
    muster_call *call;

    begin();
    call = make_stream(channel, NULL, 0);
    muster_call_cancel(call);
    open_stream(call, NULL, queue);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    finish(call);
}

Test(grpc_stream_ends, cancelled_while_it_waits_for_an_endpoint)
{
    muster_channel *unready = open_channel("static:///127.0.0.1:1");
    muster_call *call;

    begin();
    call = make_stream(unready, NULL, 0);
    open_stream(call, NULL, queue);
    receive_message(call);
    send_message(call, buffer_of("x"), 0);
    await_parked(unready, 1);
    muster_call_cancel(call);
    cr_expect_not(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    cr_expect_eq(result_of(call).n_attempts, 0);
    finish(call);
    muster_channel_destroy(unready);
}

Test(grpc_stream_ends, cancelled_between_operations)
{
    muster_call *call;

    begin();
    call = open_and_say_hello(0);
    muster_call_cancel(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    cr_expect(backend_await_count(&server, "cancelled", 1));
    finish(call);
}

Test(grpc_stream_ends, cancelled_while_it_receives)
{
    muster_call *call;

    begin();
    call = open_and_say_hello(0);
    receive_message(call);
    muster_call_cancel(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    finish(call);
}

/* Flow control holds one back, since nobody reads what comes back. */
Test(grpc_stream_ends, cancelled_while_it_sends)
{
    muster_call *call;
    muster_call_event event;
    muster_status status;

    begin();
    call = open_and_say_hello(0);
    do {
        send_message(call, message_of(1, 60000), 0);
        status =
            muster_call_queue_next(queue, now_ns() + 500 * MILLISECOND, &event);
    } while (status == MUSTER_OK);
    cr_assert_eq(status, MUSTER_TIMEOUT);
    muster_call_cancel(call);
    cr_expect_not(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    finish(call);
}

/* ---- At the deadline ---- */

Test(grpc_stream_ends, at_its_deadline_without_an_endpoint)
{
    const uint64_t start_ns = now_ns();
    muster_channel *unready = open_channel("static:///127.0.0.1:1");
    muster_call *call;

    begin();
    call = make_stream(unready, NULL, start_ns + 100 * MILLISECOND);
    open_stream(call, NULL, queue);
    receive_message(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_geq(now_ns() - start_ns, 100 * MILLISECOND);
    finish(call);
    muster_channel_destroy(unready);
}

Test(grpc_stream_ends, at_its_deadline_between_operations_and_in_one)
{
    muster_call *call;

    begin();
    call = open_and_say_hello(now_ns() + limit_ns(1000));
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    muster_call_destroy(call);
    call = open_and_say_hello(now_ns() + limit_ns(1000));
    receive_message(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    finish(call);
}

/* ---- With its server ---- */

Test(grpc_stream_ends, with_its_server_and_says_so)
{
    muster_call *call;
    muster_call_result result;
    char target[320];

    begin();
    (void)snprintf(target, sizeof target, "static:///%s: %s: ", server.address,
                   server.address);
    call = open_and_say_hello(0);
    receive_message(call);
    backend_kill(&server);
    expect_no_message(call);
    result = await_end(queue, call);
    cr_expect_eq(result.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(strncmp(result.message, target, strlen(target)), 0, "%s",
                 result.message);
    cr_expect_eq(result.flags, 0, "not from the server");
    cr_expect_eq(result.n_attempts, 1);
    finish(call);
}

/* ---- Over a limit ---- */

#define LIMITED(what)                                                          \
    "{'methodConfig': [{'name': [{}], 'waitForReady': true, '" what "': 10}]}"

static void begin_with(const char *config)
{
    cr_assert(backend_start(&server, NULL));
    channel = open_retrying(&server, 1, config, NULL);
    queue = make_queue();
}

Test(grpc_stream_ends, when_a_message_to_send_is_too_long)
{
    muster_call *call;
    muster_call_result result;

    begin_with(LIMITED("maxRequestMessageBytes"));
    call = open_and_say_hello(0);
    send_message(call, buffer_of("0123456789"), 0);
    cr_expect(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    for (int i = 0; i < 2; i++) { /* its end has not been told */
        send_message(call, buffer_of("0123456789x"), 0);
        cr_expect_not(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    }
    result = await_end(queue, call);
    cr_expect_eq(result.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    cr_expect_not_null(
        strstr(result.message, "Sent message larger than max (11 vs. 10)"),
        "%s", result.message);
    finish(call);
}

Test(grpc_stream_ends, when_a_message_that_came_is_too_long)
{
    static const char *const headers[] = {"x-echo-collect", "yes", NULL};
    muster_call *call;
    muster_call_result result;

    begin_with(LIMITED("maxResponseMessageBytes"));
    call = make_stream(channel, headers, 0);
    open_stream(call, buffer_of("0123456789x"), queue);
    receive_message(call);
    expect_no_message(call);
    result = await_end(queue, call);
    cr_expect_eq(result.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    cr_expect_not_null(
        strstr(result.message, "Received message larger than max (11 vs. 10)"),
        "%s", result.message);
    finish(call);
}

/* ---- With its channel ---- */

static void *shut_down(void *arg)
{
    muster_shutdown_numbers *numbers = arg;

    cr_assert_eq(muster_channel_shutdown(channel, 60000, numbers), MUSTER_OK);
    return NULL;
}

Test(grpc_stream_ends, within_the_grace_of_a_channel_that_closes)
{
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};
    muster_call *call;
    pthread_t thread;

    begin();
    call = open_and_say_hello(0);
    cr_assert_eq(pthread_create(&thread, NULL, shut_down, &numbers), 0);
    while (muster_channel_state(channel) != MUSTER_SHUTDOWN) {
        /* It closes for new calls first. */
    }
    say_hello(queue, call);
    send_message(call, NULL, MUSTER_SEND_LAST);
    cr_expect(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    (void)pthread_join(thread, NULL);
    cr_expect_eq(numbers.finished, 1);
    cr_expect_eq(numbers.cancelled, 0);
    finish(call);
}

static void *receive_until_the_end(void *arg)
{
    receive_message(arg);
    expect_no_message(arg);
    (void)await_end(queue, arg);
    return NULL;
}

Test(grpc_stream_ends, when_the_grace_of_its_channel_is_over)
{
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};
    muster_call *call;
    pthread_t thread;

    begin();
    call = open_and_say_hello(0);
    cr_assert_eq(pthread_create(&thread, NULL, receive_until_the_end, call), 0);
    cr_assert_eq(muster_channel_shutdown(channel, 50, &numbers), MUSTER_OK);
    (void)pthread_join(thread, NULL);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(numbers.cancelled, 1);
    cr_expect_not_null(muster_call_peer(call));
    finish(call);
}
