/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that are opened at several servers beside one another, and go on at
 * the one whose message comes first. */
#include "streaming.h"

#include <criterion/criterion.h>
#include <grpc/byte_buffer.h>
#include <muster/service_config.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "retrying.h"

TestSuite(grpc_stream_hedging, .timeout = 110);

#define HEADERS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A hedgingPolicy for all methods, in which ' stands for ". */
#define HEDGING(delay, limit)                                                  \
    "{'methodConfig': [{'name': [{}], " limit "'hedgingPolicy': "              \
    "{'maxAttempts': 2, 'hedgingDelay': '" delay "', 'nonFatalStatusCodes': "  \
    "['UNAVAILABLE']}}]}"
#define QUICK_HEDGES HEDGING("0.02s", "")
#define AT_ONCE HEDGING("0s", "")
#define PATIENT HEDGING("1000s", "")

enum { SIZE = 100, N_COPIES = 50 };

static backend servers[2];
static muster_channel *channel;
static muster_call_queue *queue;

static void begin(const char *config)
{
    static const char *const flags[] = {"--end-with-parent", NULL};

    for (size_t i = 0; i < 2; i++) {
        cr_assert(backend_start(&servers[i], flags));
    }
    channel = open_retrying(servers, 2, config, NULL);
    queue = make_queue();
}

static void finish(muster_call *call)
{
    cr_expect_eq(stats_of(channel).in_flight, 0, "no lease is lost");
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&servers[0]);
    backend_kill(&servers[1]);
}

static muster_call *start(const char *const *headers, uint64_t deadline_ns)
{
    muster_call *call = make_stream(channel, headers, deadline_ns);

    open_stream(call, message_of(5, SIZE), queue);
    return call;
}

static void expect_message(muster_call *call)
{
    const muster_call_event event =
        await_event(queue, call, MUSTER_CALL_RECEIVED);

    cr_assert(is_message(event.message, 5, SIZE));
}

static void expect_no_message(muster_call *call)
{
    cr_assert_not(await_event(queue, call, MUSTER_CALL_RECEIVED).is_ok);
}

/* Receives n messages, and that there are no more. */
static void receive_all(muster_call *call, int n)
{
    for (int i = 0; i < n; i++) {
        receive_message(call);
        expect_message(call);
    }
    receive_message(call);
    expect_no_message(call);
}

static uint64_t count_all(const char *name)
{
    return backend_count(&servers[0], name) + backend_count(&servers[1], name);
}

/* ---- which one it is ---- */

/* As many as it takes until one began at the server that does not answer. */
Test(grpc_stream_hedging, goes_on_where_the_first_message_comes_from)
{
    muster_call *call = NULL;

    begin(QUICK_HEDGES);
    backend_freeze(&servers[0]);
    while (stats_of(channel).hedges == 0) {
        muster_call_destroy(call);
        call = start(HEADERS("x-echo-copies", "50"), 0);
        receive_all(call, N_COPIES);
        cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    }
    cr_expect_eq(result_of(call).n_attempts, 2);
    cr_expect_not_null(strstr(muster_call_peer(call), servers[1].address));
    backend_thaw(&servers[0]);
    cr_expect(backend_await_count(&servers[0], "cancelled", 1),
              "the slow server hears that nobody waits");
    finish(call);
}

Test(grpc_stream_hedging, of_two_that_answer_is_one)
{
    muster_call *call;

    begin(AT_ONCE);
    for (int i = 0; i < 20; i++) {
        call = start(HEADERS("x-echo-copies", "50"), 0);
        receive_all(call, N_COPIES);
        cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
        muster_call_destroy(call);
    }
    finish(NULL);
}

/* Nothing is told of it, and the other attempt is over. */
static void wait_until_decided(muster_call *call)
{
    while (muster_call_peer(call) == NULL || stats_of(channel).in_flight > 1) {
        hear_nothing(queue);
    }
}

/* As many as it takes until one was at both servers: the second attempt may be
 * cancelled before it leaves. */
Test(grpc_stream_hedging, keeps_the_first_message_until_it_is_asked_for)
{
    muster_call *call = NULL;
    uint64_t n_calls = 0;

    begin(AT_ONCE);
    do {
        muster_call_destroy(call);
        call = start(HEADERS("x-echo-copies", "50"), 0);
        wait_until_decided(call);
        receive_all(call, N_COPIES);
        cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
        n_calls++;
    } while (count_all("calls") <= n_calls);
    finish(call);
}

