/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps unary calls in flight: one thread, one queue. */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

static bool start(demo_world *demo, grpc_byte_buffer *request,
                  muster_call_queue *queue)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .deadline_ns = demo_now_ns() +
                                                        UINT64_C(10000000000)};
    muster_call *call = NULL;
    muster_error err;

    if (muster_call_create(demo->channel, "/echo.Echo/Unary", &options, &call,
                           &err) != MUSTER_OK) {
        (void)fprintf(stderr, "call: %s\n", err.message);
        return false;
    }
    if (muster_call_start_unary(call, request, queue, NULL) != MUSTER_OK) {
        muster_call_destroy(call);
        return false;
    }
    return true;
}

static void record(demo_world *demo, muster_call *call)
{
    muster_call_result result = {.struct_size = sizeof result};

    muster_call_get_result(call, &result);
    demo_record(demo, muster_call_peer(call), result.status == GRPC_STATUS_OK,
                result.message);
    muster_call_destroy(call);
}

void *demo_unary_thread(void *arg)
{
    demo_world *demo = arg;
    grpc_slice slice = grpc_slice_from_static_string("hello");
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&slice, 1);
    muster_call_queue *queue = NULL;
    muster_call_event event;
    unsigned n_out = 0;

    if (muster_call_queue_create(&queue, NULL) != MUSTER_OK) {
        abort();
    }
    while (n_out < DEMO_CALLS && start(demo, request, queue)) {
        n_out++;
    }
    while (n_out > 0 &&
           muster_call_queue_next(queue, MUSTER_FOREVER, &event) == MUSTER_OK) {
        record(demo, event.call);
        if (atomic_load(&demo->is_ending) || !start(demo, request, queue)) {
            n_out--;
        }
    }
    muster_call_queue_destroy(queue);
    grpc_byte_buffer_destroy(request);
    return NULL;
}
