/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through C core's own round_robin, with default arguments. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#include <grpc/support/time.h>

#include "core_call.h"

static grpc_channel *channel;

static bool open_channel(const char *addresses)
{
    char target[1024];

    grpc_init();
    (void)snprintf(target, sizeof target, "ipv4:%s", addresses);
    channel = core_channel_create(target, NULL, NULL, 0);
    return true;
}

static void *enter(void)
{
    return grpc_completion_queue_create_for_next(NULL);
}

static void leave(void *context)
{
    core_queue_destroy(context);
}

static bool start(void *context, grpc_byte_buffer *request)
{
    core_call *made = malloc(sizeof *made);

    if (made == NULL) {
        return false;
    }
    core_call_start(made, channel, context, "/echo.Echo/Unary", request, NULL,
                    0, gpr_inf_future(GPR_CLOCK_MONOTONIC));
    return true;
}

static bool finish(void *context)
{
    grpc_event event = grpc_completion_queue_next(
        context, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    core_call *made = event.tag;
    const bool ok = made->status == GRPC_STATUS_OK;

    core_call_fini(made);
    free(made);
    return ok;
}

static bool call(void *context, grpc_byte_buffer *request)
{
    return start(context, request) && finish(context);
}

const load_side load_core = {.open = open_channel,
                             .enter = enter,
                             .leave = leave,
                             .call = call,
                             .start = start,
                             .finish = finish};
