/* SPDX-License-Identifier: Apache-2.0 */
/* What C core does not change of a byte buffer, though it does not say so; NULL
 * stands for none. */
#ifndef MUSTER_CORE_GRPC_BUFFERS_H
#define MUSTER_CORE_GRPC_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#include <grpc/byte_buffer.h>

static inline uint64_t
muster__byte_buffer_length(const grpc_byte_buffer *buffer)
{
    return buffer == NULL
               ? 0
               : grpc_byte_buffer_length((grpc_byte_buffer *)(uintptr_t)buffer);
}

/* For grpc_byte_buffer_destroy(); NULL stays NULL. */
static inline grpc_byte_buffer *
muster__byte_buffer_copy(const grpc_byte_buffer *buffer)
{
    return buffer == NULL
               ? NULL
               : grpc_byte_buffer_copy((grpc_byte_buffer *)(uintptr_t)buffer);
}

#endif
