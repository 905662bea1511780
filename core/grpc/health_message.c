/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol buffers, as much of them as grpc.health.v1 needs. */
#include "health_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

/* Types of fields on the wire; the rest are groups, which nothing has. */
enum { VARINT = 0, FIXED_64 = 1, BYTES = 2, FIXED_32 = 5 };

/* Field 1, of which the request's is a string and the response's a number. */
enum { FIELD = 1, TAG_OF_STRING = FIELD << 3 | BYTES, MAX_VARINT = 10 };

grpc_byte_buffer *muster__grpc_health_request(const char *service)
{
    const size_t length = strlen(service);
    uint8_t head[1 + MAX_VARINT];
    size_t n = 0;
    grpc_slice slice;
    grpc_byte_buffer *message;

    if (length > 0) { /* an empty field is left out */
        head[n++] = TAG_OF_STRING;
        for (size_t rest = length; rest > 0; rest >>= 7) {
            head[n++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
        }
    }
    slice = grpc_slice_malloc(n + length);
    if (length > 0) {
        memcpy(GRPC_SLICE_START_PTR(slice), head, n);
        memcpy(GRPC_SLICE_START_PTR(slice) + n, service, length);
    }
    message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return message;
}

/* What is left to read. */
typedef struct input {
    const uint8_t *at;
    const uint8_t *end;
} input;

static bool read_varint(input *in, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < MAX_VARINT && in->at < in->end; i++) {
        const uint8_t byte = *in->at++;

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* The content of a field that is of no interest. */
static bool skip(input *in, unsigned type)
{
    uint64_t length = 0;

    if (type == VARINT) {
        return read_varint(in, &length);
    }
    if (type == BYTES) {
        if (!read_varint(in, &length)) {
            return false;
        }
    } else if (type == FIXED_64) {
        length = 8;
    } else if (type == FIXED_32) {
        length = 4;
    } else {
        return false;
    }
    if (length > (uint64_t)(in->end - in->at)) {
        return false;
    }
    in->at += length;
    return true;
}

/* The last one counts; none is 0, the default. */
static bool read_response(input *in, uint64_t *ret_status)
{
    *ret_status = 0;
    while (in->at < in->end) {
        uint64_t tag;
        bool is_good = read_varint(in, &tag);

        if (is_good && tag == (FIELD << 3 | VARINT)) {
            is_good = read_varint(in, ret_status);
        } else if (is_good) {
            is_good = skip(in, (unsigned)(tag & 7));
        }
        if (!is_good) {
            return false;
        }
    }
    return true;
}

int muster__grpc_health_status(grpc_byte_buffer *message)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    input in;
    uint64_t status;
    bool is_good;

    if (!grpc_byte_buffer_reader_init(&reader, message)) {
        return -1;
    }
    slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    in.at = GRPC_SLICE_START_PTR(slice);
    in.end = in.at + GRPC_SLICE_LENGTH(slice);
    is_good = read_response(&in, &status);
    grpc_slice_unref(slice);
    return is_good && status <= INT32_MAX ? (int)status : -1;
}

const char *muster__grpc_health_name(int status)
{
    static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING",
                                        "SERVICE_UNKNOWN"};

    return status >= 0 && (size_t)status < sizeof names / sizeof names[0]
               ? names[status]
               : "an answer that is not understood";
}
