/* SPDX-License-Identifier: Apache-2.0 */
/* The policy pick_first, in virtual time. */
#include "policy_test.h"

#include <string.h>

const muster_plugin *muster_builtin_pick_first(void);

#define SHUFFLED "{\"shuffleAddressList\": true}"

static const muster_balancer_class *policy(void)
{
    return muster_builtin_pick_first()->balancers[0];
}

/* n endpoints of equal weight that are idle, and shown. */
static muster_testkit_balancer *open_idle(const char *settings, size_t n,
                                          uint64_t seed)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), settings, seed);

    policy_test_set(kit, NULL, n, MUSTER_IDLE);
    policy_test_publish(kit);
    return kit;
}

/* Endpoint i of the list is in state, and that is shown. */
static void move(muster_testkit_balancer *kit, size_t i,
                 muster_connectivity state)
{
    muster_testkit_balancer_set_state(
        kit, i, state, state == MUSTER_TRANSIENT_FAILURE ? "refused" : NULL);
    policy_test_publish(kit);
}

/* Whether those that are wanted of the list are as text has it: "1" is. */
static void expect_wanted(muster_testkit_balancer *kit, const char *text)
{
    char wanted[16] = "";

    for (size_t i = 0; text[i] != '\0'; i++) {
        wanted[i] = muster_testkit_balancer_is_wanted(kit, i) ? '1' : '0';
    }
    cr_expect_str_eq(wanted, text);
}

/* The endpoint's place in the list. */
static size_t picked(muster_testkit_balancer *kit)
{
    muster_testkit_pick pick;
    size_t i = 0;

    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
    while (muster_testkit_balancer_get_backend(kit, i)->id != pick.id) {
        i++;
    }
    return i;
}

/* ---- attempts ---- */

Test(pick_first, begins_with_the_first_alone)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    expect_wanted(kit, "100");
    move(kit, 0, MUSTER_CONNECTING);
    expect_wanted(kit, "100");
    policy_test_destroy(kit);
}

Test(pick_first, goes_on_after_250_ms)
{
    muster_testkit_balancer *kit = open_idle(NULL, 4, 1);

    move(kit, 0, MUSTER_CONNECTING);
    muster_testkit_balancer_advance(kit, 249);
    expect_wanted(kit, "1000");
    muster_testkit_balancer_advance(kit, 1);
    expect_wanted(kit, "1100");
    move(kit, 1, MUSTER_CONNECTING);
    muster_testkit_balancer_advance(kit, 250);
    expect_wanted(kit, "1110");
    policy_test_destroy(kit);
}

Test(pick_first, goes_on_at_once_when_one_fails)
{
    muster_testkit_balancer *kit = open_idle(NULL, 4, 1);

    move(kit, 0, MUSTER_CONNECTING);
    muster_testkit_balancer_advance(kit, 200);
    move(kit, 0, MUSTER_TRANSIENT_FAILURE);
    expect_wanted(kit, "1100");
    move(kit, 1, MUSTER_CONNECTING);
    muster_testkit_balancer_advance(kit, 249); /* counts from its beginning */
    expect_wanted(kit, "1100");
    muster_testkit_balancer_advance(kit, 1);
    expect_wanted(kit, "1110");
    policy_test_destroy(kit);
}

/* The core holds it back: its priority is not started, say. */
Test(pick_first, waits_for_one_that_could_not_even_begin)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    muster_testkit_balancer_advance(kit, 10000);
    expect_wanted(kit, "100");
    move(kit, 0, MUSTER_CONNECTING);
    muster_testkit_balancer_advance(kit, 250);
    expect_wanted(kit, "110");
    policy_test_destroy(kit);
}

Test(pick_first, keeps_trying_all_when_all_have_failed)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    for (size_t i = 0; i < 3; i++) {
        move(kit, i, MUSTER_TRANSIENT_FAILURE);
    }
    expect_wanted(kit, "111");
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_timers, 0);
    move(kit, 2, MUSTER_READY);
    expect_wanted(kit, "001");
    cr_expect_eq(picked(kit), 2);
    policy_test_destroy(kit);
}

