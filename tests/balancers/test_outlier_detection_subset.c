/* SPDX-License-Identifier: Apache-2.0 */
/* The policy outlier_detection as a child, of a parent that gives it a part of
 * the list. */
#include "outlier_test.h"

/* Gives its child the first n_given. */
static struct {
    muster_balancer_env env;
    muster_child *child;
    size_t n_given;
} part;

static muster_status part_create(const muster_balancer_env *env,
                                 void **ret_self, muster_error *err)
{
    part.env = *env;
    *ret_self = &part;
    return env->host->child_create(env->ctx, "outlier_detection",
                                   env->config_json, &part.child, err);
}

static void part_update(void *self, const muster_balancer_update *update)
{
    muster_balancer_update given = *update;

    (void)self;
    given.n_backends = part.n_given;
    if (part.child != NULL) {
        part.env.host->child_update(part.child, &given);
    }
}

static muster_verdict part_pick(void *self, void *table,
                                const muster_pick_args *args,
                                muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    (void)result;
    return MUSTER_PICK_QUEUE;
}

static void part_done(void *self, uint64_t id, void *state,
                      const muster_outcome *outcome)
{
    (void)self;
    (void)state;
    part.env.host->child_done(part.child, id, outcome);
}

static void part_destroy(void *self)
{
    (void)self;
    part.env.host->child_destroy(part.child);
}

static const muster_balancer_class part_class = {
    .struct_size = (uint32_t)sizeof part_class,
    .name = "part",
    .create = part_create,
    .update = part_update,
    .pick = part_pick,
    .done = part_done,
    .destroy = part_destroy,
};

/* Of four READY endpoints the child has three, and the last of those is
 * ejected. */
static muster_testkit_balancer *create_with_one_ejected(void)
{
    static const muster_balancer_class *children[2];
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = &part_class,
        .config_json = "{\"failurePercentageEjection\": {\"minimumHosts\": 1, "
                       "\"requestVolume\": 1}}",
        .children = children,
        .n_children = 2};
    muster_testkit_balancer *kit = NULL;

    children[0] = outlier_test_policy();
    children[1] = muster_builtin_round_robin()->balancers[0];
    part.n_given = 3;
    cr_assert_eq(muster_testkit_balancer_create(&options, &kit, NULL),
                 MUSTER_OK);
    policy_test_ready(kit, NULL, 4);
    outlier_test_call(kit, 2, 1, 1);
    outlier_test_wait(kit, 10);
    cr_assert_eq(outlier_test_ejected(kit), 1 << 2);
    return kit;
}

Test(outlier_subset, takes_back_what_it_does_not_have_any_more)
{
    muster_testkit_balancer *kit = create_with_one_ejected();

    part.n_given = 2;
    policy_test_publish(kit);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    part.n_given = 4;
    policy_test_publish(kit);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

Test(outlier_subset, takes_all_back_at_its_end)
{
    muster_testkit_balancer *kit = create_with_one_ejected();

    part.env.host->child_destroy(part.child);
    part.child = NULL;
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}
