/* SPDX-License-Identifier: Apache-2.0 */
/* The policy ring_hash and the states of endpoints: whom it connects, for whom
 * calls wait (gRFC A42, A61, A76). */
#include "hashing_test.h"

const muster_plugin *muster_builtin_ring_hash(void);

static const muster_balancer_class *policy(void)
{
    return muster_builtin_ring_hash()->balancers[0];
}

/* n endpoints in a state. */
static muster_testkit_balancer *create(const char *json, size_t n,
                                       muster_connectivity state)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), json, 1);

    policy_test_set(kit, NULL, n, state);
    policy_test_publish(kit);
    (void)muster_testkit_balancer_step(kit);
    return kit;
}

static size_t index_of(const muster_testkit_balancer *kit, uint64_t id)
{
    size_t i = 0;

    while (muster_testkit_balancer_get_backend(kit, i)->id != id) {
        i++;
    }
    return i;
}

static void set_state(muster_testkit_balancer *kit, uint64_t id,
                      muster_connectivity state)
{
    muster_testkit_balancer_set_state(
        kit, index_of(kit, id), state,
        state == MUSTER_TRANSIENT_FAILURE ? "refused" : NULL);
    policy_test_publish(kit);
    (void)muster_testkit_balancer_step(kit);
}

static unsigned n_wanted(const muster_testkit_balancer *kit)
{
    unsigned n = 0;

    for (size_t i = 0; muster_testkit_balancer_get_backend(kit, i) != NULL;
         i++) {
        n += muster_testkit_balancer_is_wanted(kit, i) != 0;
    }
    return n;
}

/* ---- calls with a key ---- */

Test(ring_hash_states, connects_nobody_before_a_call)
{
    muster_testkit_balancer *kit = create(NULL, 5, MUSTER_IDLE);

    cr_expect_eq(n_wanted(kit), 0);
    policy_test_destroy(kit);
}

Test(ring_hash_states, connects_the_owner_and_waits_for_it)
{
    muster_testkit_balancer *kit = create(NULL, 5, MUSTER_IDLE);
    uint64_t owner;

    cr_expect_eq(hashing_test_pick(kit, "key").verdict, MUSTER_PICK_CONNECT);
    owner = hashing_test_pick(kit, "key").id;
    cr_expect_eq(n_wanted(kit), 1);
    set_state(kit, owner, MUSTER_CONNECTING);
    cr_expect_eq(hashing_test_pick(kit, "key").verdict, MUSTER_PICK_QUEUE);
    set_state(kit, owner, MUSTER_READY);
    cr_expect_eq(hashing_test_pick(kit, "key").verdict, MUSTER_PICK_INDEX);
    cr_expect_eq(hashing_test_pick(kit, "key").id, owner);
    cr_expect_eq(n_wanted(kit), 1);
    policy_test_destroy(kit);
}

Test(ring_hash_states, goes_on_along_the_ring_from_what_has_failed)
{
    muster_testkit_balancer *kit = create(NULL, 5, MUSTER_IDLE);
    uint64_t passed[5];

    for (int i = 0; i < 5; i++) {
        muster_testkit_pick pick = hashing_test_pick(kit, "key");

        cr_assert_eq(pick.verdict, MUSTER_PICK_CONNECT);
        for (int k = 0; k < i; k++) {
            cr_expect_neq(pick.id, passed[k]);
        }
        passed[i] = pick.id;
        set_state(kit, pick.id, MUSTER_TRANSIENT_FAILURE);
    }
    cr_expect_eq(hashing_test_pick(kit, "key").verdict, MUSTER_PICK_QUEUE);
    set_state(kit, passed[3], MUSTER_READY);
    cr_expect_eq(hashing_test_pick(kit, "key").id, passed[3]);
    set_state(kit, passed[1], MUSTER_CONNECTING);
    cr_expect_eq(hashing_test_pick(kit, "key").verdict, MUSTER_PICK_QUEUE);
    set_state(kit, passed[0], MUSTER_READY);
    cr_expect_eq(hashing_test_pick(kit, "key").id, passed[0]);
    policy_test_destroy(kit);
}

Test(ring_hash_states, passes_by_whom_it_may_not_use)
{
    muster_testkit_balancer *kit = create(NULL, 5, MUSTER_READY);
    uint64_t owner = hashing_test_pick(kit, "key").id;

    muster_testkit_balancer_set_unhealthy(kit, index_of(kit, owner), 1);
    policy_test_publish(kit);
    cr_expect_eq(hashing_test_pick(kit, "key").verdict, MUSTER_PICK_INDEX);
    cr_expect_neq(hashing_test_pick(kit, "key").id, owner);
    muster_testkit_balancer_set_unhealthy(kit, index_of(kit, owner), 0);
    policy_test_publish(kit);
    cr_expect_eq(hashing_test_pick(kit, "key").id, owner);
    policy_test_destroy(kit);
}