/* ---- the chosen one ---- */

Test(pick_first, wants_the_one_that_is_ready_and_no_other)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    move(kit, 0, MUSTER_CONNECTING);
    muster_testkit_balancer_advance(kit, 250);
    move(kit, 1, MUSTER_READY);
    expect_wanted(kit, "010");
    cr_expect_eq(picked(kit), 1);
    muster_testkit_balancer_advance(kit, 10000);
    expect_wanted(kit, "010");
    policy_test_destroy(kit);
}

Test(pick_first, keeps_the_chosen_one_when_another_is_ready_as_well)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    move(kit, 1, MUSTER_READY);
    move(kit, 0, MUSTER_READY);
    expect_wanted(kit, "010");
    for (int i = 0; i < 10; i++) {
        cr_expect_eq(picked(kit), 1);
    }
    policy_test_destroy(kit);
}

Test(pick_first, keeps_the_chosen_one_when_the_list_changes)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    move(kit, 1, MUSTER_READY);
    policy_test_set(kit, NULL, 5, MUSTER_IDLE);
    policy_test_publish(kit);
    expect_wanted(kit, "01000");
    cr_expect_eq(picked(kit), 1);
    policy_test_destroy(kit);
}

Test(pick_first, begins_anew_when_the_chosen_one_is_lost)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    move(kit, 2, MUSTER_READY);
    move(kit, 2, MUSTER_IDLE);
    expect_wanted(kit, "100");
    move(kit, 0, MUSTER_READY);
    cr_expect_eq(picked(kit), 0);
    policy_test_destroy(kit);
}

Test(pick_first, does_not_wait_for_those_that_have_failed_before)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    move(kit, 0, MUSTER_TRANSIENT_FAILURE);
    move(kit, 1, MUSTER_READY);
    expect_wanted(kit, "010");
    move(kit, 1, MUSTER_IDLE);
    expect_wanted(kit, "110");
    policy_test_destroy(kit);
}

Test(pick_first, begins_anew_when_the_chosen_one_leaves)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    move(kit, 2, MUSTER_READY);
    policy_test_set(kit, NULL, 2, MUSTER_IDLE);
    policy_test_publish(kit);
    expect_wanted(kit, "10");
    policy_test_destroy(kit);
}

Test(pick_first, bears_a_list_that_empties_and_fills)
{
    muster_testkit_balancer *kit = open_idle(NULL, 3, 1);

    move(kit, 0, MUSTER_CONNECTING);
    policy_test_set(kit, NULL, 0, MUSTER_IDLE);
    policy_test_publish(kit);
    muster_testkit_balancer_advance(kit, 1000);
    policy_test_set(kit, NULL, 2, MUSTER_IDLE);
    policy_test_publish(kit);
    expect_wanted(kit, "10");
    policy_test_destroy(kit);
}

/* ---- priorities ---- */

static void set_priorities(muster_testkit_balancer *kit, uint32_t first,
                           uint32_t second, uint32_t third)
{
    const muster_endpoint list[] = {
        {.address = "10.0.0.1:80", .priority = first},
        {.address = "10.0.0.2:80", .priority = second},
        {.address = "10.0.0.3:80", .priority = third}};

    cr_assert_eq(muster_testkit_balancer_set(kit, list, 3, MUSTER_IDLE),
                 MUSTER_OK);
    policy_test_publish(kit);
}

Test(pick_first, tries_the_better_priority_first)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    set_priorities(kit, 2, 1, 0);
    expect_wanted(kit, "001");
    move(kit, 2, MUSTER_TRANSIENT_FAILURE);
    expect_wanted(kit, "011");
    policy_test_destroy(kit);
}

