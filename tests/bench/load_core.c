/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through C core's own round_robin, with default arguments. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

static grpc_channel *channel;

typedef struct core_call {
    grpc_call *call;
    grpc_byte_buffer *request;
    grpc_byte_buffer *response;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice details;
} core_call;

static bool open_channel(const char *addresses)
{
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    grpc_arg arg = {.type = GRPC_ARG_STRING,
                    .key = (char *)(size_t)GRPC_ARG_SERVICE_CONFIG};
    grpc_channel_args args = {.num_args = 1, .args = &arg};
    char target[1024];

    grpc_init();
    arg.value.string =
        (char *)(size_t) "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    (void)snprintf(target, sizeof target, "ipv4:%s", addresses);
    channel = grpc_channel_create(target, insecure, &args);
    grpc_channel_credentials_release(insecure);
    return true;
}

static void *enter(void)
{
    return grpc_completion_queue_create_for_next(NULL);
}

static void leave(void *context)
{
    grpc_completion_queue_shutdown(context);
    while (grpc_completion_queue_next(context,
                                      gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL)
               .type != GRPC_QUEUE_SHUTDOWN) {
        /* Dropped. */
    }
    grpc_completion_queue_destroy(context);
}

static void set_ops(core_call *made, grpc_op ops[6])
{
    memset(ops, 0, 6 * sizeof *ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = made->request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &made->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &made->response;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &made->trailing;
    ops[5].data.recv_status_on_client.status = &made->status;
    ops[5].data.recv_status_on_client.status_details = &made->details;
}

static bool start(void *context, grpc_byte_buffer *request)
{
    core_call *made = calloc(1, sizeof *made);
    grpc_op ops[6];

    if (made == NULL) {
        return false;
    }
    grpc_metadata_array_init(&made->initial);
    grpc_metadata_array_init(&made->trailing);
    made->details = grpc_empty_slice();
    made->request = grpc_byte_buffer_copy(request);
    made->call = grpc_channel_create_call(
        channel, NULL, GRPC_PROPAGATE_DEFAULTS, context,
        grpc_slice_from_copied_string("/echo.Echo/Unary"), NULL,
        gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    set_ops(made, ops);
    return grpc_call_start_batch(made->call, ops, 6, made, NULL) ==
           GRPC_CALL_OK;
}

static bool finish(void *context)
{
    grpc_event event = grpc_completion_queue_next(
        context, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    core_call *made = event.tag;
    const bool ok = made->status == GRPC_STATUS_OK;

    grpc_byte_buffer_destroy(made->request);
    grpc_byte_buffer_destroy(made->response);
    grpc_metadata_array_destroy(&made->initial);
    grpc_metadata_array_destroy(&made->trailing);
    grpc_slice_unref(made->details);
    grpc_call_unref(made->call);
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
