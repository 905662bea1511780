/* SPDX-License-Identifier: Apache-2.0 */
#include "row.h"

#include <status_code_name.h>

#include "../../core/grpc/health_message.h"
#include "../model.h"
#include "message.h"

const output_column row_columns[] = {
    {"ENDPOINT", "endpoint", 0},
    {"STATUS", "status", 0},
    {"ATTEMPTS", "attempts", 0},
    {"LATENCY-MS", "latency_ms", 0},
    {"BYTES", "response_bytes", 0},
    {"RESPONSE", "response", 0},
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

static json_t *response_of(grpc_byte_buffer *response, grpc_slice bytes,
                           bool is_health)
{
    json_t *text;

    if (response == NULL) {
        return json_null();
    }
    if (is_health) {
        return json_string(
            muster__grpc_health_name(muster__grpc_health_status(response)));
    }
    text = message_text(bytes);
    return json_is_null(text) ? message_hex(bytes) : text;
}

json_t *row_of_call(muster_call *call, const muster_call_result *result,
                    bool is_health)
{
    grpc_slice bytes = message_bytes(result->response);
    json_t *row = json_pack(
        "{s:o, s:s, s:i, s:o, s:i, s:f, s:I, s:o, s:o, s:o, s:o}", "endpoint",
        model_text(muster_call_peer(call)), "status",
        muster__status_code_name((int)result->status), "code",
        (int)result->status, "message",
        result->status == GRPC_STATUS_OK ? json_null()
                                         : model_text(result->message),
        "attempts", (int)result->n_attempts, "latency_ms",
        (double)(result->latency_ns / 1000) / 1000, "response_bytes",
        (json_int_t)GRPC_SLICE_LENGTH(bytes), "response",
        response_of(result->response, bytes, is_health), "response_hex",
        result->response == NULL ? json_null() : message_hex(bytes),
        "initial_metadata", metadata_of(result->initial_metadata),
        "trailing_metadata", metadata_of(result->trailing_metadata));

    grpc_slice_unref(bytes);
    return row;
}
