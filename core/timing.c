/* SPDX-License-Identifier: Apache-2.0 */
/* The core's fixed times, scaled down in tests. */
#include "timing.h"

#include <assert.h>
#include <stdatomic.h>

/* Relaxed: a test sets them before there is anyone to read them. */
static _Atomic uint32_t timing_divisor = 1;
static _Atomic uint32_t wait_divisor = 1;
static _Atomic uint64_t build_spacing_ms = MUSTER__BUILD_SPACING_MS;

static uint64_t scale(uint64_t ms, const _Atomic uint32_t *divisor)
{
    uint32_t by = atomic_load_explicit(divisor, memory_order_relaxed);

    return ms < by ? 1 : ms / by;
}

uint64_t muster__timing_ms(uint64_t ms)
{
    return scale(ms, &timing_divisor);
}

uint64_t muster__timing_wait_ms(uint64_t ms)
{
    return scale(ms, &wait_divisor);
}

void muster__timing_scale_waits_for_test(uint32_t divisor)
{
    assert(divisor > 0);
    atomic_store_explicit(&wait_divisor, divisor, memory_order_relaxed);
}

void muster__timing_scale_for_test(uint32_t divisor)
{
    assert(divisor > 0);
    atomic_store_explicit(&timing_divisor, divisor, memory_order_relaxed);
    muster__timing_scale_waits_for_test(divisor);
}

uint64_t muster__timing_build_spacing_ms(void)
{
    return atomic_load_explicit(&build_spacing_ms, memory_order_relaxed);
}

void muster__timing_space_builds_for_test(uint64_t ms)
{
    atomic_store_explicit(&build_spacing_ms, ms, memory_order_relaxed);
}
