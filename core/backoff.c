/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential backoff with jitter. */
#include "backoff.h"

#include <assert.h>

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void muster__backoff_init(muster__backoff *backoff, uint64_t initial_ms,
                          uint64_t max_ms)
{
    backoff->initial_ms = initial_ms;
    backoff->max_ms = max_ms;
    backoff->multiplier_permille = 1600;
    backoff->jitter_permille = 200;
    backoff->base_ms = 0;
}

uint64_t muster__backoff_next(muster__backoff *backoff, uint64_t random)
{
    /* Both factors of each product below fit 32 bits, so none overflows. */
    uint64_t max_ms = lesser(backoff->max_ms, UINT32_MAX);
    uint64_t base_ms = backoff->base_ms;
    uint64_t spread_ms;

    assert(backoff->jitter_permille <= 1000);
    if (base_ms == 0) {
        base_ms = backoff->initial_ms;
    }
    base_ms = lesser(base_ms, max_ms);
    spread_ms = base_ms * backoff->jitter_permille / 1000;

    /* Rounded up, so that 1 ms grows too. */
    backoff->base_ms =
        lesser((base_ms * backoff->multiplier_permille + 999) / 1000, max_ms);
    return base_ms - spread_ms + random % (2 * spread_ms + 1);
}

void muster__backoff_reset(muster__backoff *backoff)
{
    backoff->base_ms = 0;
}
