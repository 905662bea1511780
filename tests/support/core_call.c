/* SPDX-License-Identifier: Apache-2.0 */
/* Calls over channels of plain C core. */
#include "core_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/time.h>

enum { N_OPS = 6 };

static void set_ops(core_call *self, grpc_metadata *headers, size_t n_headers,
                    grpc_op ops[N_OPS])
{
    memset(ops, 0, N_OPS * sizeof *ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    ops[0].data.send_initial_metadata.count = n_headers;
    ops[0].data.send_initial_metadata.metadata = headers;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = self->request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &self->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &self->response;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &self->trailing;
    ops[5].data.recv_status_on_client.status = &self->status;
    ops[5].data.recv_status_on_client.status_details = &self->details;
}

void core_call_start(core_call *self, grpc_channel *channel,
                     grpc_completion_queue *queue, const char *method,
                     grpc_byte_buffer *request, grpc_metadata *headers,
                     size_t n_headers, gpr_timespec deadline)
{
    grpc_slice path = grpc_slice_from_copied_string(method);
    grpc_op ops[N_OPS];

    memset(self, 0, sizeof *self);
    grpc_metadata_array_init(&self->initial);
    grpc_metadata_array_init(&self->trailing);
    self->details = grpc_empty_slice();
    self->request = request == NULL ? grpc_raw_byte_buffer_create(NULL, 0)
                                    : grpc_byte_buffer_copy(request);
    self->call =
        grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                 path, NULL, deadline, NULL);
    grpc_slice_unref(path);
    set_ops(self, headers, n_headers, ops);
    if (grpc_call_start_batch(self->call, ops, N_OPS, self, NULL) !=
        GRPC_CALL_OK) {
        (void)fprintf(stderr, "a batch was refused\n");
        abort();
    }
}

void core_call_fini(core_call *self)
{
    grpc_byte_buffer_destroy(self->request);
    grpc_byte_buffer_destroy(self->response);
    grpc_metadata_array_destroy(&self->initial);
    grpc_metadata_array_destroy(&self->trailing);
    grpc_slice_unref(self->details);
    grpc_call_unref(self->call);
}

grpc_channel *core_channel_create(const char *target,
                                  grpc_channel_credentials *credentials,
                                  const grpc_arg *arguments, size_t n_arguments)
{
    static char config[] = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    static char key[] = GRPC_ARG_SERVICE_CONFIG;
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    grpc_arg list[CORE_MAX_ARGUMENTS + 1] = {
        {.type = GRPC_ARG_STRING, .key = key, .value.string = config}};
    const grpc_channel_args args = {.num_args = n_arguments + 1, .args = list};
    grpc_channel *channel;

    if (n_arguments > CORE_MAX_ARGUMENTS) {
        abort();
    }
    if (n_arguments > 0) {
        memcpy(list + 1, arguments, n_arguments * sizeof *arguments);
    }
    channel = grpc_channel_create(
        target, credentials == NULL ? insecure : credentials, &args);
    grpc_channel_credentials_release(insecure);
    return channel;
}

void core_queue_destroy(grpc_completion_queue *queue)
{
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue,
                                      gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL)
               .type != GRPC_QUEUE_SHUTDOWN) {
        /* Dropped. */
    }
    grpc_completion_queue_destroy(queue);
}
