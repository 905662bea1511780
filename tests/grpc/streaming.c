/* SPDX-License-Identifier: Apache-2.0 */
/* Streams for the tests. */
#include "streaming.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

enum { MAX_HEADERS = 4 };

static size_t add_headers(grpc_metadata *items, const char *const *headers)
{
    size_t n = 0;

    memset(items, 0, MAX_HEADERS * sizeof *items);
    for (; headers != NULL && headers[2 * n] != NULL; n++) {
        items[n].key = grpc_slice_from_copied_string(headers[2 * n]);
        items[n].value = grpc_slice_from_copied_string(headers[2 * n + 1]);
    }
    return n;
}

muster_call *make_stream(muster_channel *channel, const char *const *headers,
                         uint64_t deadline_ns)
{
    grpc_metadata items[MAX_HEADERS];
    muster_call_options options = patient;
    muster_call *call = NULL;
    muster_error err;

    options.deadline_ns = deadline_ns;
    options.metadata = items;
    options.n_metadata = add_headers(items, headers);
    cr_assert_eq(
        muster_call_create(channel, STREAM_METHOD, &options, &call, &err),
        MUSTER_OK, "%s", err.message);
    for (size_t i = 0; i < options.n_metadata; i++) {
        free_header(&items[i]);
    }
    return call;
}

/* The number, then bytes that hang on it. */
static void fill(uint8_t *bytes, uint64_t number, size_t size)
{
    memcpy(bytes, &number, sizeof number);
    for (size_t i = sizeof number; i < size; i++) {
        bytes[i] = (uint8_t)(number + i);
    }
}

grpc_byte_buffer *message_of(uint64_t number, size_t size)
{
    grpc_slice slice = grpc_slice_malloc(size);
    grpc_byte_buffer *message;

    fill(GRPC_SLICE_START_PTR(slice), number, size);
    message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return message;
}

bool is_message(grpc_byte_buffer *message, uint64_t number, size_t size)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    uint8_t *expected;
    bool is_same;

    if (message == NULL || !grpc_byte_buffer_reader_init(&reader, message)) {
        return false;
    }
    slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(message);
    expected = malloc(size);
    cr_assert_not_null(expected);
    fill(expected, number, size);
    is_same = GRPC_SLICE_LENGTH(slice) == size &&
              memcmp(GRPC_SLICE_START_PTR(slice), expected, size) == 0;
    free(expected);
    grpc_slice_unref(slice);
    return is_same;
}

void open_stream(muster_call *call, grpc_byte_buffer *request,
                 muster_call_queue *queue)
{
    cr_assert_eq(muster_call_start_stream(call, request, queue, call),
                 MUSTER_OK);
    grpc_byte_buffer_destroy(request);
}

void send_message(muster_call *call, grpc_byte_buffer *message, uint32_t flags)
{
    cr_assert_eq(muster_call_send(call, message, flags, call), MUSTER_OK);
    grpc_byte_buffer_destroy(message);
}

void receive_message(muster_call *call)
{
    cr_assert_eq(muster_call_receive(call, call), MUSTER_OK);
}

muster_call_event await_event(muster_call_queue *queue, muster_call *call,
                              muster_call_event_kind kind)
{
    muster_call_event event;

    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    cr_assert_eq(event.call, call);
    cr_assert_eq(event.tag, call);
    cr_assert_eq(event.kind, kind, "%d, not %d", (int)event.kind, (int)kind);
    return event;
}

muster_call_result await_end(muster_call_queue *queue, muster_call *call)
{
    (void)await_event(queue, call, MUSTER_CALL_ENDED);
    return result_of(call);
}

void say_hello(muster_call_queue *queue, muster_call *call)
{
    muster_call_event event;
    char *text;

    send_message(call, buffer_of("hello"), 0);
    cr_assert(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
    receive_message(call);
    event = await_event(queue, call, MUSTER_CALL_RECEIVED);
    cr_assert(event.is_ok);
    text = text_of(event.message);
    cr_assert_str_eq(text, "hello");
    free(text);
    grpc_byte_buffer_destroy(event.message);
}
