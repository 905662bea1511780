/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of any shape arrive, also when they are destroyed at once. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "calling.h"
#include "grpc_request.h"

enum { MAX_SLICES = 5 };

static const char *const words[MAX_SLICES] = {
    "of a length that no slice has inside of itself, so it is referred to, ",
    "short, ", "", "another that is long enough to be allocated elsewhere, ",
    "end"};

/* Of the first words, each a slice that goes with the last who refers to it. */
static grpc_byte_buffer *buffer_of_words(size_t n)
{
    grpc_slice slices[MAX_SLICES];
    grpc_byte_buffer *buffer;

    for (size_t i = 0; i < n; i++) {
        slices[i] = grpc_slice_from_copied_string(words[i]);
    }
    buffer = grpc_raw_byte_buffer_create(slices, n);
    for (size_t i = 0; i < n; i++) {
        grpc_slice_unref(slices[i]);
    }
    return buffer;
}

static void expect_words(grpc_byte_buffer *buffer, size_t n, const char *before)
{
    char wanted[256];
    char *text = text_of(buffer);

    (void)strcpy(wanted, before);
    for (size_t i = 0; i < n; i++) {
        (void)strcat(wanted, words[i]);
    }
    cr_expect_str_eq(text, wanted, "%zu slices: %s", n, text);
    free(text);
}

Test(request, of_a_queued_call_is_kept_while_that_lasts)
{
    muster_call_queue *queue = make_queue();
    muster_call_event event;
    muster_channel *channel;
    backend server;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    for (size_t n = 0; n <= MAX_SLICES; n++) {
        muster_call *call = make_call(channel, &patient);
        grpc_byte_buffer *buffer = buffer_of_words(n);

        cr_assert_eq(muster_call_start_unary(call, buffer, queue, NULL),
                     MUSTER_OK);
        grpc_byte_buffer_destroy(buffer);
        cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                     MUSTER_OK);
        cr_expect_eq(result_of(call).status, GRPC_STATUS_OK);
        expect_words(result_of(call).response, n,
                     ":"); /* the server has no name */
        muster_call_destroy(call);
    }
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(request, is_handed_out_as_often_as_it_is_asked_for)
{
    for (size_t n = 0; n <= MAX_SLICES; n++) {
        muster__grpc_request request = {0};
        grpc_byte_buffer *buffer = buffer_of_words(n);

        cr_assert(muster__grpc_request_keep(&request, buffer));
        cr_expect_eq(request.length, grpc_byte_buffer_length(buffer));
        grpc_byte_buffer_destroy(buffer);
        for (int i = 0; i < 2; i++) {
            grpc_byte_buffer *given = muster__grpc_request_give(&request);

            expect_words(given, n, "");
            grpc_byte_buffer_destroy(given);
        }
        muster__grpc_request_fini(&request);
    }
}

Test(request, keeps_what_it_is_said_to_be_compressed_with)
{
    grpc_slice slice = grpc_slice_from_static_string("not really");
    grpc_byte_buffer *buffer =
        grpc_raw_compressed_byte_buffer_create(&slice, 1, GRPC_COMPRESS_GZIP);
    muster__grpc_request kept = {0};
    muster__grpc_request borrowed = {0};
    grpc_byte_buffer *given;

    cr_assert(muster__grpc_request_keep(&kept, buffer));
    given = muster__grpc_request_give(&kept);
    cr_expect_eq(given->data.raw.compression, GRPC_COMPRESS_GZIP);
    grpc_byte_buffer_destroy(given);
    muster__grpc_request_borrow(&borrowed, buffer);
    given = muster__grpc_request_give(&borrowed);
    cr_expect_eq(given->data.raw.compression, GRPC_COMPRESS_GZIP);
    grpc_byte_buffer_destroy(given);
    muster__grpc_request_fini(&borrowed);
    muster__grpc_request_fini(&kept);
    grpc_byte_buffer_destroy(buffer);
}

Test(request, may_be_none)
{
    muster__grpc_request request = {0};
    grpc_byte_buffer *given;

    cr_assert(muster__grpc_request_keep(&request, NULL));
    given = muster__grpc_request_give(&request);
    cr_expect_eq(grpc_byte_buffer_length(given), 0);
    grpc_byte_buffer_destroy(given);
    muster__grpc_request_fini(&request);
}
