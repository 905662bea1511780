/* SPDX-License-Identifier: Apache-2.0 */
/* The policies "random_subsetting" and "balanced_subsetting" on the fake host;
 * test_subsetting_fleet.c has many clients. */
#include "policy_test.h"

#include <string.h>

const muster_plugin *muster_builtin_subsetting(void);
const muster_plugin *muster_builtin_pick_first(void);
const muster_plugin *muster_builtin_ring_hash(void);
const muster_plugin *muster_builtin_round_robin(void);

#define OVER_ROUND_ROBIN "\"childPolicy\": [{\"round_robin\": {}}]"

enum { N_KINDS = 2 };

/* The policy with a subset of five. */
static const char *const five[N_KINDS] = {
    "{\"subsetSize\": 5, " OVER_ROUND_ROBIN "}",
    "{\"subsetSize\": 5, \"clientIndex\": 7, \"clientCount\": "
    "20, " OVER_ROUND_ROBIN "}"};

/* random_subsetting, balanced_subsetting */
static const muster_balancer_class *kind(int number)
{
    return muster_builtin_subsetting()->balancers[number == 0 ? 0 : 2];
}

static muster_testkit_balancer *create(int number, const char *config,
                                       uint64_t seed)
{
    const muster_balancer_class *const children[] = {
        muster_builtin_round_robin()->balancers[0],
        muster_builtin_ring_hash()->balancers[0],
        muster_builtin_pick_first()->balancers[0], kind(0), kind(1)};
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = kind(number),
        .config_json = config,
        .children = children,
        .n_children = sizeof children / sizeof children[0],
        .seed = seed};
    muster_testkit_balancer *kit = NULL;
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(muster_testkit_balancer_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    return kit;
}

/* Of the first 64 endpoints a bit each, for those that are wanted. */
static uint64_t wanted(const muster_testkit_balancer *kit)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < 64; i++) {
        if (muster_testkit_balancer_is_wanted(kit, i)) {
            bits |= UINT64_C(1) << i;
        }
    }
    return bits;
}

static unsigned count_bits(uint64_t bits)
{
    unsigned n = 0;

    for (; bits != 0; bits &= bits - 1) {
        n++;
    }
    return n;
}

/* The same for those that are picked in n picks. */
static uint64_t picked(muster_testkit_balancer *kit, unsigned n)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < n; i++) {
        muster_testkit_pick pick;

        muster_testkit_balancer_pick(kit, NULL, 0, &pick);
        cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
        for (unsigned k = 0; k < 64; k++) {
            const muster_backend *backend =
                muster_testkit_balancer_get_backend(kit, k);

            if (backend != NULL && backend->id == pick.id) {
                bits |= UINT64_C(1) << k;
            }
        }
    }
    return bits;
}

static void set_state(muster_testkit_balancer *kit, size_t index,
                      muster_connectivity state)
{
    muster_testkit_balancer_set_state(
        kit, index, state,
        state == MUSTER_TRANSIENT_FAILURE ? "refused" : NULL);
    policy_test_publish(kit);
}

/* ---- what is wanted and picked ---- */

Test(subsetting, wants_no_more_than_the_subset)
{
    for (int number = 0; number < N_KINDS; number++) {
        muster_testkit_balancer *kit = create(number, five[number], 1);

        policy_test_set(kit, NULL, 40, MUSTER_IDLE);
        policy_test_publish(kit);
        cr_expect_eq(count_bits(wanted(kit)), 5);
        policy_test_destroy(kit);
    }
}

Test(subsetting, picks_nothing_outside_of_the_subset_though_it_is_ready)
{
    for (int number = 0; number < N_KINDS; number++) {
        muster_testkit_balancer *kit = create(number, five[number], 1);

        policy_test_ready(kit, NULL, 40);
        cr_expect_eq(picked(kit, 500), wanted(kit));
        policy_test_destroy(kit);
    }
}

