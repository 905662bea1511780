/* SPDX-License-Identifier: Apache-2.0 */
/* Hedged calls against real servers that are slow, or fail, as they are asked
 * to: gRFC A6. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "retrying.h"

enum { MAX_SERVERS = 3 };

#define HEADERS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A hedgingPolicy for all methods, in which ' stands for ". */
#define HEDGING(attempts, delay, others)                                       \
    "{'methodConfig': [{'name': [{}], 'hedgingPolicy': "                       \
    "{'maxAttempts': " attempts ", 'hedgingDelay': '" delay                    \
    "', 'nonFatalStatusCodes': "                                               \
    "['UNAVAILABLE']}}]" others "}"

/* Nothing but a failure brings the next attempt. */
#define PATIENT HEDGING("3", "1000s", "")
#define QUICK_HEDGES HEDGING("3", "0.02s", "")
#define AT_ONCE HEDGING("3", "0s", "")

static backend servers[MAX_SERVERS];
static muster_channel *channel;
static muster_call_queue *queue;

/* A server finds out that a call is cancelled when its delay is over. */
static void begin_with(size_t n, size_t n_slow, const char *config,
                       const muster_grpc_options *options)
{
    static const char *const slow[] = {"--end-with-parent", "--delay-ms",
                                       "4000", NULL};
    static const char *const fast[] = {"--end-with-parent", NULL};

    for (size_t i = 0; i < n; i++) {
        cr_assert(backend_start(&servers[i], i < n_slow ? slow : fast));
    }
    channel = open_retrying(servers, n, config, options);
    queue = make_queue();
}

static void begin(size_t n, size_t n_slow, const char *config)
{
    begin_with(n, n_slow, config, NULL);
}

static void finish(void)
{
    cr_expect_eq(stats_of(channel).in_flight, 0, "no lease is lost");
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    for (size_t i = 0; i < MAX_SERVERS; i++) {
        if (servers[i].pid != 0) {
            backend_kill(&servers[i]);
        }
    }
}

static muster_call *start(uint64_t deadline_ns, const char *const *headers)
{
    muster_call *call = make_call_with(channel, deadline_ns, headers);

    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    return call;
}

static muster_call_result end_of(muster_call *call)
{
    muster_call_event event = {.call = NULL};

    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    cr_assert_eq(event.call, call);
    return result_of(call);
}

/* The call must end so, after that many attempts. */
static void expect(const char *const *headers, grpc_status_code status,
                   uint32_t n_attempts)
{
    muster_call *call = start(0, headers);
    const muster_call_result result = end_of(call);

    cr_expect_eq(result.status, status, "%d: %s", (int)result.status,
                 result.message);
    cr_expect_eq(result.n_attempts, n_attempts, "%u", result.n_attempts);
    muster_call_destroy(call);
}

static uint64_t count_all(size_t n, const char *name)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += backend_count(&servers[i], name);
    }
    return sum;
}

/* Until so many have come to the first n servers, and none has ended. */
static void await_calls(size_t n, uint64_t n_calls)
{
    const uint64_t give_up_ns = now_ns() + 30000 * MILLISECOND;

    while (count_all(n, "calls") < n_calls) {
        cr_assert_lt(now_ns(), give_up_ns);
        hear_nothing(queue);
    }
}

#define NO_HEADERS HEADERS(NULL)

static void expect_success(void)
{
    muster_call *call = start(0, NO_HEADERS);

    cr_expect_eq(end_of(call).status, GRPC_STATUS_OK);
    muster_call_destroy(call);
}

/* ---- slow servers ---- */

Test(grpc_hedging, asks_another_endpoint_after_the_delay)
{
    enum { N = 6 };
    uint64_t n_slow;

    begin(2, 1, QUICK_HEDGES);
    for (int i = 0; i < N; i++) {
        expect_success();
    }
    n_slow = backend_count(&servers[0], "calls");
    cr_expect_gt(n_slow, 0);
    cr_expect_geq(stats_of(channel).hedges, n_slow);
    cr_expect(backend_await_count(&servers[0], "cancelled", n_slow),
              "the slow server hears that nobody waits");
    finish();
}

