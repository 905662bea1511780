/* SPDX-License-Identifier: Apache-2.0 */
/* Sends each line of its input as a message of one stream, and prints each
 * message that comes, until the server has ended the stream:
 *   chat_client TARGET METHOD */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>
#include <muster/grpc.h>

static grpc_byte_buffer *message_of(const char *line)
{
    grpc_slice text = grpc_slice_from_copied_buffer(line, strcspn(line, "\n"));
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&text, 1);

    grpc_slice_unref(text);
    return message;
}

static void print(grpc_byte_buffer *message)
{
    grpc_byte_buffer_reader reader;
    grpc_slice text;

    if (!grpc_byte_buffer_reader_init(&reader, message)) {
        return;
    }
    text = grpc_byte_buffer_reader_readall(&reader);
    printf("%.*s\n", (int)GRPC_SLICE_LENGTH(text),
           (const char *)GRPC_SLICE_START_PTR(text));
    fflush(stdout);
    grpc_slice_unref(text);
    grpc_byte_buffer_reader_destroy(&reader);
}

/* Until the input ends, or the stream does. */
static void *write_lines(void *arg)
{
    muster_call *call = arg;
    muster_status status = MUSTER_OK;
    char line[4096];

    while (status == MUSTER_OK && fgets(line, sizeof line, stdin) != NULL) {
        grpc_byte_buffer *message = message_of(line);

        status = muster_call_write(call, message, 0);
        grpc_byte_buffer_destroy(message);
    }
    (void)muster_call_write(call, NULL, MUSTER_SEND_LAST);
    return NULL;
}

static void read_messages(muster_call *call)
{
    grpc_byte_buffer *message = NULL;

    while (muster_call_read(call, &message) == MUSTER_OK && message != NULL) {
        print(message);
        grpc_byte_buffer_destroy(message);
    }
}

/* The status of the stream. */
static int chat(muster_call *call)
{
    muster_call_result result = {.struct_size = sizeof result};
    pthread_t writer;

    if (muster_call_open(call, NULL) != MUSTER_OK) {
        return EXIT_FAILURE;
    }
    if (pthread_create(&writer, NULL, write_lines, call) != 0) {
        muster_call_cancel(call);
        (void)muster_call_wait(call);
        return EXIT_FAILURE;
    }
    read_messages(call);
    (void)muster_call_wait(call);
    (void)pthread_join(writer, NULL);
    muster_call_get_result(call, &result);
    if (result.status != GRPC_STATUS_OK) {
        fprintf(stderr, "status %d: %s\n", result.status, result.message);
    }
    return (int)result.status;
}

int main(int argc, char **argv)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = MUSTER_CALL_WAIT_FOR_READY};
    muster_channel *channel;
    muster_call *call;
    muster_error err;
    int status = EXIT_FAILURE;

    if (argc != 3) {
        fprintf(stderr, "usage: %s TARGET METHOD\n", argv[0]);
        return 2;
    }
    if (muster_grpc_channel_create(argv[1], NULL, NULL, &channel, &err) !=
        MUSTER_OK) {
        fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    if (muster_call_create(channel, argv[2], &options, &call, &err) ==
        MUSTER_OK) {
        status = chat(call);
        muster_call_destroy(call);
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    muster_channel_destroy(channel);
    return status;
}