Test(subsetting, picks_only_what_is_ready_of_the_subset)
{
    for (int number = 0; number < N_KINDS; number++) {
        muster_testkit_balancer *kit = create(number, five[number], 1);
        uint64_t subset;
        unsigned first = 0;

        policy_test_ready(kit, NULL, 40);
        subset = wanted(kit);
        while ((subset >> first & 1) == 0) {
            first++;
        }
        set_state(kit, first, MUSTER_TRANSIENT_FAILURE);
        cr_expect_eq(wanted(kit), subset); /* no other takes its place */
        cr_expect_eq(picked(kit, 500), subset & ~(UINT64_C(1) << first));
        policy_test_destroy(kit);
    }
}

Test(subsetting, makes_calls_wait_while_none_of_the_subset_is_ready)
{
    for (int number = 0; number < N_KINDS; number++) {
        muster_testkit_balancer *kit = create(number, five[number], 1);
        muster_testkit_pick pick;
        uint64_t subset;

        policy_test_ready(kit, NULL, 40);
        subset = wanted(kit);
        for (unsigned i = 0; i < 40; i++) {
            if ((subset >> i & 1) != 0) {
                set_state(kit, i, MUSTER_CONNECTING);
            }
        }
        muster_testkit_balancer_pick(kit, NULL, 0, &pick);
        cr_expect_eq(pick.verdict, MUSTER_PICK_QUEUE);
        policy_test_destroy(kit);
    }
}

/* Of one endpoint, whose place another one of 40 takes with this seed. */
Test(subsetting, uses_the_former_subset_until_the_new_one_is_ready)
{
    muster_testkit_balancer *kit = create(
        0, "{\"subsetSize\": 1, \"childPolicy\": [{\"round_robin\": {}}]}", 1);
    unsigned next = 0;

    policy_test_ready(kit, NULL, 1);
    cr_assert_eq(picked(kit, 10), 1);
    policy_test_set(kit, NULL, 40, MUSTER_IDLE);
    set_state(kit, 0, MUSTER_READY);
    cr_assert_eq(count_bits(wanted(kit)), 2); /* another, and the first */
    cr_assert_eq(wanted(kit) & 1, 1);
    cr_expect_eq(picked(kit, 10), 1);
    while ((wanted(kit) >> next & 1) == 0 || next == 0) {
        next++;
    }
    set_state(kit, next, MUSTER_CONNECTING);
    cr_expect_eq(picked(kit, 10), 1);
    set_state(kit, next, MUSTER_READY);
    cr_expect_eq(picked(kit, 10), UINT64_C(1) << next);
    cr_expect_eq(wanted(kit), UINT64_C(1) << next);
    set_state(kit, next, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(wanted(kit), UINT64_C(1) << next);
    policy_test_destroy(kit);
}

Test(subsetting, uses_all_when_there_are_no_more)
{
    for (int number = 0; number < N_KINDS; number++) {
        muster_testkit_balancer *kit = create(number, five[number], 1);

        policy_test_ready(kit, NULL, 0);
        for (size_t n = 1; n <= 5; n++) {
            policy_test_ready(kit, NULL, n);
            cr_expect_eq(wanted(kit), (UINT64_C(1) << n) - 1);
            cr_expect_eq(picked(kit, 100), wanted(kit));
        }
        policy_test_destroy(kit);
    }
}

Test(subsetting, takes_a_subset_of_each_priority)
{
    static muster_endpoint endpoints[40];
    static char addresses[40][16];

    for (uint32_t i = 0; i < 40; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.0.%u:1", i);
        endpoints[i].address = addresses[i];
        endpoints[i].priority = i / 20;
    }
    for (int number = 0; number < N_KINDS; number++) {
        muster_testkit_balancer *kit = create(number, five[number], 1);

        (void)muster_testkit_balancer_set(kit, endpoints, 40, MUSTER_READY);
        policy_test_publish(kit);
        cr_expect_eq(count_bits(wanted(kit) & 0xfffff), 5);
        cr_expect_eq(count_bits(wanted(kit) >> 20), 5);
        for (int i = 0; i < 20; i++) {
            endpoints[i].priority = 1;
        }
        (void)muster_testkit_balancer_set(kit, endpoints, 40, MUSTER_READY);
        policy_test_publish(kit);
        cr_expect_eq(count_bits(wanted(kit)), 5);
        for (int i = 0; i < 20; i++) {
            endpoints[i].priority = 0;
        }
        policy_test_destroy(kit);
    }
}

/* ---- changes ---- */

Test(subsetting, stays_when_states_change_and_nothing_else)
{
    for (int number = 0; number < N_KINDS; number++) {
        muster_testkit_balancer *kit = create(number, five[number], 1);
        uint64_t subset;

        policy_test_ready(kit, NULL, 40);
        subset = wanted(kit);
        for (unsigned i = 0; i < 40; i++) {
            set_state(kit, i, MUSTER_TRANSIENT_FAILURE);
            cr_expect_eq(wanted(kit), subset);
            set_state(kit, i, MUSTER_READY);
        }
        policy_test_destroy(kit);
    }
}

/* The list begins with those that stay. */
Test(subsetting, changes_by_one_at_most_when_one_comes_or_leaves)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        muster_testkit_balancer *kit = create(0, five[0], seed);

        for (size_t n = 10; n < 60; n++) {
            uint64_t before;
            uint64_t after;

            policy_test_ready(kit, NULL, n);
            before = wanted(kit);
            policy_test_ready(kit, NULL, n + 1);
            after = wanted(kit);
            cr_expect_leq(count_bits(after & ~before), 1);
            policy_test_ready(kit, NULL, n);
            cr_expect_eq(wanted(kit), before);
        }
        policy_test_destroy(kit);
    }
}

