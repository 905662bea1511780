/* SPDX-License-Identifier: Apache-2.0 */
/* What a call sends, and what it got, as bytes and as text. */
#ifndef MUSTER_TOOLS_CALL_MESSAGE_H
#define MUSTER_TOOLS_CALL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <jansson.h>

/* What TEXT of --data means: "@FILE" the file's bytes ("@-": stdin's), anything
 * else itself. The caller's; NULL, with errno. */
grpc_byte_buffer *message_of_data(const char *text);

/* Of hexadecimal digits, between which there may be spaces and colons. The
 * caller's; NULL: text is something else. */
grpc_byte_buffer *message_of_hex(const char *text);

/* The bytes of message, which may be NULL: none. */
grpc_slice message_bytes(grpc_byte_buffer *message);

/* As digits; as text, or null when they are not printable UTF-8 in one line.
 * New references, NULL when out of memory. */
json_t *message_hex(grpc_slice bytes);
json_t *message_text(grpc_slice bytes);

/* "KEY: VALUE" as a header. Of a KEY that ends in "-bin" the value is in
 * base64, as gRPC has it on the wire. The slices are the caller's. False: text
 * is none. */
bool message_header(const char *text, grpc_metadata *ret_header);

#endif
