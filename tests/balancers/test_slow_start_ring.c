/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "slow_start" over a child that takes the weights from the list
 * rather than from what is READY. */
#include "policy_test.h"

const muster_plugin *muster_builtin_ring_hash(void);
const muster_plugin *muster_builtin_slow_start(void);

enum { N_KEYS = 10000 };

static muster_testkit_balancer *create(void)
{
    static const muster_balancer_class *children[1]; /* the kit borrows it */
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = muster_builtin_slow_start()->balancers[0],
        .config_json = "{\"slowStartWindow\": \"60s\", \"childPolicy\": "
                       "[{\"ring_hash\": {\"minRingSize\": 4000}}]}",
        .children = children,
        .n_children = 1,
        .seed = 7};
    muster_testkit_balancer *kit = NULL;
    muster_error err = {.code = MUSTER_OK};

    children[0] = muster_builtin_ring_hash()->balancers[0];
    cr_assert_eq(muster_testkit_balancer_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    return kit;
}

/* The part of the keys that the second of two endpoints has. */
static double part_of_second(muster_testkit_balancer *kit)
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_KEYS; i++) {
        char key[16];
        const muster_call_info call = {.struct_size = sizeof call,
                                       .hash_key = key};
        muster_testkit_pick pick;

        (void)snprintf(key, sizeof key, "%u", i);
        muster_testkit_balancer_pick(kit, &call, 0, &pick);
        cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
        n += pick.index == 1;
    }
    return (double)n / N_KEYS;
}

/* While nothing of the list changes, too. */
Test(slow_start_ring, gives_a_new_endpoint_more_keys_by_and_by)
{
    muster_testkit_balancer *kit = create();

    policy_test_ready(kit, NULL, 1);
    (void)muster_testkit_balancer_advance(kit, 3600000);
    policy_test_ready(kit, NULL, 2);
    cr_expect_float_eq(part_of_second(kit), 0.1 / 1.1, 0.03);
    (void)muster_testkit_balancer_advance(kit, 30000);
    cr_expect_float_eq(part_of_second(kit), 0.5 / 1.5, 0.03);
    (void)muster_testkit_balancer_advance(kit, 31000);
    cr_expect_float_eq(part_of_second(kit), 0.5, 0.03);
    policy_test_destroy(kit);
}