Test(subsetting, notices_a_list_of_the_same_length)
{
    for (int number = 0; number < N_KINDS; number++) {
        muster_testkit_balancer *kit = create(number, five[number], 1);
        muster_endpoint endpoint[2] = {{.address = "10.0.0.1:1"},
                                       {.address = "10.0.0.2:1"}};

        for (int i = 0; i < 4; i++) {
            (void)muster_testkit_balancer_set(kit, &endpoint[i % 2], 1,
                                              MUSTER_READY);
            policy_test_publish(kit);
            cr_expect_eq(picked(kit, 3), 1);
        }
        policy_test_destroy(kit);
    }
}

/* ---- what differs ---- */

Test(subsetting, at_random_depends_on_nothing_but_the_seed_and_the_addresses)
{
    muster_testkit_balancer *one = create(0, five[0], 5);
    muster_testkit_balancer *same = create(0, five[0], 5);
    muster_testkit_balancer *other = create(0, five[0], 6);

    policy_test_ready(one, NULL, 60);
    policy_test_ready(same, NULL, 30);
    policy_test_ready(same, NULL, 60);
    policy_test_ready(other, NULL, 60);
    cr_expect_eq(wanted(one), wanted(same));
    cr_expect_neq(wanted(one), wanted(other));
    policy_test_destroy(one);
    policy_test_destroy(same);
    policy_test_destroy(other);
}

/* gRFC A68: sorted by hash, so that pick_first takes any of them first. */
Test(subsetting, at_random_gives_the_child_the_order_of_the_hashes)
{
    unsigned counts[4] = {0};

    for (uint64_t seed = 0; seed < 400; seed++) {
        muster_testkit_balancer *kit =
            create(0,
                   "{\"subsetSize\": 4, \"childPolicy\": "
                   "[{\"pick_first\": {}}]}",
                   seed);
        uint64_t bits;

        policy_test_set(kit, NULL, 4, MUSTER_IDLE);
        policy_test_publish(kit);
        bits = wanted(kit);
        cr_assert_eq(count_bits(bits), 1);
        for (int i = 0; i < 4; i++) {
            counts[i] += (bits >> i & 1) != 0;
        }
        policy_test_destroy(kit);
    }
    for (int i = 0; i < 4; i++) {
        cr_expect(counts[i] > 60 && counts[i] < 140, "%u", counts[i]);
    }
}

