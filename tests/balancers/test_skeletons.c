/* SPDX-License-Identifier: Apache-2.0 */
/* Five kinds of policy that balancer.h must be able to carry. */
#include "policy_test.h"

#include <string.h>

#include "skeletons/skeletons.h"

const muster_plugin *muster_builtin_round_robin(void);

/* A kit whose policy may have round_robin for a child. */
static muster_testkit_balancer *
create_parent(const muster_balancer_class *policy)
{
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = policy,
        .children = muster_builtin_round_robin()->balancers,
        .n_children = 1};
    muster_testkit_balancer *kit = NULL;

    cr_assert_eq(muster_testkit_balancer_create(&options, &kit, NULL),
                 MUSTER_OK);
    return kit;
}

static void set_state(muster_testkit_balancer *kit, size_t index,
                      muster_connectivity state)
{
    muster_testkit_balancer_set_state(
        kit, index, state,
        state == MUSTER_TRANSIENT_FAILURE ? "refused" : NULL);
    policy_test_publish(kit);
    (void)muster_testkit_balancer_step(kit);
}

/* The endpoints wanted, one bit each. */
static unsigned wanted(const muster_testkit_balancer *kit)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < 8; i++) {
        if (muster_testkit_balancer_is_wanted(kit, i)) {
            bits |= 1u << i;
        }
    }
    return bits;
}

static uint64_t id_of(const muster_testkit_balancer *kit, size_t index)
{
    return muster_testkit_balancer_get_backend(kit, index)->id;
}

static muster_testkit_pick pick_key(muster_testkit_balancer *kit,
                                    const char *key)
{
    const muster_call_info call = {.struct_size = (uint32_t)sizeof call,
                                   .hash_key = key};
    muster_testkit_pick pick;

    muster_testkit_balancer_pick(kit, &call, 0, &pick);
    return pick;
}

/* ---- pick_first ---- */

Test(pick_first, connects_one_at_a_time_in_order)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_pick_first);

    policy_test_set(kit, NULL, 3, MUSTER_IDLE);
    policy_test_publish(kit);
    cr_expect_eq(wanted(kit), 1);
    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(wanted(kit), 2);
    set_state(kit, 1, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(wanted(kit), 4);
    policy_test_destroy(kit);
}

Test(pick_first, stays_with_the_one_that_connected)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_pick_first);

    policy_test_set(kit, NULL, 3, MUSTER_IDLE);
    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    set_state(kit, 1, MUSTER_READY);
    cr_expect_eq(pick_key(kit, NULL).id, id_of(kit, 1));
    set_state(kit, 0, MUSTER_READY);
    cr_expect_eq(pick_key(kit, NULL).id, id_of(kit, 1));
    cr_expect_eq(wanted(kit), 2);
    set_state(kit, 1, MUSTER_CONNECTING);
    cr_expect_eq(pick_key(kit, NULL).verdict, MUSTER_PICK_QUEUE);
    policy_test_destroy(kit);
}

Test(pick_first, asks_for_another_list_when_all_failed)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_pick_first);

    policy_test_set(kit, NULL, 2, MUSTER_TRANSIENT_FAILURE);
    policy_test_publish(kit);
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_resolution_requests, 1);
    policy_test_destroy(kit);
}

/* ---- ring_hash ---- */

Test(ring_hash, connects_the_owner_of_a_key_when_it_is_needed)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_ring_hash);
    muster_testkit_pick pick;
    size_t owner = 0;

    policy_test_set(kit, NULL, 3, MUSTER_IDLE);
    policy_test_publish(kit);
    cr_expect_eq(wanted(kit), 0);
    pick = pick_key(kit, "ann");
    cr_assert_eq(pick.verdict, MUSTER_PICK_CONNECT);
    while (id_of(kit, owner) != pick.id) {
        owner++;
    }
    cr_expect_eq(wanted(kit), 1u << owner);
    set_state(kit, owner, MUSTER_CONNECTING);
    cr_expect_eq(pick_key(kit, "ann").verdict, MUSTER_PICK_QUEUE);
    set_state(kit, owner, MUSTER_READY);
    cr_expect_eq(pick_key(kit, "ann").verdict, MUSTER_PICK_INDEX);
    cr_expect_eq(pick_key(kit, "ann").id, pick.id);
    cr_expect_eq(wanted(kit), 1u << owner);
    policy_test_destroy(kit);
}

