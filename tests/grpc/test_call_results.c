/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a unary call before it has ended, and that it is final when
 * its status is. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "retrying.h"

TestSuite(grpc_call_results, .timeout = 110);

#define HEADERS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* For all methods; ' stands for ". */
#define HEDGING(delay)                                                         \
    "{'methodConfig': [{'name': [{}], 'hedgingPolicy': {'maxAttempts': 2, "    \
    "'hedgingDelay': '" delay "', 'nonFatalStatusCodes': ['UNAVAILABLE']}}]}"
#define ALONE "{}"

enum { N_CALLS = 100 };

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

static void finish(void)
{
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&servers[0]);
    backend_kill(&servers[1]);
}

static muster_call *start(const char *const *headers)
{
    muster_call *call = make_call_with(channel, 0, headers);

    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    return call;
}

static void await_end(muster_call *call)
{
    muster_call_event event = {.call = NULL};

    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    cr_assert_eq(event.call, call);
}

/* Nothing but how often it was placed. */
static bool has_nothing(const muster_call_result *result)
{
    return result->status == GRPC_STATUS_UNKNOWN && result->flags == 0 &&
           result->message[0] == '\0' && result->response == NULL &&
           result->initial_metadata->count == 0 &&
           result->trailing_metadata->count == 0 && result->latency_ns == 0;
}

static void expect_nothing(muster_call *call)
{
    const muster_call_result result = result_of(call);

    cr_expect(has_nothing(&result));
    cr_expect_null(muster_call_peer(call));
}

/* The server has counted it, and no thread is in the queue. */
static void await_answer_unseen(void)
{
    uint64_t since_ns;

    while (backend_count(&servers[0], "calls") +
               backend_count(&servers[1], "calls") ==
           0) {
        /* Not yet. */
    }
    since_ns = now_ns();
    while (now_ns() - since_ns < 100 * MILLISECOND) {
        /* The answer comes. */
    }
}

Test(grpc_call_results, has_nothing_before_it_starts)
{
    muster_call *call;

    begin(ALONE);
    call = make_call_with(channel, 0, HEADERS(NULL));
    expect_nothing(call);
    muster_call_destroy(call);
    finish();
}

/* The answer is there. */
Test(grpc_call_results, has_nothing_before_the_end_comes_out)
{
    muster_call *call;

    begin(ALONE);
    call = start(HEADERS("x-echo", "yes"));
    await_answer_unseen();
    expect_nothing(call);
    await_end(call);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_OK);
    cr_expect_not_null(result_of(call).response);
    cr_expect_not_null(muster_call_peer(call));
    muster_call_destroy(call);
    finish();
}

/* The failure is that of the call if no other attempt ends otherwise. */
Test(grpc_call_results, has_nothing_of_an_attempt_that_failed)
{
    muster_call *call;

    begin(HEDGING("1000s"));
    call = start(HEADERS("x-fail-attempts", "1", "x-delay-ms", "1000"));
    while (result_of(call).n_attempts < 2) {
        hear_nothing(queue);
    }
    expect_nothing(call);
    await_end(call);
    muster_call_destroy(call);
    finish();
}

/* ---- a thread that asks ---- */

typedef struct asker {
    muster_call *call;
    atomic_bool is_asking;
    bool is_wrong;            /* it had something before its status */
    muster_call_result first; /* with a status */
    pthread_t thread;
} asker;

static void *ask_until_it_has_ended(void *arg)
{
    asker *self = arg;

    atomic_store(&self->is_asking, true);
    for (;;) {
        self->first = result_of(self->call);
        if (self->first.status != GRPC_STATUS_UNKNOWN) {
            return NULL;
        }
        self->is_wrong |= !has_nothing(&self->first);
    }
}

static bool is_same(const muster_call_result *one,
                    const muster_call_result *other)
{
    return one->status == other->status && one->flags == other->flags &&
           one->n_attempts == other->n_attempts &&
           one->message == other->message && one->response == other->response &&
           one->initial_metadata == other->initial_metadata &&
           one->trailing_metadata == other->trailing_metadata &&
           one->latency_ns == other->latency_ns;
}

static void call_and_ask(const char *const *headers)
{
    asker self = {.call = make_call_with(channel, 0, headers)};
    muster_call_result last;

    cr_assert_eq(
        pthread_create(&self.thread, NULL, ask_until_it_has_ended, &self), 0);
    while (!atomic_load(&self.is_asking)) {
        /* Not yet. */
    }
    cr_assert_eq(muster_call_start_unary(self.call, NULL, queue, NULL),
                 MUSTER_OK);
    await_end(self.call);
    last = result_of(self.call);
    (void)pthread_join(self.thread, NULL);
    cr_expect_not(self.is_wrong);
    cr_expect(is_same(&self.first, &last));
    muster_call_destroy(self.call);
}

Test(grpc_call_results, are_final_with_the_status)
{
    begin(ALONE);
    for (int i = 0; i < N_CALLS; i++) {
        call_and_ask(HEADERS("x-echo", "yes"));
        call_and_ask(HEADERS("x-status", "13"));
    }
    finish();
}

Test(grpc_call_results, are_final_with_the_status_of_a_hedged_call)
{
    begin(HEDGING("0s"));
    for (int i = 0; i < N_CALLS; i++) {
        call_and_ask(HEADERS("x-echo", "yes"));
        call_and_ask(HEADERS("x-status", "13"));
    }
    finish();
}
