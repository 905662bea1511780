/* SPDX-License-Identifier: Apache-2.0 */
/* Hedges that are due when it is too late for them. */
#include <criterion/criterion.h>

#include "retrying.h"

TestSuite(grpc_hedging_late, .timeout = 110);

#define HEDGES                                                                 \
    "{'methodConfig': [{'name': [{}], 'hedgingPolicy': {'maxAttempts': 3, "    \
    "'hedgingDelay': '0.02s', 'nonFatalStatusCodes': ['UNAVAILABLE']}}]}"

static backend server;
static muster_channel *channel;
static muster_call_queue *queue;

static muster_call *start(uint64_t timeout_ns)
{
    static const char *const slow[] = {"--delay-ms", "4000", NULL};
    static const char *const no_headers[] = {NULL};
    muster_call *call;

    cr_assert(backend_start(&server, slow));
    channel = open_retrying(&server, 1, HEDGES, NULL);
    queue = make_queue();
    call = make_call_with(channel, timeout_ns == 0 ? 0 : now_ns() + timeout_ns,
                          no_headers);
    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    return call;
}

/* No thread is in the queue meanwhile. */
static void pass(uint64_t delay_ns)
{
    const uint64_t until_ns = now_ns() + delay_ns;

    while (now_ns() < until_ns) {
        /* The hedge comes to be due. */
    }
}

static void expect_end(muster_call *call, grpc_status_code status)
{
    muster_call_event event = {.call = NULL};

    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    cr_assert_eq(event.call, call);
    cr_expect_eq(result_of(call).status, status);
    cr_expect_eq(result_of(call).n_attempts, 1, "%u",
                 result_of(call).n_attempts);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_hedging_late, none_is_made_after_cancelling)
{
    muster_call *call = start(0);

    muster_call_cancel(call);
    pass(30 * MILLISECOND);
    expect_end(call, GRPC_STATUS_CANCELLED);
}

Test(grpc_hedging_late, none_is_made_after_the_deadline)
{
    muster_call *call = start(300 * MILLISECOND);

    pass(330 * MILLISECOND);
    expect_end(call, GRPC_STATUS_DEADLINE_EXCEEDED);
}
