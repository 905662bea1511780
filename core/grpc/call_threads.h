/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take the events out of a queue and hand them to a function. */
#ifndef MUSTER_CORE_GRPC_CALL_THREADS_H
#define MUSTER_CORE_GRPC_CALL_THREADS_H

#include <muster/grpc.h>

typedef struct muster__call_threads muster__call_threads;

/* Takes over queue, which nobody else takes events from, unless it fails.
 * MUSTER_NOMEM. */
muster_status muster__call_threads_create(muster_call_queue *queue,
                                          uint32_t n_threads,
                                          muster_call_event_fn fn, void *arg,
                                          muster__call_threads **ret_threads);

/* The queue is shut down. Waits until its events are told, and frees it; on one
 * of the threads itself it waits for nothing, and the last of them frees it. */
void muster__call_threads_destroy(muster__call_threads *threads);

#endif