Test(grpc_stream_hedging, of_threads_that_wait)
{
    grpc_byte_buffer *request = message_of(5, SIZE);
    grpc_byte_buffer *message;
    muster_call *call;

    begin(QUICK_HEDGES);
    backend_freeze(&servers[0]);
    for (int i = 0; i < 4; i++) {
        call = make_stream(channel, HEADERS("x-echo-copies", "2"), 0);
        cr_assert_eq(muster_call_open(call, request), MUSTER_OK);
        for (int k = 0; k < 2; k++) {
            cr_assert_eq(muster_call_read(call, &message), MUSTER_OK);
            cr_assert(is_message(message, 5, SIZE));
        }
        cr_assert_eq(muster_call_wait(call), MUSTER_OK);
        cr_expect_eq(result_of(call).status, GRPC_STATUS_OK);
        muster_call_destroy(call);
    }
    cr_expect_gt(stats_of(channel).hedges, 0);
    backend_thaw(&servers[0]);
    grpc_byte_buffer_destroy(request);
    finish(NULL);
}

/* Its messages come later, so it is not known what to send at two places. */
Test(grpc_stream_hedging, leaves_a_stream_alone_that_has_no_request_yet)
{
    muster_call *call;

    begin(AT_ONCE);
    call = make_stream(channel, NULL, 0);
    open_stream(call, NULL, queue);
    say_hello(queue, call);
    send_message(call, NULL, MUSTER_SEND_LAST);
    cr_assert(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    receive_all(call, 0);
    cr_expect_eq(await_end(queue, call).n_attempts, 1);
    finish(call);
}

/* ---- ends ---- */

Test(grpc_stream_hedging, asks_another_at_once_after_a_failure)
{
    muster_call *call;

    begin(PATIENT);
    call = start(HEADERS("x-echo-end-after", "0", "x-fail-attempts", "1"), 0);
    receive_all(call, 1);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    cr_expect_eq(result_of(call).n_attempts, 2);
    cr_expect_eq(backend_count(&servers[0], "calls"), 1);
    cr_expect_eq(backend_count(&servers[1], "calls"), 1);
    finish(call);
}

Test(grpc_stream_hedging, ends_with_a_fatal_status)
{
    muster_call *call;

    begin(PATIENT);
    call = start(HEADERS("x-echo-end-after", "0", "x-status", "13"), 0);
    receive_all(call, 0);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_INTERNAL);
    cr_expect_eq(result_of(call).n_attempts, 1);
    finish(call);
}

Test(grpc_stream_hedging, ends_with_the_last_failure_when_all_fail)
{
    muster_call *call;

    begin(PATIENT);
    call = start(HEADERS("x-echo-end-after", "0", "x-status", "14"), 0);
    receive_all(call, 0);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 2);
    finish(call);
}

Test(grpc_stream_hedging, ends_well_without_a_message)
{
    muster_call *call;

    begin(AT_ONCE);
    call = start(HEADERS("x-echo-end-after", "0"), 0);
    receive_all(call, 0);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    finish(call);
}

/* Something of the server's has been seen. */
Test(grpc_stream_hedging, is_over_with_the_first_message)
{
    muster_call *call;

    begin(PATIENT);
    call = start(HEADERS("x-status", "14"), 0);
    receive_all(call, 1);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 1);
    finish(call);
}

