/* SPDX-License-Identifier: Apache-2.0 */
/* How a call ends that is to be retried: deadlines, cancelling, closing. */
#include <criterion/criterion.h>
#include <string.h>

#include "limit.h"
#include "retrying.h"

#define FAILING ((const char *const[]){"x-status", "14", NULL})

static backend server;
static muster_channel *channel;
static muster_call_queue *queue;

static void begin(const char *config, const char *const *flags)
{
    cr_assert(backend_start(&server, flags));
    channel = open_retrying(&server, 1, config, NULL);
    queue = make_queue();
}

static void finish(muster_call *call)
{
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

static muster_call *start(uint64_t deadline_ns, const char *const *headers)
{
    muster_call *call = make_call_with(channel, deadline_ns, headers);

    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    return call;
}

/* Waits until the call, whose first attempt fails, waits for its next. */
static void await_backoff(muster_call *call)
{
    cr_assert(backend_await_count(&server, "failed", 1));
    while (stats_of(channel).parked == 0) {
        hear_nothing(queue);
    }
    cr_expect_eq(result_of(call).status, GRPC_STATUS_UNKNOWN, "not ended");
}

static muster_call_result end_of(muster_call *call)
{
    muster_call_event event;

    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    cr_assert_eq(event.call, call);
    return result_of(call);
}

Test(grpc_retry_ends, at_the_deadline_between_attempts)
{
    const uint64_t start_ns = now_ns();
    muster_call *call;
    muster_call_result result;

    begin(SLOW, NULL);
    call = start(now_ns() + 2000 * MILLISECOND, FAILING);
    result = end_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_not_null(strstr(result.message, "before the next attempt"), "%s",
                       result.message);
    cr_expect_not_null(strstr(result.message, "attempt 1 was 127.0.0.1:"), "%s",
                       result.message);
    cr_expect_not_null(strstr(result.message, "status 14"), "%s",
                       result.message);
    cr_expect_eq(result.flags, 0);
    cr_expect_eq(result.trailing_metadata->count, 0);
    cr_expect_geq(now_ns() - start_ns, 2000 * MILLISECOND);
    cr_expect_lt(now_ns() - start_ns, limit_ns(20000));
    finish(call);
}

Test(grpc_retry_ends, at_the_deadline_within_an_attempt)
{
    static const char *const headers[] = {"x-delay-ms", "20000", NULL};
    muster_call *call;

    begin(QUICK, NULL);
    call = start(now_ns() + 1000 * MILLISECOND, headers);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_eq(result_of(call).n_attempts, 1);
    finish(call);
}

Test(grpc_retry_ends, cancelled_between_attempts)
{
    muster_call *call;
    muster_call_result result;

    begin(SLOW, NULL);
    call = start(0, FAILING);
    await_backoff(call);
    muster_call_cancel(call);
    result = end_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_CANCELLED);
    cr_expect_eq(result.n_attempts, 1);
    cr_expect_eq(result.trailing_metadata->count, 0);
    cr_expect_eq(stats_of(channel).retries, 0);
    cr_expect_eq(stats_of(channel).parked, 0);
    finish(call);
}

Test(grpc_retry_ends, cancelled_within_an_attempt)
{
    static const char *const headers[] = {"x-delay-ms", "20000", NULL};
    muster_call *call;

    begin(QUICK, NULL);
    call = start(0, headers);
    cr_assert(backend_await_count(&server, "calls", 1));
    muster_call_cancel(call);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_CANCELLED);
    cr_expect_eq(result_of(call).n_attempts, 1);
    cr_expect_eq(stats_of(channel).in_flight, 0);
    finish(call);
}

Test(grpc_retry_ends, cancelled_while_an_attempt_waits_for_an_endpoint)
{
    muster_call *call;

    begin(QUICK, NULL);
    backend_kill(&server);
    while (stats_of(channel).ready != 0) {
        /* It is being noticed. */
    }
    call = make_call(channel, &patient);
    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    await_parked(channel, 1);
    muster_call_cancel(call);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_CANCELLED);
    cr_expect_eq(result_of(call).n_attempts, 0);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
}

/* It is placed on nothing any more, and its time has come: which is long enough
 * for the loss of the server to be noticed before. */
Test(grpc_retry_ends, cancelled_while_a_retry_waits_for_an_endpoint)
{
    static const char *const headers[] = {
        "x-status", "14", "x-echo-trailer-grpc-retry-pushback-ms", "2000",
        NULL};
    muster_call_event event;
    muster_call *call;
    uint64_t due_ns;

    begin(QUICK, NULL);
    call = make_call_waiting(channel, headers);
    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    await_backoff(call);
    due_ns = now_ns() + 2000 * MILLISECOND; /* at the latest */
    backend_kill(&server);
    while (stats_of(channel).ready != 0 ||
           now_ns() < due_ns + 100 * MILLISECOND) {
        (void)muster_call_queue_next(queue, now_ns() + MILLISECOND, &event);
    }
    cr_assert_eq(stats_of(channel).parked, 1);
    muster_call_cancel(call);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_CANCELLED);
    cr_expect_eq(result_of(call).n_attempts, 1);
    cr_expect_eq(stats_of(channel).parked, 0);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
}

/* The program itself is why there is no other attempt: the server's word
 * stands. */
Test(grpc_retry_ends, as_the_last_attempt_when_the_channel_closes)
{
    muster_call *call;
    muster_call_result result;

    begin(SLOW, NULL);
    call = start(0, FAILING);
    await_backoff(call);
    cr_assert_eq(muster_channel_close(channel), MUSTER_OK);
    result = end_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_str_eq(result.message, "the server was asked to fail");
    cr_expect_eq(result.flags, MUSTER_OUTCOME_FROM_SERVER);
    finish(call);
}

Test(grpc_retry_ends, well_for_many_calls_at_once)
{
    enum { N = 200 };
    static const char *const headers[] = {"x-fail-attempts", "2", NULL};
    muster_call *calls[N];
    muster_call_event event;

    begin(QUICK, NULL);
    for (int i = 0; i < N; i++) {
        calls[i] = start(0, headers);
    }
    for (int i = 0; i < N; i++) {
        cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                     MUSTER_OK);
    }
    for (int i = 0; i < N; i++) {
        cr_expect_eq(result_of(calls[i]).status, GRPC_STATUS_OK, "%s",
                     result_of(calls[i]).message);
        cr_expect_eq(result_of(calls[i]).n_attempts, 3);
        muster_call_destroy(calls[i]);
    }
    cr_expect_eq(stats_of(channel).retries, 2 * N);
    cr_expect_eq(stats_of(channel).in_flight, 0);
    finish(NULL);
}