Test(ring_hash_states, waits_when_the_list_is_empty)
{
    muster_testkit_balancer *kit = create(NULL, 0, MUSTER_IDLE);

    cr_expect_eq(hashing_test_pick(kit, "key").verdict, MUSTER_PICK_QUEUE);
    cr_expect_eq(hashing_test_pick(kit, NULL).verdict, MUSTER_PICK_QUEUE);
    policy_test_set(kit, NULL, 3, MUSTER_READY);
    policy_test_publish(kit);
    cr_expect_eq(hashing_test_pick(kit, "key").verdict, MUSTER_PICK_INDEX);
    policy_test_destroy(kit);
}

/* ---- members without a point ---- */

/* Beside a member of such a weight, one of weight 1 gets no point. */
static muster_testkit_balancer *create_pointless(const char *json,
                                                 muster_connectivity state)
{
    static const uint32_t weights[] = {1000000, 1, 1};
    muster_testkit_balancer *kit = policy_test_create(policy(), json, 1);

    policy_test_set(kit, weights, 3, state);
    muster_testkit_balancer_set_state(kit, 0, MUSTER_TRANSIENT_FAILURE,
                                      "refused");
    policy_test_publish(kit);
    (void)muster_testkit_balancer_step(kit);
    return kit;
}

Test(ring_hash_states, uses_those_without_a_point_when_all_others_failed)
{
    muster_testkit_balancer *kit = create_pointless(NULL, MUSTER_READY);
    unsigned counts[3] = {0};

    for (unsigned i = 0; i < 200; i++) {
        muster_testkit_pick pick = hashing_test_pick(kit, hashing_test_key(i));

        cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
        counts[index_of(kit, pick.id)]++;
        cr_expect_eq(hashing_test_pick(kit, hashing_test_key(i)).id, pick.id);
        cr_expect_eq(hashing_test_pick(kit, NULL).verdict, MUSTER_PICK_INDEX);
    }
    cr_expect_eq(counts[0], 0);
    cr_expect(counts[1] > 50 && counts[2] > 50, "%u and %u", counts[1],
              counts[2]);
    policy_test_destroy(kit);
}

Test(ring_hash_states, connects_those_without_a_point_when_all_others_failed)
{
    muster_testkit_balancer *kit = create_pointless(NULL, MUSTER_IDLE);
    muster_testkit_pick pick = hashing_test_pick(kit, "key");

    cr_expect_eq(hashing_test_pick(kit, NULL).verdict, MUSTER_PICK_CONNECT);
    cr_assert_eq(pick.verdict, MUSTER_PICK_CONNECT);
    set_state(kit, pick.id, MUSTER_CONNECTING);
    cr_expect_eq(hashing_test_pick(kit, NULL).verdict, MUSTER_PICK_QUEUE);
    set_state(kit, pick.id, MUSTER_READY);
    cr_expect_eq(hashing_test_pick(kit, "key").verdict, MUSTER_PICK_INDEX);
    policy_test_destroy(kit);
}

/* An owner for every hash, not one for all of them. */
Test(ring_hash_states, bounds_the_load_of_those_without_a_point)
{
    muster_testkit_balancer *kit =
        create_pointless("{\"hashBalanceFactor\": 100000}", MUSTER_READY);
    unsigned counts[3] = {0};

    for (unsigned i = 0; i < 200; i++) {
        muster_testkit_pick pick = hashing_test_pick(kit, hashing_test_key(i));

        cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
        counts[index_of(kit, pick.id)]++;
        muster_testkit_balancer_done(kit, pick.id, NULL);
    }
    cr_expect(counts[1] > 50 && counts[2] > 50, "%u and %u", counts[1],
              counts[2]);
    policy_test_destroy(kit);
}

/* ---- whom nobody asked for ---- */

