/* SPDX-License-Identifier: Apache-2.0 */
/* Calls whose ends come out of a queue. */
#include <criterion/criterion.h>
#include <stdbool.h>

#include "backend.h"
#include "calling.h"

Test(grpc_calls, come_out_of_their_queue_with_their_tags)
{
    enum { N = 100 };
    backend server;
    muster_channel *channel;
    muster_call_queue *queue = make_queue();
    bool seen[N] = {false};
    int tags[N];

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    for (int i = 0; i < N; i++) {
        muster_call *call = make_call(channel, &patient);
        grpc_byte_buffer *request = buffer_of("x");

        tags[i] = i;
        cr_assert_eq(muster_call_start_unary(call, request, queue, &tags[i]),
                     MUSTER_OK);
        grpc_byte_buffer_destroy(request);
    }
    muster_call_queue_shutdown(queue);
    for (int i = 0; i < N; i++) {
        muster_call_event event;

        cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                     MUSTER_OK);
        cr_expect_eq(result_of(event.call).status, GRPC_STATUS_OK, "%s",
                     result_of(event.call).message);
        seen[*(int *)event.tag] = true;
        muster_call_destroy(event.call);
    }
    for (int i = 0; i < N; i++) {
        cr_expect(seen[i]);
    }
    cr_expect_eq(
        muster_call_queue_next(queue, MUSTER_FOREVER, &(muster_call_event){0}),
        MUSTER_CLOSED);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, that_fail_at_once_come_out_of_their_queue)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    muster_call_queue *queue = make_queue();
    muster_call_event event;

    for (int i = 0; i < 2; i++) {
        muster_call *call = make_call(channel, NULL);

        cr_assert_eq(muster_call_start_unary(call, NULL, queue, call),
                     MUSTER_OK);
        cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                     MUSTER_OK);
        cr_expect_eq(event.tag, call);
        cr_expect_eq(result_of(call).status, GRPC_STATUS_UNAVAILABLE);
        muster_call_destroy(call);
    }
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
}

Test(grpc_calls, are_refused_by_a_queue_that_is_shut_down)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    muster_call_queue *queue = make_queue();
    muster_call *call = make_call(channel, NULL);
    muster_call_event event;

    cr_expect_eq(muster_call_queue_next(queue, 0, &event), MUSTER_TIMEOUT);
    muster_call_queue_shutdown(queue);
    muster_call_queue_shutdown(queue);
    cr_expect_eq(muster_call_start_unary(call, NULL, queue, NULL),
                 MUSTER_CLOSED);
    cr_expect_eq(muster_call_queue_next(queue, 0, &event), MUSTER_CLOSED);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
}

Test(grpc_calls, that_are_parked_fail_when_the_channel_closes)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    muster_call_queue *queue = make_queue();
    muster_call *call = make_call(channel, &patient);
    muster_call_event event;

    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    cr_expect_eq(muster_channel_close(channel), MUSTER_OK);
    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_UNAVAILABLE);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
}
