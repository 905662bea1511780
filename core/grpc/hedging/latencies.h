/* SPDX-License-Identifier: Apache-2.0 */
/* The latencies of a channel's methods, of those whose hedges want them. */
#ifndef MUSTER_CORE_GRPC_LATENCIES_H
#define MUSTER_CORE_GRPC_LATENCIES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "latency.h"

typedef struct muster__latencies {
    pthread_mutex_t mutex;
    void *methods; /* tsearch(3)'s tree; guarded by mutex */
    size_t n;
} muster__latencies;

/* False: no memory. */
bool muster__latencies_init(muster__latencies *latencies);
void muster__latencies_fini(muster__latencies *latencies);

/* That of the method (copied), which may be new: borrowed until fini. NULL: no
 * memory, or it is the 1 001st method. Thread: any. */
muster__latency *muster__latencies_find(muster__latencies *latencies,
                                        const char *method);

#endif
