/* SPDX-License-Identifier: Apache-2.0 */
/* When to ask again. */
#include "pace.h"

enum {
    BURST = 20,
    REFILL_MS = 100, /* a token */
    RESTART_RETRY_MS = 250,
    RESTART_PERIOD_MS = 5000,
    FIRST_MS = 500,
    DOUBLINGS_MAX = 20
};

uint64_t muster__consul_bucket_take(muster__consul_bucket *bucket,
                                    uint64_t now_ms)
{
    const uint64_t others_ms = (uint64_t)(BURST - 1) * REFILL_MS;

    if (bucket->full_ms > now_ms + others_ms) {
        return bucket->full_ms - now_ms - others_ms;
    }
    if (bucket->full_ms < now_ms) {
        bucket->full_ms = now_ms;
    }
    bucket->full_ms += REFILL_MS;
    return 0;
}

uint64_t muster__consul_backoff_next(muster__consul_backoff *backoff,
                                     uint64_t now_ms, uint64_t max_ms,
                                     bool is_restart, uint64_t random)
{
    uint64_t step_ms = FIRST_MS;

    if (backoff->n_failures == 0) {
        backoff->since_ms = now_ms;
    }
    for (unsigned i = 0; i < backoff->n_failures && i < DOUBLINGS_MAX; i++) {
        step_ms *= 2;
    }
    backoff->n_failures++;
    if (is_restart && now_ms - backoff->since_ms < RESTART_PERIOD_MS) {
        step_ms = RESTART_RETRY_MS;
    }
    if (step_ms > max_ms) {
        step_ms = max_ms;
    }
    return step_ms - random % (step_ms / 2 + 1);
}