Test(ring_hash_states, tries_another_by_itself_when_one_has_failed)
{
    muster_testkit_balancer *kit = create(NULL, 5, MUSTER_IDLE);
    uint64_t owner = hashing_test_pick(kit, "key").id;

    set_state(kit, owner, MUSTER_CONNECTING);
    cr_expect_eq(n_wanted(kit), 1);
    set_state(kit, owner, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(n_wanted(kit), 2);
    policy_test_destroy(kit);
}

Test(ring_hash_states, connects_one_of_a_list_that_replaces_one_that_served)
{
    muster_testkit_balancer *kit = create(NULL, 3, MUSTER_READY);
    const muster_endpoint other[] = {{.address = "10.9.0.1:80"},
                                     {.address = "10.9.0.2:80"}};

    cr_assert_eq(muster_testkit_balancer_set(kit, other, 2, MUSTER_IDLE),
                 MUSTER_OK);
    policy_test_publish(kit);
    cr_expect_eq(n_wanted(kit), 1);
    policy_test_destroy(kit);
}

Test(ring_hash_states, keeps_what_was_connected_before_it_came)
{
    muster_testkit_balancer *kit = create(NULL, 3, MUSTER_READY);

    cr_expect_eq(n_wanted(kit), 3);
    policy_test_destroy(kit);
}

Test(ring_hash_states, connects_all_when_told_to_or_when_load_is_bounded)
{
    muster_testkit_balancer *kit =
        create("{\"connectAll\": true}", 5, MUSTER_IDLE);

    cr_expect_eq(n_wanted(kit), 5);
    policy_test_destroy(kit);
    kit = create("{\"hashBalanceFactor\": 125}", 5, MUSTER_IDLE);
    cr_expect_eq(n_wanted(kit), 5);
    policy_test_destroy(kit);
}

/* ---- calls without a key ---- */

Test(ring_hash_states, uses_what_is_ready_for_a_call_without_a_key)
{
    muster_testkit_balancer *kit = create(NULL, 5, MUSTER_IDLE);
    muster_testkit_pick pick = hashing_test_pick(kit, NULL);
    uint64_t first = pick.id;

    cr_expect_eq(pick.verdict, MUSTER_PICK_CONNECT);
    set_state(kit, first, MUSTER_CONNECTING);
    cr_expect_eq(hashing_test_pick(kit, NULL).verdict, MUSTER_PICK_QUEUE);
    set_state(kit, first, MUSTER_READY);
    for (int i = 0; i < 100; i++) {
        cr_expect_eq(hashing_test_pick(kit, NULL).id, first);
    }
    policy_test_destroy(kit);
}

/* A76: at most one attempt at a time. */
Test(ring_hash_states, connects_one_after_the_other_for_calls_without_a_key)
{
    muster_testkit_balancer *kit = create(NULL, 5, MUSTER_IDLE);

    set_state(kit, hashing_test_pick(kit, NULL).id, MUSTER_READY);
    for (unsigned n = 2; n <= 5; n++) {
        size_t fresh = 0;

        for (int i = 0; i < 100; i++) {
            (void)hashing_test_pick(kit, NULL);
        }
        (void)muster_testkit_balancer_step(kit);
        cr_assert_eq(n_wanted(kit), n);
        while (!muster_testkit_balancer_is_wanted(kit, fresh) ||
               muster_testkit_balancer_get_backend(kit, fresh)->connectivity !=
                   MUSTER_IDLE) {
            fresh++;
        }
        muster_testkit_balancer_set_state(kit, fresh, MUSTER_CONNECTING, NULL);
        policy_test_publish(kit);
        for (int i = 0; i < 100; i++) {
            (void)hashing_test_pick(kit, NULL);
        }
        (void)muster_testkit_balancer_step(kit);
        cr_expect_eq(n_wanted(kit), n);
        muster_testkit_balancer_set_state(kit, fresh, MUSTER_READY, NULL);
        policy_test_publish(kit);
    }
    policy_test_destroy(kit);
}

/* ---- what is published ---- */

Test(ring_hash_states, asks_for_a_table_only_when_picks_would_see_no_other)
{
    muster_testkit_balancer *kit = create(NULL, 3, MUSTER_IDLE);
    uint64_t n = muster_testkit_balancer_get(kit)->n_republished;
    uint64_t id = muster_testkit_balancer_get_backend(kit, 1)->id;

    policy_test_publish(kit);
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_republished, n);
    set_state(kit, id, MUSTER_CONNECTING);
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_republished, n + 1);
    set_state(kit, id, MUSTER_READY); /* that changes the view */
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_republished, n + 1);
    policy_test_destroy(kit);
}

/* ---- priorities ---- */

static void set_priorities(muster_testkit_balancer *kit)
{
    muster_endpoint endpoints[6] = {
        {.address = "10.0.0.0:80"}, {.address = "10.0.0.1:80"},
        {.address = "10.0.0.2:80"}, {.address = "10.0.0.3:80"},
        {.address = "10.0.0.4:80"}, {.address = "10.0.0.5:80"}};

    for (uint32_t i = 0; i < 6; i++) {
        endpoints[i].priority = i / 3;
    }
    cr_assert_eq(muster_testkit_balancer_set(kit, endpoints, 6, MUSTER_IDLE),
                 MUSTER_OK);
    policy_test_publish(kit);
}

/* The priorities of 50 keys' endpoints: all the same. */
static uint32_t priority_of_keys(muster_testkit_balancer *kit)
{
    uint32_t priority =
        hashing_test_pick(kit, hashing_test_key(0)).endpoint->priority;

    for (unsigned i = 0; i < 50; i++) {
        muster_testkit_pick pick = hashing_test_pick(kit, hashing_test_key(i));

        cr_assert_not_null(pick.endpoint);
        cr_expect_eq(pick.endpoint->priority, priority);
    }
    return priority;
}

Test(ring_hash_states, has_the_endpoints_of_one_priority_on_its_ring)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    set_priorities(kit);
    cr_expect_eq(priority_of_keys(kit), 0);
    for (size_t i = 0; i < 2; i++) { /* A42: two are enough to give it up */
        muster_testkit_balancer_set_state(kit, i, MUSTER_TRANSIENT_FAILURE,
                                          "refused");
    }
    policy_test_publish(kit);
    cr_expect_eq(priority_of_keys(kit), 1);
    muster_testkit_balancer_set_state(kit, 0, MUSTER_READY, NULL);
    policy_test_publish(kit);
    cr_expect_eq(priority_of_keys(kit), 0);
    policy_test_destroy(kit);
}
