/* SPDX-License-Identifier: Apache-2.0 */
/* Percentiles of latency, in made-up time. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "hedging/latencies.h"

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static muster__latency latency;

static void begin(void)
{
    cr_assert(muster__latency_init(&latency));
}

static void finish(void)
{
    muster__latency_fini(&latency);
}

TestSuite(latency, .init = begin, .fini = finish);

static void note(uint32_t n, uint64_t took_ns, uint64_t now_ns)
{
    for (uint32_t i = 0; i < n; i++) {
        muster__latency_note(&latency, 95, took_ns, now_ns);
    }
}

/* Not less than that, and a sixteenth more at most. */
static void expect(double percentile, uint64_t ns, uint64_t now_ns)
{
    const uint64_t found_ns =
        muster__latency_percentile_ns(&latency, percentile, now_ns);

    cr_expect_geq(found_ns, ns);
    cr_expect_leq(found_ns, ns + ns / 16, "%llu", (unsigned long long)found_ns);
}

Test(latency, is_not_known_of_few_calls)
{
    note(99, 5 * MS, SECOND);
    cr_expect_eq(muster__latency_percentile_ns(&latency, 95, SECOND), 0);
    note(1, 5 * MS, SECOND);
    expect(95, 5 * MS, SECOND);
}

Test(latency, is_what_so_many_calls_do_not_exceed)
{
    for (uint64_t i = 1; i <= 1000; i++) {
        note(1, i * MS, SECOND);
    }
    expect(50, 500 * MS, SECOND);
    expect(95, 950 * MS, SECOND);
    expect(99.9, 999 * MS, SECOND);
}

Test(latency, bears_any_time)
{
    note(100, 0, SECOND);
    cr_expect_eq(muster__latency_percentile_ns(&latency, 95, SECOND), 0);
    for (uint64_t ns = 1; ns != 0; ns *= 2) {
        note(1000, ns, SECOND);
        note(1, UINT64_MAX, SECOND);
    }
    cr_expect_gt(muster__latency_percentile_ns(&latency, 99.9, 9 * SECOND), 0);
}

Test(latency, is_at_most_a_tenth_of_a_second_old)
{
    note(100, 1 * MS, SECOND);
    expect(95, 1 * MS, SECOND);
    note(1000, 8 * MS, SECOND);
    expect(95, 1 * MS, SECOND + 100 * MS);
    expect(95, 8 * MS, SECOND + 101 * MS);
}

Test(latency, forgets)
{
    note(1000, 100 * MS, 1 * SECOND);
    note(1000, 1 * MS, 12 * SECOND);
    expect(95, 100 * MS, 12 * SECOND);
    note(1000, 1 * MS, 23 * SECOND);
    expect(95, 1 * MS, 23 * SECOND);
}

Test(latency, of_few_calls_is_remembered_longer)
{
    note(60, 7 * MS, 1 * SECOND);
    note(60, 7 * MS, 100 * SECOND);
    note(1, 7 * MS, 200 * SECOND);
    expect(95, 7 * MS, 200 * SECOND);
}

static uint32_t take_hedges(void)
{
    uint32_t n = 0;

    while (muster__latency_take_hedge(&latency)) {
        n++;
    }
    return n;
}

/* 5 % of the calls are over the percentile, and a fifth more. */
Test(latency, allows_hedges_for_a_share_of_the_calls)
{
    uint32_t n = 0;

    cr_expect_eq(take_hedges(), 0);
    for (int i = 0; i < 10000; i++) {
        note(1, MS, SECOND);
        n += take_hedges();
    }
    cr_expect_leq(n, 600);
    cr_expect_geq(n, 590);
}

Test(latency, saves_few_hedges_up)
{
    note(10000, MS, SECOND);
    cr_expect_eq(take_hedges(), 10);
}

/* ---- of methods ---- */

Test(latencies, are_one_a_method)
{
    muster__latencies latencies;
    muster__latency *a;

    cr_assert(muster__latencies_init(&latencies));
    a = muster__latencies_find(&latencies, "/a/A");
    cr_assert_not_null(a);
    cr_expect_neq(muster__latencies_find(&latencies, "/a/B"), a);
    cr_expect_eq(muster__latencies_find(&latencies, "/a/A"), a);
    muster__latencies_fini(&latencies);
}

Test(latencies, are_no_more_than_1000)
{
    muster__latencies latencies;
    char method[32];

    cr_assert(muster__latencies_init(&latencies));
    for (int i = 0; i < 1001; i++) {
        (void)snprintf(method, sizeof method, "/a/%d", i);
        cr_expect_eq(muster__latencies_find(&latencies, method) != NULL,
                     i < 1000);
    }
    cr_expect_not_null(muster__latencies_find(&latencies, "/a/0"));
    muster__latencies_fini(&latencies);
}
