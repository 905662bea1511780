/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from text and back. */
#include "message.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>

#include "../../core/grpc/base64.h"
#include "../file.h"

/* ---- what is sent ---- */

static grpc_byte_buffer *wrap(const char *bytes, size_t size)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes, size);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    return message;
}

grpc_byte_buffer *message_of_data(const char *text)
{
    grpc_byte_buffer *message;
    size_t size = 0;
    char *bytes;

    if (text[0] != '@') {
        return wrap(text, strlen(text));
    }
    bytes = file_read(text + 1, &size);
    if (bytes == NULL) {
        return NULL;
    }
    message = wrap(bytes, size);
    free(bytes);
    return message;
}

/* -1: it is none. */
static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, tolower((int)c & 0xff));

    return at == NULL ? -1 : (int)(at - digits);
}

grpc_byte_buffer *message_of_hex(const char *text)
{
    char *bytes = malloc(strlen(text) / 2 + 1);
    size_t n_digits = 0;
    bool is_good = bytes != NULL;
    grpc_byte_buffer *message = NULL;

    for (; is_good && *text != '\0'; text++) {
        int digit = digit_of(*text);

        if (digit >= 0) {
            int high = n_digits % 2 == 0 ? 0 : bytes[n_digits / 2] << 4;

            bytes[n_digits++ / 2] = (char)(high | digit);
        } else {
            is_good = *text == ' ' || *text == ':';
        }
    }
    if (is_good && n_digits % 2 == 0) {
        message = wrap(bytes, n_digits / 2);
    }
    free(bytes);
    return message;
}

/* ---- what has come ---- */

grpc_slice message_bytes(grpc_byte_buffer *message)
{
    grpc_byte_buffer_reader reader;
    grpc_slice bytes;

    if (message == NULL || !grpc_byte_buffer_reader_init(&reader, message)) {
        return grpc_empty_slice();
    }
    bytes = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return bytes;
}

json_t *message_hex(grpc_slice bytes)
{
    const size_t n = GRPC_SLICE_LENGTH(bytes);
    char *text = malloc(2 * n + 1);
    json_t *value;

    if (text == NULL) {
        return NULL;
    }
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        (void)sprintf(text + 2 * i, "%02x", GRPC_SLICE_START_PTR(bytes)[i]);
    }
    value = json_string(text);
    free(text);
    return value;
}

/* Bytes over 127 are left to json_stringn(), which takes UTF-8 only. */
static bool is_printable(grpc_slice bytes)
{
    for (size_t i = 0; i < GRPC_SLICE_LENGTH(bytes); i++) {
        const uint8_t byte = GRPC_SLICE_START_PTR(bytes)[i];

        if (byte < ' ' || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

json_t *message_text(grpc_slice bytes)
{
    json_t *value = NULL;

    if (is_printable(bytes)) {
        value = json_stringn((const char *)GRPC_SLICE_START_PTR(bytes),
                             GRPC_SLICE_LENGTH(bytes));
    }
    return value != NULL ? value : json_null();
}

/* ---- headers ---- */

/* With padding or without, as gRPC's PROTOCOL-HTTP2.md has it. */
static bool decode(const char *text, grpc_slice *ret_bytes)
{
    const char *end = text;
    grpc_slice bytes = grpc_slice_malloc(strlen(text));
    size_t n = muster__base64_decode(text, GRPC_SLICE_START_PTR(bytes),
                                     GRPC_SLICE_LENGTH(bytes), &end);

    *ret_bytes = grpc_slice_sub(bytes, 0, n);
    grpc_slice_unref(bytes);
    return end[strspn(end, "=")] == '\0';
}

bool message_header(const char *text, grpc_metadata *ret_header)
{
    size_t n_key = strcspn(text, ":");
    const char *value = text + n_key;
    grpc_slice key = grpc_slice_from_copied_buffer(text, n_key);
    bool is_good = *value == ':';

    for (size_t i = 0; i < n_key; i++) {
        uint8_t *at = &GRPC_SLICE_START_PTR(key)[i];

        *at = (uint8_t)tolower(*at);
    }
    value += is_good ? 1 + strspn(value + 1, " ") : 0;
    memset(ret_header, 0, sizeof *ret_header);
    ret_header->key = key;
    if (is_good && grpc_is_binary_header(key)) {
        is_good = decode(value, &ret_header->value);
    } else {
        ret_header->value = grpc_slice_from_copied_string(value);
        is_good = is_good &&
                  grpc_header_nonbin_value_is_legal(ret_header->value) != 0;
    }
    return is_good && grpc_header_key_is_legal(key) != 0;
}