Test(grpc_hedging, blocking_calls_need_no_other_thread)
{
    begin(2, 1, QUICK_HEDGES);
    for (int i = 0; i < 4; i++) {
        muster_call *call = make_call_with(channel, 0, NO_HEADERS);

        cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
        cr_expect_eq(result_of(call).status, GRPC_STATUS_OK);
        cr_expect_not_null(muster_call_peer(call));
        muster_call_destroy(call);
    }
    finish();
}

/* The fast one does not answer before the others have their calls: what is
 * cancelled on its way may never come. */
Test(grpc_hedging, asks_all_at_once_without_a_delay)
{
    muster_call *call;

    begin(3, 2, AT_ONCE);
    backend_freeze(&servers[2]);
    call = start(0, NO_HEADERS);
    await_calls(2, 2);
    backend_thaw(&servers[2]);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_OK);
    cr_expect_eq(result_of(call).n_attempts, 3);
    muster_call_destroy(call);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(backend_count(&servers[i], "calls"), 1);
    }
    cr_expect(backend_await_count(&servers[0], "cancelled", 1));
    cr_expect(backend_await_count(&servers[1], "cancelled", 1));
    expect(NO_HEADERS, GRPC_STATUS_OK, 3); /* nor does it wait for an answer */
    finish();
}

Test(grpc_hedging, does_not_hedge_what_is_fast)
{
    begin(2, 0, HEDGING("2", "30s", ""));
    for (int i = 0; i < 20; i++) {
        expect(NO_HEADERS, GRPC_STATUS_OK, 1);
    }
    cr_expect_eq(count_all(2, "calls"), 20);
    cr_expect_eq(stats_of(channel).hedges, 0);
    finish();
}

Test(grpc_hedging, asks_the_only_endpoint_again)
{
    begin(1, 0, HEDGING("3", "0.01s", ""));
    expect(HEADERS("x-delay-ms", "2000"), GRPC_STATUS_OK, 3);
    cr_expect_eq(backend_count(&servers[0], "calls"), 3);
    cr_expect_eq(backend_count(&servers[0], "retries"), 2);
    finish();
}

Test(grpc_hedging, makes_no_more_than_max_attempts)
{
    muster_call *call;

    begin(3, 3, HEDGING("2", "0.001s", ""));
    call = start(now_ns() + 2000 * MILLISECOND, NO_HEADERS);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_eq(result_of(call).n_attempts, 2);
    muster_call_destroy(call);
    finish();
}

/* ---- failures ---- */

Test(grpc_hedging, asks_another_at_once_after_a_failure)
{
    begin(3, 0, PATIENT);
    expect(HEADERS("x-fail-attempts", "2"), GRPC_STATUS_OK, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(backend_count(&servers[i], "calls"), 1, "another one");
    }
    cr_expect_eq(count_all(3, "retries"), 2);
    finish();
}

Test(grpc_hedging, ends_with_a_fatal_status)
{
    begin(2, 0, PATIENT);
    expect(HEADERS("x-status", "13"), GRPC_STATUS_INTERNAL, 1);
    finish();
}

Test(grpc_hedging, ends_with_the_last_failure_when_all_fail)
{
    muster_call *call;
    muster_call_result result;

    begin(2, 0, PATIENT);
    call = start(0, HEADERS("x-status", "14", "x-echo-message", "no, really"));
    result = end_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_str_eq(result.message, "no, really");
    cr_expect_eq(result.flags, MUSTER_OUTCOME_FROM_SERVER);
    cr_expect_eq(result.n_attempts, 3);
    cr_expect_eq(stats_of(channel).retries_exhausted, 1);
    muster_call_destroy(call);
    finish();
}

Test(grpc_hedging, survives_a_connection_that_is_lost)
{
    begin(2, 0, PATIENT);
    expect(HEADERS("x-echo-abort", "reset", "x-fail-attempts", "1"),
           GRPC_STATUS_OK, 2);
    finish();
}

Test(grpc_hedging, ends_with_headers_that_came_before_a_failure)
{
    begin(2, 0, PATIENT);
    expect(HEADERS("x-status", "14", "x-fail-after-headers", "1", "x-echo",
                   "text"),
           GRPC_STATUS_UNAVAILABLE, 1);
    finish();
}

