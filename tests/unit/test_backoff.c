/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential backoff with jitter. */
#include "backoff.h"

#include <criterion/criterion.h>

/* random values that give the least and the greatest delay of a base. */
static uint64_t least(muster__backoff backoff)
{
    return muster__backoff_next(&backoff, 0);
}

static uint64_t greatest(muster__backoff backoff, uint64_t base_ms)
{
    return muster__backoff_next(&backoff, 2 * (base_ms / 5));
}

Test(backoff, grows_by_1_6_up_to_the_maximum_with_20_percent_jitter)
{
    static const uint64_t bases_ms[] = {1000,  1600,  2560,   4096,
                                        6554,  10487, 16780,  26848,
                                        42957, 68732, 109972, 120000};
    muster__backoff backoff;

    muster__backoff_init(&backoff, 1000, 120000);
    for (size_t i = 0; i < sizeof bases_ms / sizeof bases_ms[0]; i++) {
        uint64_t base_ms = bases_ms[i];

        cr_expect_eq(least(backoff), base_ms - base_ms / 5);
        cr_expect_eq(greatest(backoff, base_ms), base_ms + base_ms / 5);
        (void)muster__backoff_next(&backoff, 0);
    }
    cr_expect_eq(least(backoff), 96000);
    cr_expect_eq(greatest(backoff, 120000), 144000);
}

Test(backoff, every_random_number_stays_within_the_jitter)
{
    for (uint64_t random = 0; random < 1000000; random += 7) {
        muster__backoff backoff;
        uint64_t delay_ms;

        muster__backoff_init(&backoff, 1000, 30000);
        delay_ms = muster__backoff_next(&backoff, random * 0x9e3779b97f4a7c15u);
        cr_assert(delay_ms >= 800 && delay_ms <= 1200);
    }
}

Test(backoff, starts_over_after_a_reset)
{
    muster__backoff backoff;

    muster__backoff_init(&backoff, 1000, 30000);
    (void)muster__backoff_next(&backoff, 1);
    (void)muster__backoff_next(&backoff, 2);
    muster__backoff_reset(&backoff);
    cr_expect_eq(least(backoff), 800);
}

Test(backoff, never_exceeds_a_maximum_below_the_initial_delay)
{
    muster__backoff backoff;

    muster__backoff_init(&backoff, 1000, 10);
    cr_expect_eq(least(backoff), 8);
    (void)muster__backoff_next(&backoff, 0);
    cr_expect_eq(greatest(backoff, 10), 12);
}

Test(backoff, grows_from_one_millisecond)
{
    muster__backoff backoff;

    muster__backoff_init(&backoff, 1, 1000);
    cr_expect_eq(muster__backoff_next(&backoff, 0), 1);
    cr_expect_eq(muster__backoff_next(&backoff, 0), 2);
    cr_expect_eq(muster__backoff_next(&backoff, 0), 4);
}

Test(backoff, survives_absurd_numbers)
{
    muster__backoff backoff = {UINT64_MAX, UINT64_MAX, UINT32_MAX, 1000, 0};

    for (int i = 0; i < 10; i++) {
        cr_expect_leq(muster__backoff_next(&backoff, UINT64_MAX),
                      2 * (uint64_t)UINT32_MAX);
    }
}

Test(backoff, without_jitter_it_is_exact)
{
    muster__backoff backoff = {100, 1000, 2000, 0, 0};

    cr_expect_eq(muster__backoff_next(&backoff, UINT64_MAX), 100);
    cr_expect_eq(muster__backoff_next(&backoff, UINT64_MAX), 200);
    cr_expect_eq(muster__backoff_next(&backoff, UINT64_MAX), 400);
}
