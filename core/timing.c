/* SPDX-License-Identifier: Apache-2.0 */
/* The core's fixed times, scaled down in tests. */
#include "timing.h"

#include <assert.h>
#include <stdatomic.h>

/* Relaxed: a test sets it before there is anyone to read it. */
static _Atomic uint32_t timing_divisor = 1;

uint64_t muster__timing_ms(uint64_t ms)
{
    uint32_t divisor =
        atomic_load_explicit(&timing_divisor, memory_order_relaxed);

    return ms < divisor ? 1 : ms / divisor;
}

void muster__timing_scale_for_test(uint32_t divisor)
{
    assert(divisor > 0);
    atomic_store_explicit(&timing_divisor, divisor, memory_order_relaxed);
}
