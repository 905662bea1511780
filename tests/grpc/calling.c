/* SPDX-License-Identifier: Apache-2.0 */
/* Channels and calls for the tests. */
#include "calling.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

#include "file_replace.h"

uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

muster_channel *open_channel(const char *format, ...)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .initial_backoff_ms = 50,
                                      .max_backoff_ms = 100};
    muster_channel *channel = NULL;
    muster_error err;
    char target[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(target, sizeof target, format, args);
    va_end(args);
    cr_assert_eq(
        muster_grpc_channel_create(target, &options, NULL, &channel, &err),
        MUSTER_OK, "%s", err.message);
    return channel;
}

muster_call *make_call(muster_channel *channel,
                       const muster_call_options *options)
{
    muster_call *call = NULL;
    muster_error err;

    cr_assert_eq(muster_call_create(channel, METHOD, options, &call, &err),
                 MUSTER_OK, "%s", err.message);
    return call;
}

grpc_byte_buffer *buffer_of(const char *text)
{
    grpc_slice slice = grpc_slice_from_copied_string(text);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    return buffer;
}

char *text_of(grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    char *text;

    if (buffer == NULL || !grpc_byte_buffer_reader_init(&reader, buffer)) {
        return strdup("(nothing)");
    }
    slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    text = strndup((const char *)GRPC_SLICE_START_PTR(slice),
                   GRPC_SLICE_LENGTH(slice));
    grpc_slice_unref(slice);
    return text;
}

muster_call_result result_of(const muster_call *call)
{
    muster_call_result result = {.struct_size = sizeof result};

    muster_call_get_result(call, &result);
    return result;
}

const muster_call_options patient = {.struct_size = sizeof patient,
                                     .flags = MUSTER_CALL_WAIT_FOR_READY};

grpc_status_code ask(muster_channel *channel, const char *text,
                     const muster_call_options *options, char **ret_answer)
{
    muster_call *call = make_call(channel, options);
    grpc_byte_buffer *request = buffer_of(text);
    muster_call_result result;

    cr_assert_eq(muster_call_unary(call, request), MUSTER_OK);
    grpc_byte_buffer_destroy(request);
    result = result_of(call);
    if (ret_answer != NULL) {
        *ret_answer = result.status == GRPC_STATUS_OK ? text_of(result.response)
                                                      : strdup(result.message);
    }
    muster_call_destroy(call);
    return result.status;
}

static grpc_metadata header(const char *key, const char *value)
{
    grpc_metadata item;

    memset(&item, 0, sizeof item);
    item.key = grpc_slice_from_copied_string(key);
    item.value = grpc_slice_from_copied_string(value);
    return item;
}

const grpc_metadata *find(const grpc_metadata_array *array, const char *key)
{
    for (size_t i = 0; i < array->count; i++) {
        if (grpc_slice_str_cmp(array->metadata[i].key, key) == 0) {
            return &array->metadata[i];
        }
    }
    return NULL;
}

muster_call_options with_header(grpc_metadata *item, const char *key,
                                const char *value)
{
    muster_call_options options = patient;

    *item = header(key, value);
    options.metadata = item;
    options.n_metadata = 1;
    return options;
}

void free_header(grpc_metadata *item)
{
    grpc_slice_unref(item->key);
    grpc_slice_unref(item->value);
}

muster_call_queue *make_queue(void)
{
    muster_call_queue *queue = NULL;
    muster_error err;

    cr_assert_eq(muster_call_queue_create(&queue, &err), MUSTER_OK, "%s",
                 err.message);
    return queue;
}

void write_list(const char *path, const char *address)
{
    cr_assert(file_replace(path, "%s\n", address), "%s", strerror(errno));
}