Test(subsetting, that_is_balanced_depends_on_no_seed_and_no_order)
{
    muster_endpoint endpoints[] = {{.address = "10.0.0.1:1"},
                                   {.address = "10.0.0.2:1"},
                                   {.address = "10.0.0.3:1"},
                                   {.address = "10.0.0.4:1"}};
    const char *chosen[2] = {NULL, NULL};

    for (int i = 0; i < 2; i++) {
        muster_testkit_balancer *kit =
            create(1,
                   "{\"subsetSize\": 1, \"clientIndex\": 2, "
                   "\"clientCount\": 4, " OVER_ROUND_ROBIN "}",
                   (uint64_t)i);
        muster_testkit_pick pick;

        (void)muster_testkit_balancer_set(kit, endpoints, 4, MUSTER_READY);
        policy_test_publish(kit);
        muster_testkit_balancer_pick(kit, NULL, 0, &pick);
        for (int k = 0; k < 4; k++) {
            if (strcmp(endpoints[k].address, pick.endpoint->address) == 0) {
                chosen[i] = endpoints[k].address;
            }
        }
        endpoints[0].address = "10.0.0.4:1";
        endpoints[3].address = "10.0.0.1:1";
        policy_test_destroy(kit);
    }
    cr_expect_str_eq(chosen[0], chosen[1]);
}

/* ---- children ---- */

Test(subsetting, lets_a_child_connect_on_demand)
{
    static const char *const configs[N_KINDS] = {
        "{\"subsetSize\": 5, \"childPolicy\": [{\"ring_hash\": {}}]}",
        "{\"subsetSize\": 5, \"clientIndex\": 0, \"clientCount\": 1, "
        "\"childPolicy\": [{\"ring_hash\": {}}]}"};

    for (int number = 0; number < N_KINDS; number++) {
        muster_testkit_balancer *kit = create(number, configs[number], 1);
        uint64_t asked = 0;

        policy_test_set(kit, NULL, 40, MUSTER_IDLE);
        policy_test_publish(kit);
        cr_expect_eq(wanted(kit), 0);
        for (int i = 0; i < 200; i++) {
            char key[16];
            const muster_call_info call = {.struct_size = (uint32_t)sizeof call,
                                           .hash_key = key};
            muster_testkit_pick pick;

            (void)snprintf(key, sizeof key, "%d", i);
            muster_testkit_balancer_pick(kit, &call, 0, &pick);
            cr_expect_eq(pick.verdict, MUSTER_PICK_CONNECT);
            asked |= wanted(kit);
        }
        cr_expect_eq(count_bits(asked), 5);
        policy_test_destroy(kit);
    }
}

Test(subsetting, works_in_itself)
{
    muster_testkit_balancer *kit =
        create(1,
               "{\"subsetSize\": 10, \"clientIndex\": 0, \"clientCount\": 3, "
               "\"childPolicy\": [{\"random_subsetting\": {\"subsetSize\": "
               "3, " OVER_ROUND_ROBIN "}}]}",
               1);

    policy_test_ready(kit, NULL, 40);
    cr_expect_eq(count_bits(wanted(kit)), 3);
    cr_expect_eq(picked(kit, 100), wanted(kit));
    policy_test_destroy(kit);
}

/* ---- settings ---- */

Test(subsetting, answers_to_the_experimental_name)
{
    cr_expect_str_eq(muster_builtin_subsetting()->balancers[1]->name,
                     "random_subsetting_experimental");
    cr_expect_eq(muster_builtin_subsetting()->balancers[1]->create,
                 kind(0)->create);
}

Test(subsetting, refuses_wrong_settings)
{
    static const char *const wrong[][2] = {
        {"{}", "$.subsetSize: must be given"},
        {"{\"subsetSize\": 0}",
         "$.subsetSize: must be a whole number from 1 to 4294967295"},
        {"{\"subsetSize\": 3}", "$.childPolicy: must be given"},
        {"{\"subsetSize\": 3, \"childPolicy\": [{\"x\": {}}]}",
         "$.childPolicy: must be a list with a policy that is known"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        muster_error err = policy_test_refuse(kind(0), wrong[i][0]);

        cr_expect_str_eq(err.message, wrong[i][1]);
    }
}

Test(subsetting, that_is_balanced_refuses_clients_that_do_not_exist)
{
    static const char *const wrong[][2] = {
        {"{\"subsetSize\": 3}", "$.clientCount: must be given"},
        {"{\"subsetSize\": 3, \"clientCount\": 9}",
         "$.clientIndex: must be given"},
        {"{\"subsetSize\": 3, \"clientCount\": 9, \"clientIndex\": 9}",
         "$.clientIndex: must be a whole number from 0 to 8"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        muster_error err = policy_test_refuse(kind(1), wrong[i][0]);

        cr_expect_str_eq(err.message, wrong[i][1]);
    }
}