Test(ring_hash, goes_round_the_ring_past_those_that_failed)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_ring_hash);
    uint64_t owner_id;

    policy_test_set(kit, NULL, 3, MUSTER_READY);
    policy_test_publish(kit);
    owner_id = pick_key(kit, "ann").id;
    for (size_t i = 0; i < 3; i++) {
        if (id_of(kit, i) == owner_id) {
            set_state(kit, i, MUSTER_TRANSIENT_FAILURE);
        }
    }
    cr_expect_eq(pick_key(kit, "ann").verdict, MUSTER_PICK_INDEX);
    cr_expect_neq(pick_key(kit, "ann").id, owner_id);
    for (size_t i = 0; i < 3; i++) {
        set_state(kit, i, MUSTER_TRANSIENT_FAILURE);
    }
    cr_expect_eq(pick_key(kit, "ann").verdict, MUSTER_PICK_FAIL);
    cr_expect_eq(pick_key(kit, "ann").status, 14);
    policy_test_destroy(kit);
}

Test(ring_hash, moves_only_the_keys_of_the_endpoint_that_left)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_ring_hash);
    uint64_t before[1000];
    uint64_t left_id;
    int n_moved = 0;

    policy_test_ready(kit, NULL, 5);
    left_id = id_of(kit, 4);
    for (int i = 0; i < 1000; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "user-%d", i);
        before[i] = pick_key(kit, key).id;
    }
    policy_test_ready(kit, NULL, 4);
    for (int i = 0; i < 1000; i++) {
        char key[16];
        uint64_t id;

        (void)snprintf(key, sizeof key, "user-%d", i);
        id = pick_key(kit, key).id;
        cr_expect(id == before[i] || before[i] == left_id);
        n_moved += id != before[i];
    }
    cr_expect_gt(n_moved, 0);
    policy_test_destroy(kit);
}

/* ---- outlier_detection ---- */

static void finish_calls(muster_testkit_balancer *kit, size_t index, int n,
                         int status)
{
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .flags = MUSTER_OUTCOME_FROM_SERVER,
                                    .status = status};

    for (int i = 0; i < n; i++) {
        muster_testkit_balancer_done(kit, id_of(kit, index), &outcome);
    }
}

static int is_ejected(const muster_testkit_balancer *kit, size_t index)
{
    return muster_testkit_balancer_get_backend(kit, index)->flags ==
           MUSTER_BACKEND_EJECTED;
}

Test(outlier_detection, ejects_what_fails_and_takes_it_back)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_outlier_detection);
    unsigned picked = 0;

    policy_test_ready(kit, NULL, 5);
    for (size_t i = 0; i < 5; i++) {
        finish_calls(kit, i, 50, i == 2 ? 13 : 0);
    }
    (void)muster_testkit_balancer_advance(kit, 9999);
    cr_expect_not(is_ejected(kit, 2));
    (void)muster_testkit_balancer_advance(kit, 1);
    for (size_t i = 0; i < 5; i++) {
        cr_expect_eq(is_ejected(kit, i), i == 2);
    }
    for (int i = 0; i < 100; i++) {
        picked |= 1u << (pick_key(kit, NULL).id - id_of(kit, 0));
    }
    cr_expect_eq(picked, 0x1b); /* all but the third */
    (void)muster_testkit_balancer_advance(kit, 29999);
    cr_expect(is_ejected(kit, 2));
    (void)muster_testkit_balancer_advance(kit, 1);
    cr_expect_not(is_ejected(kit, 2));
    policy_test_destroy(kit);
}

Test(outlier_detection, ejects_twice_as_long_the_second_time)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_outlier_detection);

    policy_test_ready(kit, NULL, 5);
    finish_calls(kit, 2, 50, 13);
    (void)muster_testkit_balancer_advance(kit, 40000);
    cr_expect_not(is_ejected(kit, 2));
    finish_calls(kit, 2, 50, 13);
    (void)muster_testkit_balancer_advance(kit, 69999);
    cr_expect(is_ejected(kit, 2));
    (void)muster_testkit_balancer_advance(kit, 1);
    cr_expect_not(is_ejected(kit, 2));
    policy_test_destroy(kit);
}

Test(outlier_detection, does_not_judge_by_few_calls)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_outlier_detection);

    policy_test_ready(kit, NULL, 5);
    finish_calls(kit, 2, 49, 13);
    (void)muster_testkit_balancer_advance(kit, 10000);
    cr_expect_not(is_ejected(kit, 2));
    policy_test_destroy(kit);
}

/* ---- priority ---- */

/* Endpoints 0 and 1 of priority 0, 2 and 3 of priority 1. */
static muster_testkit_balancer *create_priority(muster_connectivity state)
{
    static const muster_endpoint endpoints[] = {
        {.address = "10.0.0.1:80"},
        {.address = "10.0.0.2:80"},
        {.address = "10.0.1.1:80", .priority = 1},
        {.address = "10.0.1.2:80", .priority = 1}};
    muster_testkit_balancer *kit = create_parent(&skeleton_priority);

    cr_assert_eq(muster_testkit_balancer_set(kit, endpoints, 4, state),
                 MUSTER_OK);
    policy_test_publish(kit);
    (void)muster_testkit_balancer_step(kit);
    return kit;
}

