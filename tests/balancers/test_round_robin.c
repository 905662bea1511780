/* SPDX-License-Identifier: Apache-2.0 */
/* The policy round_robin, in virtual time. */
#include "policy_test.h"

#include <pthread.h>
#include <string.h>

const muster_plugin *muster_builtin_round_robin(void);

static const muster_balancer_class *policy(void)
{
    return muster_builtin_round_robin()->balancers[0];
}

Test(round_robin, visits_every_endpoint_in_turn)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);
    uint32_t last;

    policy_test_ready(kit, NULL, 7);
    last = policy_test_pick(kit, 3);
    for (int i = 0; i < 1000; i++) {
        uint32_t index = policy_test_pick(kit, 3);

        cr_assert_eq(index, (last + 1) % 7);
        last = index;
    }
    policy_test_destroy(kit);
}

Test(round_robin, gives_each_shard_a_cursor_of_its_own)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);
    uint32_t first;

    policy_test_ready(kit, NULL, 100);
    first = policy_test_pick(kit, 0);
    for (uint32_t shard = 1; shard < 64; shard++) {
        (void)policy_test_pick(kit, shard);
    }
    cr_expect_eq(policy_test_pick(kit, 0), (first + 1) % 100);
    cr_expect_eq(policy_test_pick(kit, 64), (first + 2) % 100);
    policy_test_destroy(kit);
}

Test(round_robin, picks_the_only_endpoint)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    policy_test_ready(kit, NULL, 1);
    cr_expect_eq(policy_test_pick(kit, 0), 0);
    cr_expect_eq(policy_test_pick(kit, 0), 0);
    policy_test_destroy(kit);
}

Test(round_robin, stays_within_a_list_that_shrinks_and_grows)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    for (uint32_t i = 0; i < 200; i++) {
        policy_test_ready(kit, NULL, 1 + i * 7919 % 50);
        for (uint32_t k = 0; k < 20; k++) {
            (void)policy_test_pick(kit, k % 3); /* the kit checks the index */
        }
    }
    policy_test_destroy(kit);
}

/* How often each of 10 endpoints is the first pick of 10 000 instances, each
 * after n_before endpoints had been picked from n_picks times. */
static double first_pick_chi_square(size_t n_before, int n_picks,
                                    const char *config)
{
    uint64_t counts[10] = {0};
    double shares[10];

    for (uint64_t seed = 0; seed < 10000; seed++) {
        muster_testkit_balancer *kit =
            policy_test_create(policy(), config, seed * 7919);

        if (n_picks > 0) {
            policy_test_ready(kit, NULL, n_before);
        }
        for (int i = 0; i < n_picks; i++) {
            (void)policy_test_pick(kit, 5);
        }
        policy_test_ready(kit, NULL, 10);
        counts[policy_test_pick(kit, 5)]++;
        policy_test_destroy(kit);
    }
    for (int i = 0; i < 10; i++) {
        shares[i] = 0.1;
    }
    return policy_test_chi_square(counts, shares, 10, 10000);
}

/* 27.9: chance one in a thousand, 9 degrees of freedom. */

Test(round_robin, begins_anywhere)
{
    cr_expect_lt(first_pick_chi_square(0, 0, NULL), 27.9);
    cr_expect_lt(first_pick_chi_square(0, 0, "{\"strict\": true}"), 27.9);
}

Test(round_robin, begins_anywhere_after_the_list_grew)
{
    cr_expect_lt(first_pick_chi_square(9, 3, NULL), 27.9);
    cr_expect_lt(first_pick_chi_square(2, 3, "{\"strict\": true}"), 27.9);
}

Test(round_robin, begins_anywhere_after_the_list_shrank)
{
    cr_expect_lt(first_pick_chi_square(11, 3, NULL), 27.9);
    cr_expect_lt(first_pick_chi_square(15, 3, "{\"strict\": true}"), 27.9);
}

typedef struct picker {
    const muster_testkit_balancer_raw *raw;
    uint32_t shard;
    uint64_t counts[7];
} picker;

static void *pick_often(void *arg)
{
    const muster_call_info call = {.struct_size = (uint32_t)sizeof call};
    picker *own = arg;
    const muster_pick_args args = {.struct_size = (uint32_t)sizeof args,
                                   .n_ready = own->raw->n_ready,
                                   .shard = own->shard,
                                   .call = &call};
    muster_pick_result result = {.struct_size = (uint32_t)sizeof result};

    for (int i = 0; i < 25001; i++) {
        own->raw->policy->pick(own->raw->self, own->raw->table, &args, &result);
        own->counts[result.index]++;
    }
    return NULL;
}

Test(round_robin, is_exact_over_all_threads_when_strict)
{
    muster_testkit_balancer *kit =
        policy_test_create(policy(), "{\"strict\": true}", 1);
    muster_testkit_balancer_raw raw;
    pthread_t threads[4];
    picker pickers[4];

    policy_test_ready(kit, NULL, 7);
    muster_testkit_balancer_get_raw(kit, &raw);
    memset(pickers, 0, sizeof pickers);
    for (uint32_t i = 0; i < 4; i++) {
        pickers[i].raw = &raw;
        pickers[i].shard = i;
        (void)pthread_create(&threads[i], NULL, pick_often, &pickers[i]);
    }
    for (uint32_t i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 7; i++) {
        uint64_t count = pickers[0].counts[i] + pickers[1].counts[i] +
                         pickers[2].counts[i] + pickers[3].counts[i];

        cr_expect_geq(count, 100004 / 7);
        cr_expect_leq(count, 100004 / 7 + 1);
    }
    policy_test_destroy(kit);
}

Test(round_robin, costs_nothing_at_a_change_of_the_list)
{
    cr_expect(policy()->build == NULL);
    cr_expect(policy()->update == NULL);
    cr_expect(policy()->want == NULL);
}

Test(round_robin, names_the_place_of_a_wrong_setting)
{
    cr_expect(strstr(policy_test_refuse(policy(), "{\"strict\": 1}").message,
                     "$.strict"));
    cr_expect(strstr(policy_test_refuse(policy(), "[]").message, "$: must be"));
    cr_expect(
        strstr(policy_test_refuse(policy(), "{\"strict\"").message, "line 1"));
}

Test(round_robin, ignores_settings_that_it_does_not_know)
{
    muster_testkit_balancer *kit =
        policy_test_create(policy(), "{\"colour\": [1, {}]}", 1);

    policy_test_destroy(kit);
}
