/* SPDX-License-Identifier: Apache-2.0 */
/* The policies random and weighted_random, in virtual time. */
#include "policy_test.h"

#include <string.h>

const muster_plugin *muster_builtin_random(void);
const muster_plugin *muster_builtin_weighted_random(void);

static const muster_balancer_class *even(void)
{
    return muster_builtin_random()->balancers[0];
}

static const muster_balancer_class *weighted(void)
{
    return muster_builtin_weighted_random()->balancers[0];
}

/* Pearson's statistic of n_rebuilds builds with n_picks picks after each; the
 * shares are those of the weights, or even (NULL). */
static double chi_square(const muster_balancer_class *policy,
                         const uint32_t *weights, size_t n, int n_picks,
                         int n_rebuilds)
{
    muster_testkit_balancer *kit = policy_test_create(policy, NULL, 1);
    uint64_t *counts = calloc(n, sizeof *counts);
    double *shares = calloc(n, sizeof *shares);
    double total = 0;
    double statistic;

    for (size_t i = 0; i < n; i++) {
        total += weights == NULL ? 1 : weights[i];
    }
    for (size_t i = 0; i < n; i++) {
        shares[i] = (weights == NULL ? 1 : weights[i]) / total;
    }
    policy_test_set(kit, weights, n, MUSTER_READY);
    for (int i = 0; i < n_rebuilds; i++) {
        policy_test_publish(kit);
        for (int k = 0; k < n_picks; k++) {
            counts[policy_test_pick(kit, 0)]++;
        }
    }
    statistic =
        policy_test_chi_square(counts, shares, n, (double)n_picks * n_rebuilds);
    free(shares);
    free(counts);
    policy_test_destroy(kit);
    return statistic;
}

/* The bounds are those of chance one in a thousand: 148.2 with 99 degrees of
 * freedom, 13.8 with 2, 10.8 with 1. */

Test(random, is_even)
{
    cr_expect_lt(chi_square(even(), NULL, 100, 1000000, 1), 148.2);
    cr_expect_lt(chi_square(even(), NULL, 3, 1000000, 1), 13.8);
}

Test(random, is_even_when_the_list_changes_at_every_pick)
{
    cr_expect_lt(chi_square(even(), NULL, 100, 1, 50000), 148.2);
}

/* An endpoint is as likely after itself as after any other. */
Test(random, does_not_depend_on_the_last_pick)
{
    muster_testkit_balancer *kit = policy_test_create(even(), NULL, 1);
    uint64_t counts[100] = {0};
    double shares[100];
    uint32_t last = 0;

    policy_test_ready(kit, NULL, 10);
    for (int i = 0; i < 100000; i++) {
        uint32_t index = policy_test_pick(kit, 0);

        counts[last * 10 + index]++;
        last = index;
    }
    for (int i = 0; i < 100; i++) {
        shares[i] = 0.01;
    }
    cr_expect_lt(policy_test_chi_square(counts, shares, 100, 100000), 148.2);
    policy_test_destroy(kit);
}

Test(random, needs_no_table)
{
    cr_expect(even()->build == NULL);
    cr_expect(even()->update == NULL);
    cr_expect(even()->done == NULL);
}

Test(weighted_random, heeds_weights)
{
    static const uint32_t few[] = {5, 1, 1};
    static const uint32_t two[] = {99, 1};
    uint32_t many[100];

    for (uint32_t i = 0; i < 100; i++) {
        many[i] = i + 1;
    }
    cr_expect_lt(chi_square(weighted(), few, 3, 1000000, 1), 13.8);
    cr_expect_lt(chi_square(weighted(), two, 2, 1000000, 1), 10.8);
    cr_expect_lt(chi_square(weighted(), many, 100, 1000000, 1), 148.2);
    cr_expect(weighted()->flags & MUSTER_BALANCER_USES_WEIGHTS);
}

Test(weighted_random, heeds_weights_when_rebuilt_at_every_pick)
{
    uint32_t many[100];

    for (uint32_t i = 0; i < 100; i++) {
        many[i] = i % 11 == 0 ? 10 : 128;
    }
    cr_expect_lt(chi_square(weighted(), many, 100, 1, 50000), 148.2);
}

Test(weighted_random, reads_weight_0_as_1)
{
    static const uint32_t weights[] = {0, 1};
    muster_testkit_balancer *kit = policy_test_create(weighted(), NULL, 1);
    int n_first = 0;

    policy_test_ready(kit, weights, 2);
    for (int i = 0; i < 10000; i++) {
        n_first += policy_test_pick(kit, 0) == 0;
    }
    /* 5 000, give or take four standard deviations. */
    cr_expect_geq(n_first, 4800);
    cr_expect_leq(n_first, 5200);
    policy_test_destroy(kit);
}

static void pick_the_only_one(const muster_balancer_class *policy)
{
    muster_testkit_balancer *kit = policy_test_create(policy, NULL, 1);

    policy_test_ready(kit, NULL, 1);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(policy_test_pick(kit, 0), 0);
    }
    policy_test_destroy(kit);
}

Test(random, picks_the_only_endpoint)
{
    pick_the_only_one(even());
    pick_the_only_one(weighted());
}

static void refuse_what_is_no_object(const muster_balancer_class *policy)
{
    cr_expect(strstr(policy_test_refuse(policy, "[]").message, "$: must be"));
    policy_test_destroy(policy_test_create(policy, "{\"colour\": 1}", 1));
}

Test(random, takes_any_setting_of_an_object)
{
    refuse_what_is_no_object(even());
    refuse_what_is_no_object(weighted());
}
