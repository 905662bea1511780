/* SPDX-License-Identifier: Apache-2.0 */
#include "row.h"

#include <status_code_name.h>

#include "../../core/grpc/health_message.h"
#include "../model.h"
#include "message.h"

enum { MAX_PREVIEW = 40 };

const output_column row_columns[] = {
    {"ENDPOINT", "endpoint", 0},
    {"STATUS", "status", 0},
    {"ATTEMPTS", "attempts", 0},
    {"LATENCY-MS", "latency_ms", 0},
    {"BYTES", "response_bytes", 0},
    {"RESPONSE", "preview", 0},
    {NULL, NULL, 0},
};

const char *const row_name[] = {"endpoint", NULL};

static json_t *metadata_of(const grpc_metadata_array *metadata)
{
    json_t *list = json_array();

    for (size_t i = 0; metadata != NULL && i < metadata->count; i++) {
        const grpc_metadata *item = &metadata->metadata[i];
        const bool is_binary = grpc_is_binary_header(item->key) != 0;
        json_t *value =
            is_binary ? message_hex(item->value) : message_text(item->value);

        (void)json_array_append_new(
            list, json_pack("{s:o, s:o}", "key", message_text(item->key),
                            is_binary ? "value_hex" : "value", value));
    }
    return list;
}

/* What fits into a table: text, else hexadecimal digits. */
static json_t *preview_of(grpc_slice bytes)
{
    size_t n = GRPC_SLICE_LENGTH(bytes);
    const bool is_long = n > MAX_PREVIEW;
    grpc_slice start;
    json_t *whole;
    json_t *preview;

    if (is_long) { /* not within a character of UTF-8 */
        n = MAX_PREVIEW;
        while (n > 0 && (GRPC_SLICE_START_PTR(bytes)[n] & 0xc0) == 0x80) {
            n--;
        }
    }
    start = grpc_slice_sub_no_ref(bytes, 0, n);
    whole = message_text(start);
    if (json_is_null(whole)) {
        whole = message_hex(start);
    }
    preview =
        json_sprintf("%s%s", json_string_value(whole), is_long ? "..." : "");
    json_decref(whole);
    return preview;
}

static json_t *response_of(grpc_byte_buffer *response, grpc_slice bytes,
                           bool is_health)
{
    return is_health ? json_string(muster__grpc_health_name(
                           muster__grpc_health_status(response)))
                     : message_text(bytes);
}

/* Of a call without a response there is none of it. */
static void add_response(json_t *row, grpc_byte_buffer *response,
                         bool is_health)
{
    grpc_slice bytes = message_bytes(response);
    json_t *text;

    if (response == NULL) {
        return;
    }
    text = response_of(response, bytes, is_health);
    (void)json_object_set_new(
        row, "response_bytes",
        json_integer((json_int_t)GRPC_SLICE_LENGTH(bytes)));
    (void)json_object_set(row, "response", text);
    (void)json_object_set_new(row, "response_hex", message_hex(bytes));
    (void)json_object_set_new(
        row, "preview", is_health ? json_incref(text) : preview_of(bytes));
    json_decref(text);
    grpc_slice_unref(bytes);
}

json_t *row_of_call(muster_call *call, const muster_call_result *result,
                    bool is_health)
{
    json_t *row = json_pack(
        "{s:o, s:s, s:i, s:o, s:i, s:f, s:n, s:n, s:n, s:n, s:o, s:o}",
        "endpoint", model_text(muster_call_peer(call)), "status",
        muster__status_code_name((int)result->status), "code",
        (int)result->status, "message",
        result->status == GRPC_STATUS_OK ? json_null()
                                         : model_text(result->message),
        "attempts", (int)result->n_attempts, "latency_ms",
        (double)(result->latency_ns / 1000) / 1000, "response_bytes",
        "response", "response_hex", "preview", "initial_metadata",
        metadata_of(result->initial_metadata), "trailing_metadata",
        metadata_of(result->trailing_metadata));

    add_response(row, result->response, is_health);
    return row;
}

json_t *row_of_message(muster_call *call, int number, grpc_byte_buffer *message)
{
    json_t *row = json_pack("{s:i, s:o}", "number", number, "endpoint",
                            model_text(muster_call_peer(call)));

    add_response(row, message, false);
    return row;
}