Test(grpc_stream_hedging, ends_at_the_deadline)
{
    muster_call *call;

    begin(AT_ONCE);
    backend_freeze(&servers[0]);
    backend_freeze(&servers[1]);
    call = start(NULL, now_ns() + 1000 * MILLISECOND);
    receive_message(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_eq(result_of(call).n_attempts, 2);
    backend_thaw(&servers[0]);
    backend_thaw(&servers[1]);
    finish(call);
}

Test(grpc_stream_hedging, is_cancelled_with_all_attempts)
{
    muster_call *call;

    begin(AT_ONCE);
    backend_freeze(&servers[0]);
    backend_freeze(&servers[1]);
    call = start(NULL, 0);
    while (stats_of(channel).in_flight != 2) {
        hear_nothing(queue);
    }
    muster_call_cancel(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    backend_thaw(&servers[0]);
    backend_thaw(&servers[1]);
    finish(call);
}

/* The message that decided is there, and nobody asks for it. */
Test(grpc_stream_hedging, is_cancelled_before_the_first_message_is_asked_for)
{
    muster_call *call;

    begin(AT_ONCE);
    call = start(HEADERS("x-echo-copies", "50"), 0);
    while (muster_call_peer(call) == NULL) {
        hear_nothing(queue);
    }
    muster_call_cancel(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    finish(call);
}

Test(grpc_stream_hedging, fails_when_its_server_is_killed)
{
    muster_call_event event;
    muster_call *call;

    begin(PATIENT);
    call = start(HEADERS("x-echo-copies", "1000000"), 0);
    receive_message(call);
    expect_message(call);
    backend_kill(&servers[0]);
    backend_kill(&servers[1]);
    do {
        receive_message(call);
        event = await_event(queue, call, MUSTER_CALL_RECEIVED);
        grpc_byte_buffer_destroy(event.message);
    } while (event.is_ok);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 1);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
}

/* Time for whatever comes, of which nothing is told. */
static void await_all(muster_call *call)
{
    const uint64_t until_ns = now_ns() + 100 * MILLISECOND;

    while (muster_call_peer(call) == NULL || now_ns() < until_ns) {
        hear_nothing(queue);
    }
}

/* All of the answer is there. */
Test(grpc_stream_hedging, is_cancelled_before_the_only_message_is_asked_for)
{
    muster_call *call;

    begin(PATIENT);
    call = start(NULL, 0);
    await_all(call);
    muster_call_cancel(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    cr_expect_eq(result_of(call).flags, 0);
    finish(call);
}

/* It is there before a thread looks. */
Test(grpc_stream_hedging, is_cancelled_before_the_only_message_is_seen)
{
    const uint64_t wait_ns = 100 * MILLISECOND;
    uint64_t since_ns;
    muster_call *call;

    begin(PATIENT);
    call = start(NULL, 0);
    while (count_all("calls") == 0) {
        /* Not yet. */
    }
    since_ns = now_ns();
    while (now_ns() - since_ns < wait_ns) {
        /* The answer comes. */
    }
    muster_call_cancel(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    finish(call);
}

Test(grpc_stream_hedging, ends_at_the_deadline_when_nobody_receives)
{
    muster_call *call;

    begin(PATIENT);
    call = start(NULL, now_ns() + 200 * MILLISECOND);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_eq(result_of(call).flags, 0);
    finish(call);
}

/* A server's status comes behind its messages. */
Test(grpc_stream_hedging, has_the_message_before_the_server_failed)
{
    muster_call *call;

    begin(PATIENT);
    call = start(HEADERS("x-status", "14"), 0);
    await_all(call);
    receive_all(call, 1);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    finish(call);
}

Test(grpc_stream_hedging, knows_its_peer_when_it_is_cancelled)
{
    muster_call *call;

    begin(PATIENT);
    call = start(HEADERS("x-echo-copies", "50"), 0);
    receive_message(call);
    expect_message(call);
    muster_call_cancel(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    cr_expect_not_null(muster_call_peer(call));
    finish(call);
}

/* As a stream that is retried. */
Test(grpc_stream_hedging, counts_its_failure_for_throttling)
{
    muster_call *call;

    begin("{'methodConfig': [{'name': [{}], 'hedgingPolicy': {'maxAttempts': "
          "2, 'hedgingDelay': '1000s', 'nonFatalStatusCodes': "
          "['UNAVAILABLE']}}], "
          "'retryThrottling': {'maxTokens': 2, 'tokenRatio': 0.1}}");
    call = start(HEADERS("x-status", "14"), 0);
    receive_all(call, 1);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(muster_channel_retry_note(channel, MUSTER_RETRY_HEDGE_DUE), 0);
    finish(call);
}

/* ---- threads ---- */

enum { N_THREADS = 4, N_STREAMS = 2000 };

static _Atomic uint32_t n_good;

static void receive_or_end(void *arg, const muster_call_event *event)
{
    (void)arg;
    if (event->kind == MUSTER_CALL_RECEIVED && event->is_ok) {
        grpc_byte_buffer_destroy(event->message);
        (void)muster_call_receive(event->call, NULL);
    } else if (event->kind == MUSTER_CALL_ENDED) {
        n_good += result_of(event->call).status == GRPC_STATUS_OK ? 1 : 0;
        muster_call_destroy(event->call);
    }
}

/* The status may overtake the message before it. */
Test(grpc_stream_hedging, of_many_that_many_threads_move)
{
    muster_call_queue *own;

    begin(AT_ONCE);
    cr_assert_eq(muster_call_queue_create_callback(N_THREADS, receive_or_end,
                                                   NULL, &own, NULL),
                 MUSTER_OK);
    for (int i = 0; i < N_STREAMS; i++) {
        muster_call *call = make_stream(channel, NULL, 0);

        open_stream(call, message_of(5, SIZE), own);
        (void)muster_call_receive(call, NULL);
    }
    muster_call_queue_destroy(own);
    cr_expect_eq(n_good, N_STREAMS);
    finish(NULL);
}

/* ---- limits ---- */

Test(grpc_stream_hedging, refuses_a_first_message_that_is_too_long)
{
    muster_call *call;

    begin(HEDGING("0s", "'maxResponseMessageBytes': 99, "));
    call = start(NULL, 0);
    receive_message(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    cr_expect_not_null(strstr(result_of(call).message, "larger than max"));
    finish(call);
}

Test(grpc_stream_hedging, refuses_a_request_that_is_too_long)
{
    muster_call *call;

    begin(HEDGING("0s", "'maxRequestMessageBytes': 99, "));
    call = start(NULL, 0);
    receive_message(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    cr_expect_eq(result_of(call).n_attempts, 0);
    finish(call);
}
