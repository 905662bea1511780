/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648, section 4), read. */
#ifndef MUSTER_CORE_GRPC_BASE64_H
#define MUSTER_CORE_GRPC_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Decodes text into data, at most size bytes, as far as a character that is
 * neither of the alphabet nor white; that is *ret_end. Answers how many bytes
 * there are. Thread: any. */
size_t muster__base64_decode(const char *text, uint8_t *data, size_t size,
                             const char **ret_end);

#endif
