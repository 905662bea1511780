/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "priority": failover as gRFC A56 has it. */
#include "priority_test.h"

enum { FAILOVER_MS = 10000, RETENTION_MS = 900000 };

static muster_testkit_balancer *create(const char *config)
{
    return create_parent(muster_builtin_priority()->balancers[0], config, 1);
}

/* n endpoints, of priorities 0 to n - 1, that are IDLE. */
static muster_testkit_balancer *create_levels(const char *config, unsigned n)
{
    static const unsigned one[MAX_GROUPS] = {1, 1, 1, 1, 1, 1, 1, 1};
    static const unsigned none[MAX_GROUPS] = {0};
    muster_testkit_balancer *kit = create(config);

    set_groups(kit, one, none, n, false, MUSTER_IDLE);
    publish(kit);
    return kit;
}

static void set_state(muster_testkit_balancer *kit, size_t index,
                      muster_connectivity state)
{
    muster_testkit_balancer_set_state(
        kit, index, state,
        state == MUSTER_TRANSIENT_FAILURE ? "refused" : NULL);
    publish(kit);
}

/* The endpoints wanted, one bit each. */
static unsigned wanted(const muster_testkit_balancer *kit, unsigned n)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < n; i++) {
        bits |= is_wanted(kit, i) ? 1u << i : 0;
    }
    return bits;
}

/* ---- settings ---- */

Test(priority, refuses_what_is_no_setting_of_its_own_or_of_a_child)
{
    const muster_balancer_class *policy =
        muster_builtin_priority()->balancers[0];

    cr_expect_str_eq(
        policy_test_refuse(policy, "{\"failoverTimeout\": 1}").message,
        "$.failoverTimeout: must be a duration like \"1.5s\"");
    cr_expect_str_eq(
        policy_test_refuse(policy, "{\"childPolicy\": [{\"none\": {}}]}")
            .message,
        "$.childPolicy: must be a list with a policy that is known");
}

/* ---- failing over ---- */

Test(priority, connects_the_best_level_only)
{
    muster_testkit_balancer *kit = create_levels(NULL, 3);

    cr_expect_eq(wanted(kit, 3), 1);
    set_state(kit, 0, MUSTER_CONNECTING);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    set_state(kit, 0, MUSTER_READY);
    cr_expect_eq(wanted(kit, 3), 1);
    cr_expect_eq(pick_group(kit), 0);
    (void)muster_testkit_balancer_advance(kit, 10 * FAILOVER_MS);
    cr_expect_eq(wanted(kit, 3), 1);
    policy_test_destroy(kit);
}

Test(priority, fails_over_at_once_when_a_level_has_failed)
{
    muster_testkit_balancer *kit = create_levels(NULL, 3);

    set_state(kit, 0, MUSTER_CONNECTING);
    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(wanted(kit, 3), 3);
    set_state(kit, 1, MUSTER_CONNECTING);
    set_state(kit, 1, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 1);
    cr_expect_eq(wanted(kit, 3), 3);
    policy_test_destroy(kit);
}

Test(priority, fails_over_when_the_timer_ends)
{
    muster_testkit_balancer *kit = create_levels(NULL, 2);

    set_state(kit, 0, MUSTER_CONNECTING);
    (void)muster_testkit_balancer_advance(kit, FAILOVER_MS - 1);
    cr_expect_eq(wanted(kit, 2), 1);
    (void)muster_testkit_balancer_advance(kit, 1);
    cr_expect_eq(wanted(kit, 2), 3);
    policy_test_destroy(kit);
}

Test(priority, has_the_timer_that_is_set)
{
    muster_testkit_balancer *kit =
        create_levels("{\"failoverTimeout\": \"0.250s\"}", 2);

    set_state(kit, 0, MUSTER_CONNECTING);
    (void)muster_testkit_balancer_advance(kit, 249);
    cr_expect_eq(wanted(kit, 2), 1);
    (void)muster_testkit_balancer_advance(kit, 1);
    cr_expect_eq(wanted(kit, 2), 3);
    policy_test_destroy(kit);
}

