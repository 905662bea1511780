/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a unary gRPC call through a balanced channel, as often as asked, and
 * prints which server answered:  call_client TARGET METHOD TEXT [TIMES] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <grpc/byte_buffer_reader.h>
#include <muster/grpc.h>

enum { PATIENCE_S = 5 };

static uint64_t deadline_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)(now.tv_sec + PATIENCE_S) * 1000000000 +
           (uint64_t)now.tv_nsec;
}

static void print_answer(muster_call *call, const muster_call_result *result)
{
    grpc_byte_buffer_reader reader;
    grpc_slice answer;

    if (!grpc_byte_buffer_reader_init(&reader, result->response)) {
        return;
    }
    answer = grpc_byte_buffer_reader_readall(&reader);
    printf("%s: %.*s\n", muster_call_peer(call), (int)GRPC_SLICE_LENGTH(answer),
           (const char *)GRPC_SLICE_START_PTR(answer));
    grpc_slice_unref(answer);
    grpc_byte_buffer_reader_destroy(&reader);
}

/* 0 when the server answered. */
static int make_call(muster_channel *channel, const char *method,
                     grpc_byte_buffer *request)
{
    muster_call_options options = {
        .struct_size = sizeof options,
        .flags = MUSTER_CALL_WAIT_FOR_READY,
        .deadline_ns = deadline_ns(),
    };
    muster_call_result result = {.struct_size = sizeof result};
    muster_call *call;
    muster_error err;

    if (muster_call_create(channel, method, &options, &call, &err) !=
        MUSTER_OK) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    if (muster_call_unary(call, request) == MUSTER_OK) {
        muster_call_get_result(call, &result);
        if (result.status == GRPC_STATUS_OK) {
            print_answer(call, &result);
        } else {
            fprintf(stderr, "%s: status %d: %s\n", method, result.status,
                    result.message);
        }
    } else {
        result.status = GRPC_STATUS_INTERNAL;
    }
    muster_call_destroy(call);
    return result.status == GRPC_STATUS_OK ? 0 : -1;
}

int main(int argc, char **argv)
{
    muster_channel *channel;
    muster_error err;
    grpc_slice text;
    grpc_byte_buffer *request;
    int times;
    int failed = 0;

    if (argc < 4) {
        fprintf(stderr, "usage: %s TARGET METHOD TEXT [TIMES]\n", argv[0]);
        return 2;
    }
    if (muster_grpc_channel_create(argv[1], NULL, NULL, &channel, &err) !=
        MUSTER_OK) {
        fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    text = grpc_slice_from_copied_string(argv[3]);
    request = grpc_raw_byte_buffer_create(&text, 1);
    times = argc > 4 ? atoi(argv[4]) : 1;
    for (int i = 0; i < times; i++) {
        failed |= make_call(channel, argv[2], request);
    }
    grpc_byte_buffer_destroy(request);
    grpc_slice_unref(text);
    muster_channel_destroy(channel);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
