/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential backoff with jitter (gRPC's doc/connection-backoff.md). */
#ifndef MUSTER_CORE_BACKOFF_H
#define MUSTER_CORE_BACKOFF_H

#include <stdint.h>

/* The caller's memory; one thread at a time. Times above UINT32_MAX (49 days)
 * count as that. */
typedef struct muster__backoff {
    uint64_t initial_ms;
    uint64_t max_ms;              /* of the delay before jitter */
    uint32_t multiplier_permille; /* 1 600: each delay is 1.6 times the last */
    uint32_t jitter_permille;     /* 200: +-20 %; at most 1 000 */
    uint64_t base_ms;             /* of the next delay; 0: from the start */
} muster__backoff;

/* As gRPC does it: x1.6, +-20 %, which the caller may change. */
void muster__backoff_init(muster__backoff *backoff, uint64_t initial_ms,
                          uint64_t max_ms);

/* How long to wait before the next attempt, given 64 random bits. The one
 * after it will be longer. */
uint64_t muster__backoff_next(muster__backoff *backoff, uint64_t random);

/* It worked: the next delay is the initial one again. */
void muster__backoff_reset(muster__backoff *backoff);

#endif
