/* SPDX-License-Identifier: Apache-2.0 */
/* The policy weighted_round_robin, in virtual time. */
#include "policy_test.h"

#include <math.h>
#include <string.h>

const muster_plugin *muster_builtin_weighted_round_robin(void);

#define STRICT "{\"strict\": true}"

static const muster_balancer_class *policy(void)
{
    return muster_builtin_weighted_round_robin()->balancers[0];
}

static double total_of(const uint32_t *weights, size_t n)
{
    double total = 0;

    for (size_t i = 0; i < n; i++) {
        total += weights[i];
    }
    return total;
}

/* The largest |count - expected| of any endpoint in a million picks. */
static double worst_deviation(const uint32_t *weights, size_t n, uint64_t seed)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), STRICT, seed);
    uint64_t *counts = calloc(n, sizeof *counts);
    double total = total_of(weights, n);
    double worst = 0;

    policy_test_ready(kit, weights, n);
    for (int i = 0; i < 1000000; i++) {
        counts[policy_test_pick(kit, 0)]++;
    }
    for (size_t i = 0; i < n; i++) {
        double expected = 1000000 * (weights[i] / total);

        worst = fmax(worst, fabs((double)counts[i] - expected));
    }
    free(counts);
    policy_test_destroy(kit);
    return worst;
}

Test(weighted_round_robin, keeps_5_1_1_within_4_of_a_million)
{
    static const uint32_t weights[] = {5, 1, 1};

    for (uint64_t seed = 0; seed < 4; seed++) {
        cr_expect_leq(worst_deviation(weights, 3, seed), 4);
    }
}

Test(weighted_round_robin, keeps_99_1_within_4_of_a_million)
{
    static const uint32_t weights[] = {99, 1};

    for (uint64_t seed = 0; seed < 4; seed++) {
        cr_expect_leq(worst_deviation(weights, 2, seed), 4);
    }
}

Test(weighted_round_robin, keeps_1_to_100_within_4_of_a_million)
{
    uint32_t weights[100];

    for (uint32_t i = 0; i < 100; i++) {
        weights[i] = i + 1;
    }
    cr_expect_leq(worst_deviation(weights, 100, 1), 4);
}

Test(weighted_round_robin, keeps_one_giant_among_255_within_4_of_a_million)
{
    uint32_t weights[256];

    for (uint32_t i = 0; i < 256; i++) {
        weights[i] = i == 255 ? 200000000 : 1;
    }
    cr_expect_leq(worst_deviation(weights, 256, 1), 4);
}

Test(weighted_round_robin, keeps_1000_random_weights_within_4_of_a_million)
{
    uint32_t weights[1000];
    uint32_t random = 1;

    for (uint32_t i = 0; i < 1000; i++) {
        random = random * 1664525 + 1013904223;
        weights[i] = 1 + random % 10000;
    }
    cr_expect_leq(worst_deviation(weights, 1000, 1), 4);
}

Test(weighted_round_robin, spreads_equal_weights_evenly)
{
    uint32_t weights[97];

    for (uint32_t i = 0; i < 97; i++) {
        weights[i] = 3;
    }
    cr_expect_leq(worst_deviation(weights, 97, 1), 4);
}

Test(weighted_round_robin, reads_weight_0_as_1)
{
    static const uint32_t weights[] = {0, 1};
    muster_testkit_balancer *kit = policy_test_create(policy(), STRICT, 1);
    int n_first = 0;

    policy_test_ready(kit, weights, 2);
    for (int i = 0; i < 1000; i++) {
        n_first += policy_test_pick(kit, 0) == 0;
    }
    cr_expect_geq(n_first, 498);
    cr_expect_leq(n_first, 502);
    policy_test_destroy(kit);
}

Test(weighted_round_robin, picks_the_only_endpoint)
{
    static const uint32_t weights[] = {UINT32_MAX};
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    policy_test_ready(kit, weights, 1);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(policy_test_pick(kit, 0), 0);
    }
    policy_test_destroy(kit);
}

Test(weighted_round_robin, takes_the_extremes_of_weight)
{
    uint32_t weights[1000];

    for (uint32_t i = 0; i < 1000; i++) {
        weights[i] = i % 2 == 0 ? 1 : UINT32_MAX;
    }
    cr_expect_leq(worst_deviation(weights, 1000, 1), 4);
}

Test(weighted_round_robin, gives_every_shard_the_right_shares)
{
    static const uint32_t weights[] = {3, 1};
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    policy_test_ready(kit, weights, 2);
    for (uint32_t shard = 0; shard < 64; shard++) {
        int n_first = 0;

        for (int i = 0; i < 1000; i++) {
            n_first += policy_test_pick(kit, shard) == 0;
        }
        cr_expect_geq(n_first, 746);
        cr_expect_leq(n_first, 754);
    }
    policy_test_destroy(kit);
}

/* Pearson's statistic of n_rebuilds builds with n_picks picks after each. */
static double rebuild_chi_square(uint32_t n, int n_picks, int n_rebuilds)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);
    uint32_t *weights = calloc(n, sizeof *weights);
    uint64_t *counts = calloc(n, sizeof *counts);
    double *shares = calloc(n, sizeof *shares);
    double statistic;

    for (uint32_t i = 0; i < n; i++) {
        weights[i] = i % 11 == 0 ? 10 : 128; /* Envoy #10063 */
    }
    for (uint32_t i = 0; i < n; i++) {
        shares[i] = weights[i] / total_of(weights, n);
    }
    policy_test_set(kit, weights, n, MUSTER_READY);
    for (int i = 0; i < n_rebuilds; i++) {
        policy_test_publish(kit);
        for (int k = 0; k < n_picks; k++) {
            counts[policy_test_pick(kit, 9)]++;
        }
    }
    statistic =
        policy_test_chi_square(counts, shares, n, (double)n_picks * n_rebuilds);
    free(shares);
    free(counts);
    free(weights);
    policy_test_destroy(kit);
    return statistic;
}

/* 149.4: chance one in a thousand, 99 degrees of freedom. */

Test(weighted_round_robin, keeps_the_shares_when_rebuilt_at_every_pick)
{
    cr_expect_lt(rebuild_chi_square(100, 1, 50000), 149.4);
}

Test(weighted_round_robin, keeps_the_shares_when_rebuilt_at_every_10_picks)
{
    cr_expect_lt(rebuild_chi_square(100, 10, 5000), 149.4);
}

Test(weighted_round_robin, keeps_the_shares_when_rebuilt_at_half_a_round)
{
    cr_expect_lt(rebuild_chi_square(100, 50, 1000), 149.4);
}

Test(weighted_round_robin, picks_the_light_one_first_as_often_as_it_should)
{
    static const uint32_t weights[] = {99, 1};
    int n_light = 0;

    for (uint64_t seed = 0; seed < 100000; seed++) {
        muster_testkit_balancer *kit =
            policy_test_create(policy(), NULL, seed * 7919);

        policy_test_ready(kit, weights, 2);
        n_light += policy_test_pick(kit, 0) == 1;
        policy_test_destroy(kit);
    }
    /* 1 000, give or take four standard deviations. */
    cr_expect_geq(n_light, 874);
    cr_expect_leq(n_light, 1126);
}

Test(weighted_round_robin, says_that_it_heeds_weights)
{
    cr_expect(policy()->flags & MUSTER_BALANCER_USES_WEIGHTS);
}

Test(weighted_round_robin, names_the_place_of_a_wrong_setting)
{
    cr_expect(
        strstr(policy_test_refuse(policy(), "{\"strict\": \"yes\"}").message,
               "$.strict"));
}