/* Behind the timer A56 takes the first one that connects. */
Test(priority, waits_for_the_first_that_connects_when_all_are_late)
{
    muster_testkit_balancer *kit = create_levels(NULL, 2);

    set_state(kit, 0, MUSTER_CONNECTING);
    (void)muster_testkit_balancer_advance(kit, FAILOVER_MS);
    set_state(kit, 1, MUSTER_CONNECTING);
    (void)muster_testkit_balancer_advance(kit, FAILOVER_MS);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    set_state(kit, 1, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 1);
    policy_test_destroy(kit);
}

Test(priority, goes_back_as_soon_as_the_best_is_ready)
{
    muster_testkit_balancer *kit = create_levels(NULL, 2);

    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    set_state(kit, 1, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 1);
    set_state(kit, 0, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 0);
    policy_test_destroy(kit);
}

/* The timer begins anew when a level that was READY connects, but not when one
 * that has failed does. */
Test(priority, waits_for_a_level_that_was_ready_and_connects_again)
{
    muster_testkit_balancer *kit = create_levels(NULL, 2);

    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    set_state(kit, 1, MUSTER_READY);
    set_state(kit, 0, MUSTER_CONNECTING);
    cr_expect_eq(pick_group(kit), 1);
    set_state(kit, 0, MUSTER_READY);
    set_state(kit, 0, MUSTER_CONNECTING);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    (void)muster_testkit_balancer_advance(kit, FAILOVER_MS - 1);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    (void)muster_testkit_balancer_advance(kit, 1);
    cr_expect_eq(pick_group(kit), 1);
    policy_test_destroy(kit);
}

Test(priority, keeps_a_level_that_is_not_needed_for_15_minutes)
{
    muster_testkit_balancer *kit = create_levels(NULL, 2);

    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    set_state(kit, 1, MUSTER_READY);
    set_state(kit, 0, MUSTER_READY);
    (void)muster_testkit_balancer_advance(kit, RETENTION_MS - 1);
    cr_expect_eq(wanted(kit, 2), 3);
    (void)muster_testkit_balancer_advance(kit, 1);
    cr_expect_eq(wanted(kit, 2), 1);
    cr_expect_eq(pick_group(kit), 0);
    policy_test_destroy(kit);
}

/* As often as it is used again the time begins anew. */
Test(priority, keeps_a_level_that_is_needed_again)
{
    muster_testkit_balancer *kit = create_levels("{\"retention\": \"60s\"}", 2);

    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    set_state(kit, 1, MUSTER_READY);
    for (int i = 0; i < 5; i++) {
        set_state(kit, 0, MUSTER_READY);
        (void)muster_testkit_balancer_advance(kit, 59999);
        set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
        cr_expect_eq(pick_group(kit), 1);
    }
    set_state(kit, 0, MUSTER_READY);
    (void)muster_testkit_balancer_advance(kit, 60000);
    cr_expect_eq(wanted(kit, 2), 1);
    policy_test_destroy(kit);
}

/* A level that was given up is started as at first, with its timer. */
Test(priority, starts_a_level_anew_that_was_given_up)
{
    muster_testkit_balancer *kit = create_levels("{\"retention\": \"60s\"}", 3);

    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    set_state(kit, 1, MUSTER_READY);
    set_state(kit, 0, MUSTER_READY);
    (void)muster_testkit_balancer_advance(kit, 60000);
    set_state(kit, 1, MUSTER_IDLE);
    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(wanted(kit, 3), 3);
    set_state(kit, 1, MUSTER_CONNECTING);
    (void)muster_testkit_balancer_advance(kit, FAILOVER_MS - 1);
    cr_expect_eq(wanted(kit, 3), 3);
    (void)muster_testkit_balancer_advance(kit, 1);
    cr_expect_eq(wanted(kit, 3), 7);
    policy_test_destroy(kit);
}

