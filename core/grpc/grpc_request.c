/* SPDX-License-Identifier: Apache-2.0 */
/* Refers to the slices of a request, and hands them out as byte buffers. */
#include "grpc_request.h"

#include <stdlib.h>

#include "buffers.h"

static grpc_slice *own_slices(muster__grpc_request *request)
{
    return request->more != NULL ? request->more : request->inlined;
}

void muster__grpc_request_borrow(muster__grpc_request *request,
                                 const grpc_byte_buffer *buffer)
{
    request->borrowed = buffer;
    request->length = muster__byte_buffer_length(buffer);
}

/* Room for as many slices as the buffer has. */
static bool make_room(muster__grpc_request *request, size_t n_slices)
{
    if (n_slices <= MUSTER__GRPC_REQUEST_N_INLINED) {
        return true;
    }
    request->more = malloc(n_slices * sizeof *request->more);
    return request->more != NULL;
}

bool muster__grpc_request_keep(muster__grpc_request *request,
                               const grpc_byte_buffer *buffer)
{
    if (buffer == NULL) {
        return true;
    }
    if (!make_room(request, buffer->data.raw.slice_buffer.count)) {
        return false;
    }
    for (size_t i = 0; i < buffer->data.raw.slice_buffer.count; i++) {
        own_slices(request)[i] =
            grpc_slice_ref(buffer->data.raw.slice_buffer.slices[i]);
    }
    request->n_slices = buffer->data.raw.slice_buffer.count;
    request->length = buffer->data.raw.slice_buffer.length;
    request->compression = buffer->data.raw.compression;
    return true;
}

void muster__grpc_request_fini(muster__grpc_request *request)
{
    for (size_t i = 0; i < request->n_slices; i++) {
        grpc_slice_unref(own_slices(request)[i]);
    }
    free(request->more);
}

grpc_byte_buffer *muster__grpc_request_give(const muster__grpc_request *request)
{
    if (request->borrowed != NULL) {
        return muster__byte_buffer_copy(request->borrowed);
    }
    /* It refers to the slices, and changes none. */
    return grpc_raw_compressed_byte_buffer_create(
        own_slices((muster__grpc_request *)(uintptr_t)request),
        request->n_slices, request->compression);
}
