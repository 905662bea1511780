/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of policies share: a kit with numbered endpoints. */
#ifndef MUSTER_TESTS_POLICY_TEST_H
#define MUSTER_TESTS_POLICY_TEST_H

#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static inline muster_testkit_balancer *
policy_test_create(const muster_balancer_class *policy, const char *config,
                   uint64_t seed)
{
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = policy,
        .config_json = config,
        .seed = seed};
    muster_testkit_balancer *kit = NULL;
    muster_error err = {0};

    cr_assert_eq(muster_testkit_balancer_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    return kit;
}

/* The error of a configuration that the policy refuses. */
static inline muster_error
policy_test_refuse(const muster_balancer_class *policy, const char *config)
{
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = policy,
        .config_json = config};
    muster_testkit_balancer *kit = NULL;
    muster_error err = {0};

    cr_expect_eq(muster_testkit_balancer_create(&options, &kit, &err),
                 MUSTER_INVAL, "%s", config);
    cr_expect_null(kit);
    return err;
}

/* Sets n endpoints "10.x.y.z:80" with these weights (NULL: 1), in state. */
static inline void policy_test_set(muster_testkit_balancer *kit,
                                   const uint32_t *weights, size_t n,
                                   muster_connectivity state)
{
    muster_endpoint *endpoints = calloc(n + 1, sizeof *endpoints);
    char(*addresses)[24] = calloc(n + 1, sizeof *addresses);

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.%zu.%zu.%zu:80",
                       i >> 16 & 255, i >> 8 & 255, i & 255);
        endpoints[i].address = addresses[i];
        endpoints[i].weight = weights == NULL ? 1 : weights[i];
    }
    cr_assert_eq(muster_testkit_balancer_set(kit, endpoints, n, state),
                 MUSTER_OK);
    free(addresses);
    free(endpoints);
}

/* Shows the policy what was set. */
static inline void policy_test_publish(muster_testkit_balancer *kit)
{
    muster_error err = {0};

    cr_assert_eq(muster_testkit_balancer_publish(kit, &err), MUSTER_OK, "%s",
                 err.message);
}

/* Makes it so that n endpoints with these weights are READY and published. */
static inline void policy_test_ready(muster_testkit_balancer *kit,
                                     const uint32_t *weights, size_t n)
{
    policy_test_set(kit, weights, n, MUSTER_READY);
    policy_test_publish(kit);
}

/* The index that a pick by shard gives. */
static inline uint32_t policy_test_pick(muster_testkit_balancer *kit,
                                        uint32_t shard)
{
    muster_testkit_pick pick;

    muster_testkit_balancer_pick(kit, NULL, shard, &pick);
    cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
    return pick.index;
}

/* Ends a kit that must have seen no rule broken. */
static inline void policy_test_destroy(muster_testkit_balancer *kit)
{
    cr_expect_str_eq(muster_testkit_balancer_violations(kit), "");
    muster_testkit_balancer_destroy(kit);
}

/* Pearson's statistic of counts against shares of total, over n classes. */
static inline double policy_test_chi_square(const uint64_t *counts,
                                            const double *shares, size_t n,
                                            double total)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double expected = shares[i] * total;
        double difference = (double)counts[i] - expected;

        sum += difference * difference / expected;
    }
    return sum;
}

#endif
