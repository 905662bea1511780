/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through muster. */
#include "load.h"

#include <stdio.h>

#include <muster/grpc.h>
#include <muster/muster.h>

static muster_channel *channel;

static const muster_call_options options = {
    .struct_size = sizeof options, .flags = MUSTER_CALL_WAIT_FOR_READY};

static bool open_channel(const char *addresses)
{
    char target[1024];
    muster_error err;

    (void)snprintf(target, sizeof target, "static:///%s", addresses);
    if (muster_grpc_channel_create(target, NULL, NULL, &channel, &err) !=
        MUSTER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return false;
    }
    return true;
}

static void *enter(void)
{
    muster_call_queue *queue = NULL;

    (void)muster_call_queue_create(&queue, NULL);
    return queue;
}

static void leave(void *context)
{
    muster_call_queue_destroy(context);
}

static bool end(muster_call *call)
{
    muster_call_result result = {.struct_size = sizeof result};

    muster_call_get_result(call, &result);
    muster_call_destroy(call);
    return result.status == GRPC_STATUS_OK;
}

static bool call(void *context, grpc_byte_buffer *request)
{
    muster_call *made;

    (void)context;
    return muster_call_create(channel, "/echo.Echo/Unary", &options, &made,
                              NULL) == MUSTER_OK &&
           muster_call_unary(made, request) == MUSTER_OK && end(made);
}

static bool start(void *context, grpc_byte_buffer *request)
{
    muster_call *made;

    return muster_call_create(channel, "/echo.Echo/Unary", &options, &made,
                              NULL) == MUSTER_OK &&
           muster_call_start_unary(made, request, context, NULL) == MUSTER_OK;
}

static bool finish(void *context)
{
    muster_call_event event;

    return muster_call_queue_next(context, MUSTER_FOREVER, &event) ==
               MUSTER_OK &&
           end(event.call);
}

const load_side load_muster = {.open = open_channel,
                               .enter = enter,
                               .leave = leave,
                               .call = call,
                               .start = start,
                               .finish = finish};