Test(priority, asks_the_last_level_when_all_have_failed)
{
    muster_testkit_balancer *kit = create_levels(NULL, 3);

    for (size_t i = 0; i < 3; i++) {
        set_state(kit, i, MUSTER_TRANSIENT_FAILURE);
    }
    cr_expect_eq(wanted(kit, 3), 7);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    set_state(kit, 2, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 2);
    policy_test_destroy(kit);
}

/* Unhealthy and ejected ones count as failed. */
Test(priority, fails_over_when_nothing_is_healthy)
{
    muster_testkit_balancer *kit = create_levels(NULL, 2);

    set_state(kit, 0, MUSTER_READY);
    muster_testkit_balancer_set_unhealthy(kit, 0, 1);
    publish(kit);
    cr_expect_eq(wanted(kit, 2), 3);
    set_state(kit, 1, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 1);
    muster_testkit_balancer_set_unhealthy(kit, 0, 0);
    publish(kit);
    cr_expect_eq(pick_group(kit), 0);
    policy_test_destroy(kit);
}

/* ---- lists ---- */

Test(priority, serves_a_list_without_priorities_and_one_without_endpoints)
{
    static const unsigned counts[] = {3};
    muster_testkit_balancer *kit = create(NULL);

    set_groups(kit, counts, counts, 0, false, MUSTER_IDLE);
    publish(kit);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    set_groups(kit, counts, counts, 1, false, MUSTER_IDLE);
    publish(kit);
    cr_expect_eq(pick_group(kit), 0);
    set_groups(kit, counts, counts, 0, false, MUSTER_IDLE);
    publish(kit);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    policy_test_destroy(kit);
}

/* However the priorities change, there are as many children as levels. */
Test(priority, uses_children_again_for_other_priorities)
{
    muster_testkit_balancer *kit = create(NULL);

    for (uint32_t i = 0; i < 100; i++) {
        muster_endpoint list[2] = {
            {.address = "10.0.0.1:80", .priority = i},
            {.address = "10.1.0.1:80", .priority = 2 * i + 1}};

        cr_assert_eq(muster_testkit_balancer_set(kit, list, 2, MUSTER_READY),
                     MUSTER_OK);
        publish(kit);
        cr_expect_eq(pick_group(kit), 0);
        muster_testkit_balancer_done(kit, pick(kit).id, NULL);
    }
    cr_expect_leq(muster_testkit_balancer_get(kit)->n_children, 4);
    policy_test_destroy(kit);
}

/* ---- children ---- */

Test(priority, connects_a_ring_on_demand)
{
    muster_testkit_balancer *kit =
        create_levels("{\"childPolicy\": [{\"unknown\": {}},"
                      " {\"ring_hash\": {}}]}",
                      2);

    cr_expect_eq(wanted(kit, 2), 0);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_CONNECT);
    cr_expect_eq(wanted(kit, 2), 1);
    set_state(kit, 0, MUSTER_CONNECTING);
    set_state(kit, 0, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 0);
    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_CONNECT);
    set_state(kit, 1, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 1);
    policy_test_destroy(kit);
}

Test(priority, is_a_child_of_itself_three_deep)
{
    muster_testkit_balancer *kit = create_levels(
        "{\"childPolicy\": [{\"priority_load\": {\"childPolicy\": ["
        "{\"priority\": {\"childPolicy\": [{\"ring_hash\": {}}]}}]}}]}",
        2);

    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_CONNECT);
    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    set_state(kit, 1, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 1);
    muster_testkit_balancer_done(kit, pick(kit).id, NULL);
    set_state(kit, 0, MUSTER_READY);
    cr_expect_eq(pick_group(kit), 0);
    policy_test_destroy(kit);
}