Test(grpc_hedging, does_not_hedge_a_long_request)
{
    const muster_grpc_options options = {.struct_size = sizeof options,
                                         .retry_buffer_bytes = 10};
    grpc_byte_buffer *request = buffer_of("more than ten bytes");
    muster_call *call;

    begin_with(2, 0, AT_ONCE, &options);
    call = make_call_with(channel, 0, HEADERS("x-status", "14"));
    cr_assert_eq(muster_call_unary(call, request), MUSTER_OK);
    cr_expect_eq(result_of(call).n_attempts, 1);
    muster_call_destroy(call);
    grpc_byte_buffer_destroy(request);
    finish();
}

Test(grpc_hedging, leaves_a_call_alone_that_does_not_want_it)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = MUSTER_CALL_NO_RETRY};
    muster_call *call;

    begin(2, 0, AT_ONCE);
    call = make_call(channel, &options);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    cr_expect_eq(result_of(call).n_attempts, 1);
    muster_call_destroy(call);
    finish();
}

/* ---- the server's word ---- */

Test(grpc_hedging, heeds_pushback_that_says_when)
{
    const uint64_t start_ns = now_ns();

    begin(2, 0, PATIENT);
    expect(HEADERS("x-fail-attempts", "1",
                   "x-echo-trailer-grpc-retry-pushback-ms", "150"),
           GRPC_STATUS_OK, 2);
    cr_expect_geq(now_ns() - start_ns, 150 * MILLISECOND);
    finish();
}

Test(grpc_hedging, heeds_pushback_that_says_never)
{
    begin(2, 0, PATIENT);
    expect(HEADERS("x-fail-attempts", "1",
                   "x-echo-trailer-grpc-retry-pushback-ms", "-1"),
           GRPC_STATUS_UNAVAILABLE, 1);
    cr_expect_eq(stats_of(channel).retries_refused, 1);
    finish();
}

Test(grpc_hedging, is_throttled)
{
    begin(2, 0,
          HEDGING("3", "1000s",
                  ", 'retryThrottling': {'maxTokens': 2, 'tokenRatio': 0.1}"));
    expect(HEADERS("x-status", "14"), GRPC_STATUS_UNAVAILABLE, 1);
    cr_expect_eq(stats_of(channel).retries_throttled, 1);
    finish();
}

/* Nor are those that are due by time, which the first call does not take. */
Test(grpc_hedging, is_throttled_when_the_delay_is_over)
{
    muster_call *call;

    begin(2, 2,
          HEDGING("3", "2s",
                  ", 'retryThrottling': {'maxTokens': 2, 'tokenRatio': 0.1}"));
    expect(HEADERS("x-status", "14", "x-delay-ms", "0"),
           GRPC_STATUS_UNAVAILABLE, 1);
    call = start(now_ns() + 3000 * MILLISECOND, NO_HEADERS);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_eq(result_of(call).n_attempts, 1);
    muster_call_destroy(call);
    finish();
}

/* ---- ends ---- */

Test(grpc_hedging, ends_at_the_deadline)
{
    muster_call *call;

    begin(2, 2, QUICK_HEDGES);
    call = start(now_ns() + 2000 * MILLISECOND, NO_HEADERS);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_eq(result_of(call).n_attempts, 3);
    muster_call_destroy(call);
    finish();
}

Test(grpc_hedging, is_cancelled_with_all_attempts)
{
    muster_call *call;

    begin(2, 2, AT_ONCE);
    call = start(0, NO_HEADERS);
    await_calls(2, 3);
    muster_call_cancel(call);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_CANCELLED);
    while (count_all(2, "cancelled") != 3) {
        /* The servers hear of it. */
    }
    muster_call_destroy(call);
    finish();
}

static void await_parked_call(void)
{
    while (stats_of(channel).parked == 0) {
        hear_nothing(queue);
    }
}

Test(grpc_hedging, is_cancelled_between_attempts)
{
    muster_call *call;

    begin(2, 0, PATIENT);
    call =
        start(0, HEADERS("x-fail-attempts", "1",
                         "x-echo-trailer-grpc-retry-pushback-ms", "1000000"));
    await_parked_call();
    muster_call_cancel(call);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_CANCELLED);
    cr_expect_eq(result_of(call).n_attempts, 1);
    muster_call_destroy(call);
    finish();
}

