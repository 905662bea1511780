/* SPDX-License-Identifier: Apache-2.0 */
/* One bidirectional stream: a C core call on a leased connection. */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "cluster.h"

#define WAIT_NS UINT64_C(30000000000)

struct stream {
    muster_lease lease;
    grpc_call *call;
    grpc_completion_queue *queue;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice details;
    grpc_byte_buffer *echo;
    /* Tags: their addresses are what counts. */
    char opened;
    char has_status;
    char has_echo;
    char closed;
};

static void start(stream *self, const grpc_op *ops, size_t n_ops, void *tag)
{
    if (grpc_call_start_batch(self->call, ops, n_ops, tag, NULL) !=
        GRPC_CALL_OK) {
        cluster_die("a batch was refused");
    }
}

static bool await(stream *self, void *tag)
{
    const gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_nanos((int64_t)WAIT_NS, GPR_TIMESPAN));
    const grpc_event event =
        grpc_completion_queue_pluck(self->queue, tag, deadline, NULL);

    if (event.type != GRPC_OP_COMPLETE) {
        cluster_die("a stream on %s hangs", stream_address(self));
    }
    return event.success != 0;
}

static void pick(stream *self, muster_channel *channel)
{
    const muster_call_info info = {.struct_size = sizeof info,
                                   .method = "/echo.Echo/Stream",
                                   .deadline_ns = now_ns() + WAIT_NS};
    muster_error err;

    if (muster_channel_pick_wait(channel, &info, &self->lease, &err) !=
        MUSTER_OK) {
        cluster_die("a stream finds no endpoint: %s", err.message);
    }
}

static void start_call(stream *self)
{
    grpc_op ops[3];

    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[1].data.recv_initial_metadata.recv_initial_metadata = &self->initial;
    start(self, ops, 2, &self->opened);
    ops[2].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[2].data.recv_status_on_client.trailing_metadata = &self->trailing;
    ops[2].data.recv_status_on_client.status = &self->status;
    ops[2].data.recv_status_on_client.status_details = &self->details;
    start(self, &ops[2], 1, &self->has_status);
    (void)await(self, &self->opened); /* a failure is in the status */
}

stream *stream_open(muster_channel *channel)
{
    stream *self = calloc(1, sizeof *self);

    if (self == NULL) {
        cluster_die("out of memory");
    }
    pick(self, channel);
    grpc_metadata_array_init(&self->initial);
    grpc_metadata_array_init(&self->trailing);
    self->details = grpc_empty_slice();
    self->queue = grpc_completion_queue_create_for_pluck(NULL);
    self->call = grpc_channel_create_call(
        muster_lease_grpc_channel(&self->lease), NULL, GRPC_PROPAGATE_DEFAULTS,
        self->queue, grpc_slice_from_static_string("/echo.Echo/Stream"), NULL,
        gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    start_call(self);
    return self;
}

const char *stream_address(const stream *self)
{
    return muster_lease_endpoint(&self->lease)->address;
}

bool stream_echo(stream *self)
{
    grpc_slice slice = grpc_slice_from_static_string("ping");
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op ops[2];
    bool is_echoed;

    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_MESSAGE;
    ops[0].data.send_message.send_message = message;
    ops[1].op = GRPC_OP_RECV_MESSAGE;
    ops[1].data.recv_message.recv_message = &self->echo;
    start(self, ops, 2, &self->has_echo);
    (void)await(self, &self->has_echo);
    is_echoed = self->echo != NULL;
    grpc_byte_buffer_destroy(self->echo);
    self->echo = NULL;
    grpc_byte_buffer_destroy(message);
    return is_echoed;
}

grpc_status_code stream_await_end(stream *self)
{
    grpc_status_code status;

    (void)await(self, &self->has_status);
    status = self->status;
    if (status != GRPC_STATUS_OK) {
        char *details = grpc_slice_to_c_string(self->details);

        (void)fprintf(stderr, "a stream on %s ended with status %d: %s\n",
                      stream_address(self), (int)status, details);
        gpr_free(details);
    }
    grpc_call_unref(self->call);
    grpc_completion_queue_shutdown(self->queue);
    grpc_completion_queue_destroy(self->queue);
    grpc_slice_unref(self->details);
    grpc_metadata_array_destroy(&self->initial);
    grpc_metadata_array_destroy(&self->trailing);
    muster_lease_finish(&self->lease, NULL);
    free(self);
    return status;
}

grpc_status_code stream_finish(stream *self)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    start(self, &op, 1, &self->closed);
    (void)await(self, &self->closed);
    return stream_await_end(self);
}
