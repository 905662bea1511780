/* SPDX-License-Identifier: Apache-2.0 */
/* What a call sends whole, kept for all of its attempts: C core empties what it
 * sends. Not as a byte buffer of its own: making and destroying one costs more
 * than a pick. */
#ifndef MUSTER_CORE_GRPC_REQUEST_H
#define MUSTER_CORE_GRPC_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <grpc/byte_buffer.h>

enum { MUSTER__GRPC_REQUEST_N_INLINED = 2 };

/* All zero: an empty message. */
typedef struct muster__grpc_request {
    const grpc_byte_buffer *borrowed; /* or NULL */
    grpc_slice *more;                 /* instead of inlined; or NULL */
    size_t n_slices;                  /* of its own */
    uint64_t length;
    grpc_compression_algorithm compression;
    grpc_slice inlined[MUSTER__GRPC_REQUEST_N_INLINED];
} muster__grpc_request;

/* Of a request that is all zero; buffer may be NULL. Borrowed until fini, or
 * not: then its slices are referred to. False: no memory, and it is empty. */
void muster__grpc_request_borrow(muster__grpc_request *request,
                                 const grpc_byte_buffer *buffer);
bool muster__grpc_request_keep(muster__grpc_request *request,
                               const grpc_byte_buffer *buffer);
void muster__grpc_request_fini(muster__grpc_request *request);

/* For C core; to be given to grpc_byte_buffer_destroy(). Thread: any. */
grpc_byte_buffer *
muster__grpc_request_give(const muster__grpc_request *request);

#endif