Test(grpc_hedging, ends_at_the_deadline_between_attempts)
{
    muster_call *call;

    begin(2, 0, PATIENT);
    call = start(now_ns() + 200 * MILLISECOND,
                 HEADERS("x-fail-attempts", "1",
                         "x-echo-trailer-grpc-retry-pushback-ms", "1000000"));
    cr_expect_eq(end_of(call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    muster_call_destroy(call);
    finish();
}

Test(grpc_hedging, ends_as_the_last_attempt_when_the_channel_closes)
{
    muster_call *call;

    begin(2, 0, PATIENT);
    call =
        start(0, HEADERS("x-fail-attempts", "1",
                         "x-echo-trailer-grpc-retry-pushback-ms", "1000000"));
    await_parked_call();
    cr_assert_eq(muster_channel_close(channel), MUSTER_OK);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_str_eq(result_of(call).message, "the server was asked to fail");
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&servers[0]);
    backend_kill(&servers[1]);
}

/* ---- threads ---- */

static void *take_one(void *arg)
{
    muster_call_event *event = arg;

    (void)muster_call_queue_next(queue, MUSTER_FOREVER, event);
    return NULL;
}

/* It waits for ever, and learns that there is a timer now. */
Test(grpc_hedging, wakes_the_thread_that_waits_already)
{
    muster_call_event events[4];

    begin(2, 1, QUICK_HEDGES);
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        muster_call *call;

        cr_assert_eq(pthread_create(&thread, NULL, take_one, &events[i]), 0);
        call = start(0, NO_HEADERS);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        cr_expect_eq(events[i].call, call);
        cr_expect_eq(result_of(call).status, GRPC_STATUS_OK);
        muster_call_destroy(call);
    }
    finish();
}

enum { N_THREADS = 4, N_CALLS = 400 };

static muster_call *one_of_many(void)
{
    muster_call *call =
        make_call_with(channel, 0,
                       HEADERS("x-envoy-fault-delay-request", "20",
                               "x-envoy-fault-delay-request-percentage", "30"));

    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    return call;
}

static void *take_many(void *arg)
{
    uint32_t *n_good = arg;
    muster_call_event event;

    while (muster_call_queue_next(queue, MUSTER_FOREVER, &event) == MUSTER_OK) {
        *n_good += result_of(event.call).status == GRPC_STATUS_OK ? 1 : 0;
        muster_call_destroy(event.call);
    }
    return NULL;
}

Test(grpc_hedging, of_many_calls_that_many_threads_move)
{
    pthread_t threads[N_THREADS];
    uint32_t n_good[N_THREADS] = {0};
    uint32_t sum = 0;

    begin(3, 0, HEDGING("3", "0.002s", ""));
    for (int i = 0; i < N_THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, take_many, &n_good[i]),
                     0);
    }
    for (int i = 0; i < N_CALLS; i++) {
        (void)one_of_many();
    }
    muster_call_queue_shutdown(queue);
    for (int i = 0; i < N_THREADS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        sum += n_good[i];
    }
    cr_expect_eq(sum, N_CALLS);
    cr_expect_gt(stats_of(channel).hedges, 0);
    finish();
}

/* ---- by percentile ---- */

#define BY_PERCENTILE                                                          \
    "{'methodConfig': [{'name': [{}], 'hedgingPolicy': {'maxAttempts': 2, "    \
    "'nonFatalStatusCodes': ['UNAVAILABLE'], "                                 \
    "'muster': {'hedgingDelay': 'p90'}}}]}"

Test(grpc_hedging, does_not_begin_before_the_percentile_is_known)
{
    begin(2, 0, BY_PERCENTILE);
    for (int i = 0; i < 99; i++) {
        expect(HEADERS("x-delay-ms", i == 0 ? "200" : "0"), GRPC_STATUS_OK, 1);
    }
    cr_expect_eq(stats_of(channel).hedges, 0);
    finish();
}

Test(grpc_hedging, begins_at_the_percentile_of_latency)
{
    begin(2, 0, BY_PERCENTILE);
    for (int i = 0; i < 200; i++) {
        expect_success();
    }
    cr_assert(backend_tell(&servers[0], "delay 4000"));
    do { /* until it hears of one for which the other server was faster */
        expect_success();
    } while (backend_count(&servers[0], "cancelled") == 0);
    cr_expect_gt(stats_of(channel).hedges, 0);
    finish();
}
