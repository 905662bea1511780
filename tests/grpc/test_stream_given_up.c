/* SPDX-License-Identifier: Apache-2.0 */
/* Hedged streams whose first message nobody has asked for, on connections that
 * are given up. C core's part in them may be over. */
#include "streaming.h"

#include <criterion/criterion.h>
#include <grpc/byte_buffer.h>
#include <muster/muster.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "retrying.h"

TestSuite(grpc_stream_given_up, .timeout = 110);

#define HEDGING                                                                \
    "{\"methodConfig\": [{\"name\": [{}], \"hedgingPolicy\": "                 \
    "{\"maxAttempts\": 2, \"hedgingDelay\": \"1000s\", "                       \
    "\"nonFatalStatusCodes\": [\"UNAVAILABLE\"]}}]}"

enum { SIZE = 100, DRAIN_MS = 50, GRACE_MS = 50 };

static backend servers[2];
static muster_channel *channel;
static muster_call_queue *queue;
static char folder[64];
static char path[96];

static void make_folder(void)
{
    const char *parent = getenv("TMPDIR");

    (void)snprintf(folder, sizeof folder, "%s/musterXXXXXX",
                   parent == NULL ? "/tmp" : parent);
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/list", folder);
}

/* The first server is the one that is listed. */
static void begin(void)
{
    static const char *const flags[] = {"--end-with-parent", NULL};
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .drain_deadline_ms = DRAIN_MS,
                                            .service_config = HEDGING};
    char target[112];
    muster_error err;

    make_folder();
    (void)snprintf(target, sizeof target, "file://%s", path);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(backend_start(&servers[i], flags));
    }
    write_list(path, servers[0].address);
    cr_assert_eq(
        muster_grpc_channel_create(target, &options, NULL, &channel, &err),
        MUSTER_OK, "%s", err.message);
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
    (void)unlink(path);
    (void)rmdir(folder);
}

static muster_call *start(const char *const *headers)
{
    muster_call *call = make_stream(channel, headers, 0);

    open_stream(call, message_of(5, SIZE), queue);
    return call;
}

/* Time for whatever comes, of which nothing is told. */
static void await_all(muster_call *call)
{
    const uint64_t until_ns = now_ns() + 100 * MILLISECOND;

    while (muster_call_peer(call) == NULL || now_ns() < until_ns) {
        hear_nothing(queue);
    }
}

/* The same, while no thread is in the queue. */
static void await_answer_unseen(void)
{
    const uint64_t wait_ns = 100 * MILLISECOND;
    uint64_t since_ns;

    cr_assert(backend_await_count(&servers[0], "calls", 1));
    since_ns = now_ns();
    while (now_ns() - since_ns < wait_ns) {
        /* The answer comes. */
    }
}

static muster_call_event await_soon(muster_call *call,
                                    muster_call_event_kind kind)
{
    muster_call_event event;

    cr_assert_eq(
        muster_call_queue_next(queue, now_ns() + 10000 * MILLISECOND, &event),
        MUSTER_OK, "the stream is stuck");
    cr_assert_eq(event.call, call);
    cr_assert_eq(event.kind, kind);
    return event;
}

static void expect_given_up(muster_call *call)
{
    muster_call_result result;

    (void)await_soon(call, MUSTER_CALL_ENDED);
    result = result_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result.flags, 0);
    cr_expect_eq(result.n_attempts, 1);
    cr_expect_not_null(strstr(result.message, "the time to drain is over"));
}

/* No call ends in its grace period. */
static void shut_down(void)
{
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};

    cr_assert_eq(muster_channel_shutdown(channel, GRACE_MS, &numbers),
                 MUSTER_OK);
    cr_expect_eq(numbers.cancelled, 1);
}

Test(grpc_stream_given_up, ends_at_the_drain_deadline)
{
    muster_call *call;

    begin();
    call = start(NULL);
    await_all(call);
    write_list(path, servers[1].address);
    expect_given_up(call);
    cr_expect_not_null(strstr(muster_call_peer(call), servers[0].address));
    finish(call);
}

/* C core still has a part in it. */
Test(grpc_stream_given_up, ends_at_the_drain_deadline_with_more_to_come)
{
    muster_call *call;

    begin();
    call = start((const char *const[]){"x-echo-copies", "1000000", NULL});
    await_all(call);
    write_list(path, servers[1].address);
    expect_given_up(call);
    finish(call);
}

Test(grpc_stream_given_up, ends_with_a_shutdown)
{
    muster_call *call;

    begin();
    call = start(NULL);
    await_all(call);
    shut_down();
    expect_given_up(call);
    finish(call);
}

/* It is there, and was not seen when the connection's calls were cancelled. */
Test(grpc_stream_given_up, ends_when_its_message_is_seen_later)
{
    muster_call *call;

    begin();
    call = start(NULL);
    await_answer_unseen();
    shut_down();
    expect_given_up(call);
    finish(call);
}

/* It is there still. */
Test(grpc_stream_given_up, has_a_message_that_is_asked_for_before_it_ends)
{
    muster_call *call;

    begin();
    call = start(NULL);
    await_all(call);
    shut_down();
    receive_message(call);
    cr_assert(
        is_message(await_soon(call, MUSTER_CALL_RECEIVED).message, 5, SIZE));
    (void)await_soon(call, MUSTER_CALL_ENDED);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_OK);
    finish(call);
}

Test(grpc_stream_given_up, is_cancelled_after_that)
{
    muster_call *call;

    begin();
    call = start(NULL);
    await_all(call);
    shut_down();
    muster_call_cancel(call);
    (void)await_soon(call, MUSTER_CALL_ENDED);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_CANCELLED);
    finish(call);
}

/* ---- threads ---- */

enum { N_THREADS = 4, N_STREAMS = 1000 };

static _Atomic uint32_t n_received;
static _Atomic uint32_t n_ended;

static void count_event(void *arg, const muster_call_event *event)
{
    (void)arg;
    if (event->kind == MUSTER_CALL_RECEIVED) {
        grpc_byte_buffer_destroy(event->message);
        n_received++;
    } else {
        n_ended++;
    }
}

static void *shut_down_soon(void *arg)
{
    (void)arg;
    cr_assert_eq(muster_channel_shutdown(channel, 1, NULL), MUSTER_OK);
    return NULL;
}

/* Each ends, and has each message that was asked for, or hears of none. */
Test(grpc_stream_given_up, of_many_that_are_asked_for_meanwhile)
{
    muster_call *calls[N_STREAMS];
    uint32_t n_asked = 0;
    muster_call_queue *own;
    pthread_t thread;

    begin();
    cr_assert_eq(muster_call_queue_create_callback(N_THREADS, count_event, NULL,
                                                   &own, NULL),
                 MUSTER_OK);
    for (int i = 0; i < N_STREAMS; i++) {
        calls[i] = make_stream(channel, NULL, 0);
        open_stream(calls[i], message_of(5, SIZE), own);
    }
    cr_assert(backend_await_count(&servers[0], "calls", N_STREAMS));
    cr_assert_eq(pthread_create(&thread, NULL, shut_down_soon, NULL), 0);
    for (int i = 0; i < N_STREAMS; i++) {
        n_asked += muster_call_receive(calls[i], NULL) == MUSTER_OK ? 1 : 0;
    }
    (void)pthread_join(thread, NULL);
    muster_call_queue_destroy(own);
    cr_expect_eq(n_ended, N_STREAMS);
    cr_expect_eq(n_received, n_asked);
    for (int i = 0; i < N_STREAMS; i++) {
        muster_call_destroy(calls[i]);
    }
    finish(NULL);
}
