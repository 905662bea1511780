/* SPDX-License-Identifier: Apache-2.0 */
/* The latencies of muster bench, beside sorted ones. */
#include <stdint.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "latency.h"

enum { N = 100000 };

static uint64_t sorted[N];
static latency counted;

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Of any size up to 2^42. */
static uint64_t draw(unsigned *seed)
{
    const uint64_t number = (uint64_t)(unsigned)rand_r(seed) << 31 |
                            (uint64_t)(unsigned)rand_r(seed);

    return (number & ((UINT64_C(1) << 42) - 1)) >> (rand_r(seed) % 42);
}

static void fill(void)
{
    unsigned seed = 1;

    for (size_t i = 0; i < N; i++) {
        sorted[i] = draw(&seed);
        latency_add(&counted, sorted[i]);
    }
    qsort(sorted, N, sizeof *sorted, compare);
}

Test(bench_latency, percentiles_are_at_most_a_bucket_too_high)
{
    fill();
    for (unsigned i = 1; i <= 1000; i++) {
        const double share = (double)i / 1000;
        const double exact = (double)sorted[(size_t)N * i / 1000 - 1];
        const double found = latency_at(&counted, share);

        cr_assert(found >= exact && found <= exact * 1.008,
                  "%.1f %%: %.0f is counted as %.0f", 100 * share, exact,
                  found);
    }
}

Test(bench_latency, fastest_and_slowest_and_average_are_exact)
{
    latency_add(&counted, 1000001);
    latency_add(&counted, 3000001);
    cr_assert_eq(counted.fastest_ns, 1000001);
    cr_assert_eq(counted.slowest_ns, 3000001);
    cr_assert_float_eq(latency_average_ns(&counted), 2000001, 1e-6);
    cr_assert_float_eq(latency_at(&counted, 1), 3000001, 1e-6);
    cr_assert_float_eq(latency_at(&counted, 0.001), 1000001, 1000001 * 0.008);
}

Test(bench_latency, those_of_two_threads_are_as_those_of_one)
{
    static latency first;
    static latency second;

    fill();
    for (size_t i = 0; i < N; i++) {
        latency_add(i % 3 == 0 ? &first : &second, sorted[i]);
    }
    latency_merge(&first, &second);
    cr_assert_arr_eq(first.buckets, counted.buckets, sizeof first.buckets);
    cr_assert_eq(first.fastest_ns, counted.fastest_ns);
    cr_assert_eq(first.slowest_ns, counted.slowest_ns);
    cr_assert_eq(first.n, counted.n);
}

Test(bench_latency, counts_those_up_to_a_duration)
{
    for (uint64_t i = 1; i <= 200; i++) {
        latency_add(&counted, i);
    }
    cr_assert_eq(latency_count(&counted, 50), 50);
    cr_assert_eq(latency_count(&counted, 200), 200);
    cr_assert_eq(latency_count(&counted, 0.5), 0);
}

Test(bench_latency, takes_what_is_longer_than_the_last_bucket)
{
    latency_add(&counted, UINT64_MAX);
    latency_add(&counted, 0);
    cr_assert_eq(counted.slowest_ns, UINT64_MAX);
    cr_assert_float_eq(latency_at(&counted, 0.5), 0, 1e-6);
    cr_assert_gt(latency_at(&counted, 1), 8e12);
}
