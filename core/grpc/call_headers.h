/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of a call as policies see them: a name, a text. */
#ifndef MUSTER_CORE_GRPC_CALL_HEADERS_H
#define MUSTER_CORE_GRPC_CALL_HEADERS_H

#include <stddef.h>

#include <grpc/grpc.h>

/* A header that was asked for. All zero: none was. */
typedef struct muster__call_header muster__call_header;

/* Several values of one name are joined with commas (gRFC A76). NULL: there is
 * none of that name, or no memory. It stays until muster__call_headers_fini(),
 * for which *found has it. Thread: one at a time. */
const char *muster__call_headers_find(muster__call_header **found,
                                      const grpc_metadata *metadata, size_t n,
                                      const char *name);
void muster__call_headers_fini(muster__call_header *found);

#endif