Test(pick_first, goes_back_to_a_better_priority)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    set_priorities(kit, 0, 1, 1);
    move(kit, 0, MUSTER_TRANSIENT_FAILURE);
    move(kit, 1, MUSTER_READY);
    expect_wanted(kit, "110");
    cr_expect_eq(picked(kit), 1);
    move(kit, 0, MUSTER_READY);
    expect_wanted(kit, "100");
    cr_expect_eq(picked(kit), 0);
    policy_test_destroy(kit);
}

/* ---- health, ejection ---- */

Test(pick_first, ignores_health)
{
    muster_testkit_balancer *kit = open_idle(NULL, 2, 1);

    cr_expect(policy()->flags & MUSTER_BALANCER_IGNORES_HEALTH);
    move(kit, 0, MUSTER_READY);
    muster_testkit_balancer_set_unhealthy(kit, 0, 1);
    policy_test_publish(kit);
    expect_wanted(kit, "10");
    cr_expect_eq(picked(kit), 0);
    policy_test_destroy(kit);
}

/* ---- shuffling ---- */

/* The endpoint that is tried first. */
static size_t first_of(muster_testkit_balancer *kit)
{
    size_t i = 0;

    while (!muster_testkit_balancer_is_wanted(kit, i)) {
        i++;
    }
    return i;
}

/* Pearson's statistic of who is first in 10 000 instances. */
static double shuffle_chi_square(const uint32_t *weights, size_t n)
{
    uint64_t counts[8] = {0};
    double shares[8] = {0};
    double total = 0;

    for (uint64_t seed = 0; seed < 10000; seed++) {
        muster_testkit_balancer *kit =
            policy_test_create(policy(), SHUFFLED, seed * 7919);

        policy_test_set(kit, weights, n, MUSTER_IDLE);
        policy_test_publish(kit);
        counts[first_of(kit)]++;
        policy_test_destroy(kit);
    }
    for (size_t i = 0; i < n; i++) {
        total += weights[i];
    }
    for (size_t i = 0; i < n; i++) {
        shares[i] = weights[i] / total;
    }
    return policy_test_chi_square(counts, shares, n, 10000);
}

/* 20.5: chance one in a thousand, 5 degrees of freedom. */
Test(pick_first, shuffles_evenly)
{
    static const uint32_t weights[] = {1, 1, 1, 1, 1, 1};

    cr_expect_lt(shuffle_chi_square(weights, 6), 20.5);
}

/* 16.3: 3 degrees. The first of gRFC A113's order is the one with the weight's
 * probability. */
Test(pick_first, shuffles_by_weight)
{
    static const uint32_t weights[] = {1, 2, 3, 10};

    cr_expect_lt(shuffle_chi_square(weights, 4), 16.3);
}

Test(pick_first, keeps_its_order_while_endpoints_stay)
{
    muster_testkit_balancer *kit = open_idle(SHUFFLED, 8, 5);
    size_t first = first_of(kit);

    for (int i = 0; i < 20; i++) {
        policy_test_set(kit, NULL, 8, MUSTER_IDLE);
        policy_test_publish(kit);
        cr_expect_eq(first_of(kit), first);
    }
    policy_test_destroy(kit);
}

Test(pick_first, shuffles_within_a_priority_only)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        muster_testkit_balancer *kit =
            policy_test_create(policy(), SHUFFLED, seed);

        set_priorities(kit, 1, 0, 1);
        expect_wanted(kit, "010");
        policy_test_destroy(kit);
    }
}

/* ---- settings ---- */

Test(pick_first, names_the_place_of_a_wrong_setting)
{
    cr_expect(strstr(
        policy_test_refuse(policy(), "{\"shuffleAddressList\": 1}").message,
        "$.shuffleAddressList"));
    cr_expect(strstr(policy_test_refuse(policy(), "[]").message, "$: must be"));
}

Test(pick_first, ignores_settings_that_it_does_not_know)
{
    policy_test_destroy(policy_test_create(policy(), "{\"colour\": 1}", 1));
}
