/* SPDX-License-Identifier: Apache-2.0 */
/* Asks C core why a channel does not connect: connectivity states carry no
 * reason, but a fail-fast call fails with it, without leaving the process. */
#ifndef MUSTER_CORE_GRPC_PROBE_H
#define MUSTER_CORE_GRPC_PROBE_H

#include <stdint.h>

#include <grpc/grpc.h>

/* Embedded in what asks; used again when it has been finished. */
typedef struct muster__grpc_probe {
    grpc_completion_queue_functor completion; /* first */
    grpc_call *call;
    grpc_status_code status;
    grpc_slice details;
    grpc_metadata_array trailing;
} muster__grpc_probe;

/* done is called once, on a thread of C core's. A channel that has not tried to
 * connect does so, and fails within timeout_ms. Thread: any. */
void muster__grpc_probe_start(muster__grpc_probe *probe, grpc_channel *channel,
                              int64_t timeout_ms,
                              void (*done)(grpc_completion_queue_functor *self,
                                           int ok));

/* What C core said; the caller's, for gpr_free(). To be called once, after
 * done. */
char *muster__grpc_probe_finish(muster__grpc_probe *probe);

#endif
