/* SPDX-License-Identifier: Apache-2.0 */
/* A program outside the tree that uses libmuster-grpc: a call that fails, with
 * a message, which only C core's own functions make. */
#include <stdio.h>

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <muster/grpc.h>

int main(void)
{
    muster_call_result result = {.struct_size = sizeof result};
    muster_channel *channel;
    muster_call *call;
    muster_error err;
    grpc_slice text = grpc_slice_from_static_string("hello");
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&text, 1);

    if (muster_grpc_channel_create("static:///127.0.0.1:1", NULL, NULL,
                                   &channel, &err) != MUSTER_OK ||
        muster_call_create(channel, "/a.B/C", NULL, &call, &err) != MUSTER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    (void)muster_call_unary(call, request);
    grpc_byte_buffer_destroy(request);
    muster_call_get_result(call, &result);
    (void)printf("status %d: %s\n", result.status, result.message);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
    return result.status == GRPC_STATUS_UNAVAILABLE ? 0 : 1;
}
