/* SPDX-License-Identifier: Apache-2.0 */
/* Calls over channels of plain C core, without muster. What cannot be set up
 * ends the process. */
#ifndef MUSTER_TESTS_CORE_CALL_H
#define MUSTER_TESTS_CORE_CALL_H

#include <stddef.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

enum { CORE_MAX_ARGUMENTS = 16 };

/* A unary call, and what came of it. */
typedef struct core_call {
    grpc_call *call;
    grpc_byte_buffer *request;
    grpc_byte_buffer *response; /* NULL: none */
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice details;
} core_call;

/* A channel with C core's own round_robin, to be destroyed by C core's own
 * function. credentials may be NULL: plaintext. Borrows all of it. */
grpc_channel *core_channel_create(const char *target,
                                  grpc_channel_credentials *credentials,
                                  const grpc_arg *arguments,
                                  size_t n_arguments);

/* Starts a call that waits for READY. The event of queue that ends it has the
 * address of self for its tag. Borrows all of it but self, headers to the end
 * of the call; request may be NULL: an empty one. */
void core_call_start(core_call *self, grpc_channel *channel,
                     grpc_completion_queue *queue, const char *method,
                     grpc_byte_buffer *request, grpc_metadata *headers,
                     size_t n_headers, gpr_timespec deadline);

/* After the event. */
void core_call_fini(core_call *self);

/* When all events have come, or to drop them. */
void core_queue_destroy(grpc_completion_queue *queue);

#endif