Test(priority, fails_over_after_ten_seconds)
{
    muster_testkit_balancer *kit = create_priority(MUSTER_CONNECTING);

    cr_expect_eq(wanted(kit), 3);
    (void)muster_testkit_balancer_advance(kit, 9999);
    cr_expect_eq(wanted(kit), 3);
    (void)muster_testkit_balancer_advance(kit, 1);
    cr_expect_eq(wanted(kit), 15);
    cr_expect_eq(pick_key(kit, NULL).verdict, MUSTER_PICK_QUEUE);
    set_state(kit, 3, MUSTER_READY);
    cr_expect_eq(pick_key(kit, NULL).id, id_of(kit, 3));
    policy_test_destroy(kit);
}

Test(priority, fails_over_at_once_when_all_failed)
{
    muster_testkit_balancer *kit = create_priority(MUSTER_READY);

    cr_expect_eq(wanted(kit), 3);
    set_state(kit, 0, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(pick_key(kit, NULL).id, id_of(kit, 1));
    set_state(kit, 1, MUSTER_TRANSIENT_FAILURE);
    cr_expect_geq(pick_key(kit, NULL).id, id_of(kit, 2));
    cr_expect_eq(wanted(kit), 15);
    policy_test_destroy(kit);
}

Test(priority, returns_when_the_better_one_is_back)
{
    muster_testkit_balancer *kit = create_priority(MUSTER_CONNECTING);

    (void)muster_testkit_balancer_advance(kit, 10000);
    set_state(kit, 2, MUSTER_READY);
    set_state(kit, 1, MUSTER_READY);
    for (int i = 0; i < 10; i++) {
        cr_expect_eq(pick_key(kit, NULL).id, id_of(kit, 1));
    }
    cr_expect_eq(wanted(kit), 3);
    policy_test_destroy(kit);
}

Test(priority, does_not_fail_over_when_connected_in_time)
{
    muster_testkit_balancer *kit = create_priority(MUSTER_CONNECTING);

    (void)muster_testkit_balancer_advance(kit, 9000);
    set_state(kit, 0, MUSTER_READY);
    (void)muster_testkit_balancer_advance(kit, 60000);
    cr_expect_eq(wanted(kit), 3);
    cr_expect_eq(pick_key(kit, NULL).id, id_of(kit, 0));
    policy_test_destroy(kit);
}

/* ---- weighted_round_robin by load report ---- */

static void report_load(muster_testkit_balancer *kit, size_t index,
                        double utilisation, double calls_per_second)
{
    unsigned char bytes[18];
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .load_report = bytes,
                                    .load_report_size = sizeof bytes};

    bytes[0] = 1 << 3 | 1;
    memcpy(bytes + 1, &utilisation, 8);
    bytes[9] = 6 << 3 | 1;
    memcpy(bytes + 10, &calls_per_second, 8);
    muster_testkit_balancer_done(kit, id_of(kit, index), &outcome);
}

static int count_first(muster_testkit_balancer *kit, int n_picks)
{
    int n_first = 0;

    for (int i = 0; i < n_picks; i++) {
        n_first += policy_test_pick(kit, 0) == 0;
    }
    return n_first;
}

Test(load_report, shares_equally_until_it_knows)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_load_report);

    policy_test_ready(kit, NULL, 2);
    report_load(kit, 0, 0.25, 100);
    cr_expect_float_eq(count_first(kit, 3000), 1500, 3);
    policy_test_destroy(kit);
}

Test(load_report, follows_the_reports_of_the_calls)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_load_report);

    policy_test_ready(kit, NULL, 2);
    report_load(kit, 0, 0.5, 100);
    report_load(kit, 1, 1.0, 100);
    (void)muster_testkit_balancer_advance(kit, 1000);
    cr_expect_float_eq(count_first(kit, 3000), 2000, 3);
    policy_test_destroy(kit);
}

Test(load_report, forgets_reports_that_are_three_minutes_old)
{
    muster_testkit_balancer *kit = create_parent(&skeleton_load_report);

    policy_test_ready(kit, NULL, 2);
    report_load(kit, 0, 0.1, 100);
    report_load(kit, 1, 1.0, 100);
    (void)muster_testkit_balancer_advance(kit, 179000);
    cr_expect_gt(count_first(kit, 3000), 2700);
    (void)muster_testkit_balancer_advance(kit, 1000);
    cr_expect_float_eq(count_first(kit, 3000), 1500, 3);
    policy_test_destroy(kit);
}
