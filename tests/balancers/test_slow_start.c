/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "slow_start" on the fake host. */
#include "policy_test.h"

#include <stdatomic.h>
#include <string.h>

const muster_plugin *muster_builtin_slow_start(void);
const muster_plugin *muster_builtin_round_robin(void);
const muster_plugin *muster_builtin_subsetting(void);
const muster_plugin *muster_builtin_weighted_round_robin(void);

#define MINUTE "\"slowStartWindow\": \"60s\""
#define OVER_SPY ", \"childPolicy\": [{\"spy\": {}}]"

/* ---- a child that notes what it is told ---- */

static uint32_t told[8];  /* weights, by update() */
static uint32_t built[8]; /* and by build() */
static size_t n_built;
static unsigned n_builds;
static uint64_t last_done;

static muster_status spy_create(const muster_balancer_env *env, void **ret_self,
                                muster_error *err)
{
    (void)env;
    (void)err;
    *ret_self = built;
    return MUSTER_OK;
}

static size_t note_weights(const muster_backend *backends, size_t stride,
                           size_t n, uint32_t *weights)
{
    for (size_t i = 0; i < n; i++) {
        const void *at = (const char *)backends + i * stride;

        weights[i] = ((const muster_backend *)at)->endpoint->weight;
    }
    return n;
}

static void spy_update(void *self, const muster_balancer_update *update)
{
    (void)self;
    (void)note_weights(update->backends, update->backend_size,
                       update->n_backends, told);
}

static muster_status spy_build(void *self, const muster_build_args *args,
                               void **ret_table, muster_error *err)
{
    (void)self;
    (void)err;
    n_built =
        note_weights(args->ready, args->backend_size, args->n_ready, built);
    n_builds++;
    *ret_table = NULL;
    return MUSTER_OK;
}

static muster_verdict spy_pick(void *self, void *table,
                               const muster_pick_args *args,
                               muster_pick_result *result)
{
    (void)self;
    (void)table;
    result->index = args->n_ready - 1;
    return MUSTER_PICK_INDEX;
}

static void spy_done(void *self, uint64_t id, void *state,
                     const muster_outcome *outcome)
{
    (void)self;
    (void)state;
    (void)outcome;
    last_done = id;
}

static void spy_table_destroy(void *self, void *table)
{
    (void)self;
    (void)table;
}

static void spy_destroy(void *self)
{
    (void)self;
}

static const muster_balancer_class spy = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_USES_WEIGHTS,
    .name = "spy",
    .create = spy_create,
    .update = spy_update,
    .build = spy_build,
    .pick = spy_pick,
    .done = spy_done,
    .table_destroy = spy_table_destroy,
    .destroy = spy_destroy,
};

/* ---- kits ---- */

static const muster_balancer_class *slow_start(void)
{
    return muster_builtin_slow_start()->balancers[0];
}

static muster_testkit_balancer *create_of(const muster_balancer_class *policy,
                                          const char *config)
{
    const muster_balancer_class *const children[] = {
        &spy, slow_start(), muster_builtin_round_robin()->balancers[0],
        muster_builtin_weighted_round_robin()->balancers[0],
        muster_builtin_subsetting()->balancers[0]};
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = policy,
        .config_json = config,
        .children = children,
        .n_children = sizeof children / sizeof children[0],
        .seed = 7};
    muster_testkit_balancer *kit = NULL;
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(muster_testkit_balancer_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    return kit;
}

static muster_testkit_balancer *create(const char *config)
{
    return create_of(slow_start(), config);
}

static void set_state(muster_testkit_balancer *kit, size_t index,
                      muster_connectivity state)
{
    muster_testkit_balancer_set_state(
        kit, index, state,
        state == MUSTER_TRANSIENT_FAILURE ? "refused" : NULL);
    policy_test_publish(kit);
}

/* The share of the last endpoint of n in that of the first. */
static double share_of_last(size_t n)
{
    cr_assert_eq(n_built, n);
    return (double)built[n - 1] / built[0];
}

/* One endpoint that is warm, and one that is READY since now. */
static void begin_beside_a_warm_one(muster_testkit_balancer *kit,
                                    const uint32_t *weights)
{
    policy_test_ready(kit, weights, 1);
    (void)muster_testkit_balancer_advance(kit, 3600000);
    policy_test_ready(kit, weights, 2);
}

/* ---- the formula ---- */

typedef struct vector {
    const char *config;
    uint64_t after_ms;
    double factor;
} vector;

/* weight * max(min_weight_percent, (time / window) ^ (1 / aggression)). */
static const vector vectors[] = {
    {MINUTE, 0, 0.1},
    {MINUTE, 6000, 0.1},
    {MINUTE, 15000, 0.25},
    {MINUTE, 30000, 0.5},
    {MINUTE, 45000, 0.75},
    {MINUTE, 59400, 0.99},
    {MINUTE, 60000, 1},
    {MINUTE, 90000, 1},
    {MINUTE ", \"minWeightPercent\": 0", 600, 0.01},
    {MINUTE ", \"minWeightPercent\": 30", 15000, 0.3},
    {MINUTE ", \"minWeightPercent\": 100", 0, 1},
    {MINUTE ", \"aggression\": 2", 15000, 0.5},
    {MINUTE ", \"aggression\": 0.5", 30000, 0.25},
    {MINUTE ", \"aggression\": 0.5", 48000, 0.64},
    {MINUTE ", \"aggression\": 1.5", 15000, 0.3969},
    {"\"slowStartWindow\": \"0.5s\"", 300, 0.6},
    {"\"slowStartWindow\": \"0.000001s\"", 0, 1},
};

Test(slow_start, gives_a_new_endpoint_the_share_of_the_formula)
{
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char config[160];
        muster_testkit_balancer *kit;

        (void)snprintf(config, sizeof config, "{%s" OVER_SPY "}",
                       vectors[i].config);
        kit = create(config);
        begin_beside_a_warm_one(kit, NULL);
        (void)muster_testkit_balancer_advance(kit, vectors[i].after_ms);
        cr_expect_float_eq(share_of_last(2), vectors[i].factor, 1e-9,
                           "%s after %llu ms: %f", vectors[i].config,
                           (unsigned long long)vectors[i].after_ms,
                           share_of_last(2));
        policy_test_destroy(kit);
    }
}

Test(slow_start, scales_the_weights_that_endpoints_have)
{
    const uint32_t weights[] = {3, 0, UINT32_MAX};
    const uint32_t light[] = {3, 7};
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");

    begin_beside_a_warm_one(kit, light);
    (void)muster_testkit_balancer_advance(kit, 30000);
    cr_expect_eq(built[0], 30000);
    cr_expect_eq(built[1], 35000);
    (void)muster_testkit_balancer_advance(kit, 60000);
    policy_test_ready(kit, weights, 3);
    cr_expect_eq(built[0], 3);
    cr_expect_eq(built[1], 1); /* 0 reads as 1, and stays above 0 */
    cr_expect_eq(built[2], 429496730);
    cr_expect_eq(told[2], built[2]);
    policy_test_destroy(kit);
}

/* ---- when it begins and ends ---- */

Test(slow_start, lets_weights_alone_when_all_are_warm)
{
    const uint32_t weights[] = {3, 1, 5};
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");

    policy_test_ready(kit, weights, 3);
    (void)muster_testkit_balancer_advance(kit, 61000);
    cr_expect_eq(memcmp(built, weights, sizeof weights), 0);
    policy_test_publish(kit);
    cr_expect_eq(memcmp(told, weights, sizeof weights), 0);
    policy_test_destroy(kit);
}

Test(slow_start, makes_no_difference_when_all_are_new)
{
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");

    policy_test_ready(kit, NULL, 4);
    for (int i = 0; i < 70; i++) {
        cr_assert_eq(built[0], built[3]);
        (void)muster_testkit_balancer_advance(kit, 1000);
    }
    policy_test_destroy(kit);
}

Test(slow_start, begins_when_an_endpoint_becomes_ready)
{
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");

    policy_test_ready(kit, NULL, 1);
    policy_test_set(kit, NULL, 2, MUSTER_CONNECTING);
    policy_test_publish(kit);
    (void)muster_testkit_balancer_advance(kit, 3600000);
    set_state(kit, 1, MUSTER_READY);
    cr_expect_float_eq(share_of_last(2), 0.1, 1e-9);
    policy_test_destroy(kit);
}

Test(slow_start, begins_anew_after_a_failure)
{
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");

    begin_beside_a_warm_one(kit, NULL);
    (void)muster_testkit_balancer_advance(kit, 3600000);
    set_state(kit, 1, MUSTER_TRANSIENT_FAILURE);
    (void)muster_testkit_balancer_advance(kit, 1000);
    set_state(kit, 1, MUSTER_READY);
    (void)muster_testkit_balancer_advance(kit, 30000);
    cr_expect_float_eq(share_of_last(2), 0.5, 1e-9);
    policy_test_destroy(kit);
}

Test(slow_start, begins_anew_when_it_becomes_healthy)
{
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");

    begin_beside_a_warm_one(kit, NULL);
    (void)muster_testkit_balancer_advance(kit, 3600000);
    muster_testkit_balancer_set_unhealthy(kit, 1, 1);
    policy_test_publish(kit);
    cr_expect_eq(n_built, 1);
    muster_testkit_balancer_set_unhealthy(kit, 1, 0);
    policy_test_publish(kit);
    cr_expect_float_eq(share_of_last(2), 0.1, 1e-9);
    policy_test_destroy(kit);
}

Test(slow_start, begins_anew_when_it_has_left_the_list)
{
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");

    begin_beside_a_warm_one(kit, NULL);
    (void)muster_testkit_balancer_advance(kit, 3600000);
    policy_test_ready(kit, NULL, 1);
    policy_test_ready(kit, NULL, 2);
    cr_expect_float_eq(share_of_last(2), 0.1, 1e-9);
    policy_test_destroy(kit);
}

/* A connection's age, or a proxy, ended it: the process is the same. */
Test(slow_start, goes_on_when_a_connection_is_made_anew_at_once)
{
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");

    begin_beside_a_warm_one(kit, NULL);
    (void)muster_testkit_balancer_advance(kit, 20000);
    set_state(kit, 1, MUSTER_CONNECTING);
    (void)muster_testkit_balancer_advance(kit, 10000);
    set_state(kit, 1, MUSTER_READY);
    cr_expect_float_eq(share_of_last(2), 0.5, 1e-9);
    policy_test_destroy(kit);
}

/* ---- steps ---- */

Test(slow_start, rebuilds_a_hundred_times_a_window_and_then_rests)
{
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");
    unsigned n_before;

    begin_beside_a_warm_one(kit, NULL);
    n_before = n_builds;
    for (int i = 0; i < 600; i++) { /* one ends as the next one begins */
        (void)muster_testkit_balancer_advance(kit, 100);
    }
    cr_expect_eq(n_builds - n_before, 100);
    cr_expect_float_eq(share_of_last(2), 1, 1e-9);
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_timers, 0);
    (void)muster_testkit_balancer_advance(kit, 3600000);
    cr_expect_eq(n_builds - n_before, 100);
    policy_test_destroy(kit);
}

Test(slow_start, rebuilds_ten_times_a_second_at_most)
{
    muster_testkit_balancer *kit =
        create("{\"slowStartWindow\": \"2.05s\"" OVER_SPY "}");
    unsigned n_before;

    begin_beside_a_warm_one(kit, NULL);
    n_before = n_builds;
    (void)muster_testkit_balancer_advance(kit, 10000);
    cr_expect_eq(n_builds - n_before, 21); /* the last one at its end */
    policy_test_destroy(kit);
}

Test(slow_start, has_one_timer_for_all_endpoints)
{
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");

    for (size_t n = 1; n <= 8; n++) {
        policy_test_ready(kit, NULL, n);
        cr_expect_eq(muster_testkit_balancer_get(kit)->n_timers, 1);
        (void)muster_testkit_balancer_advance(kit, 700);
    }
    policy_test_destroy(kit);
}

/* ---- children ---- */

static void count(muster_testkit_balancer *kit, size_t n_picks,
                  uint64_t *counts, size_t n)
{
    memset(counts, 0, n * sizeof counts[0]);
    for (size_t i = 0; i < n_picks; i++) {
        muster_testkit_pick pick;

        muster_testkit_balancer_pick(kit, NULL, 0, &pick);
        cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
        cr_assert_lt(pick.index, n);
        counts[pick.index]++;
    }
}

Test(slow_start, has_weighted_round_robin_by_default)
{
    muster_testkit_balancer *kit = create("{" MINUTE "}");
    uint64_t counts[2];

    cr_expect_eq(muster_testkit_balancer_get(kit)->n_logs, 0);
    begin_beside_a_warm_one(kit, NULL);
    count(kit, 1100, counts, 2);
    cr_expect_float_eq((double)counts[1], 100, 3);
    (void)muster_testkit_balancer_advance(kit, 30000);
    count(kit, 3000, counts, 2);
    cr_expect_float_eq((double)counts[1], 1000, 3);
    (void)muster_testkit_balancer_advance(kit, 30000);
    count(kit, 2000, counts, 2);
    cr_expect_float_eq((double)counts[1], 1000, 3);
    policy_test_destroy(kit);
}

Test(slow_start, hands_on_what_became_of_calls)
{
    muster_testkit_balancer *kit = create("{" MINUTE OVER_SPY "}");
    muster_testkit_pick pick;

    policy_test_ready(kit, NULL, 3);
    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    cr_expect_eq(pick.index, 2);
    muster_testkit_balancer_done(kit, pick.id, NULL);
    cr_expect_eq(last_done, pick.id);
    policy_test_destroy(kit);
}

Test(slow_start, says_so_when_the_child_ignores_weights)
{
    muster_testkit_balancer *kit = create(
        "{" MINUTE ", \"childPolicy\": [{\"x\": {}}, {\"round_robin\": {}}]}");

    cr_expect_eq(muster_testkit_balancer_get(kit)->log_level,
                 MUSTER_LOG_WARNING);
    cr_expect(strstr(muster_testkit_balancer_get(kit)->log_message,
                     "round_robin ignores weights") != NULL);
    policy_test_destroy(kit);
}

/* The warm endpoints and the new one alike are in or outside of the subset. */
static void check_composed(muster_testkit_balancer *kit)
{
    uint64_t counts[4] = {0};
    unsigned n_used = 0;
    unsigned n_light = 0;

    policy_test_ready(kit, NULL, 3);
    (void)muster_testkit_balancer_advance(kit, 3600000);
    policy_test_ready(kit, NULL, 4);
    (void)muster_testkit_balancer_advance(kit, 15000); /* a quarter */
    count(kit, 9000, counts, 4);
    for (int i = 0; i < 4; i++) {
        n_used += counts[i] > 0;
        n_light += counts[i] > 0 && counts[i] < 1500;
    }
    cr_expect_eq(n_used, 3);
    cr_expect_eq(n_light, counts[3] > 0);
    cr_expect(counts[3] == 0 || (counts[3] > 990 && counts[3] < 1010));
    policy_test_destroy(kit);
}

Test(slow_start, works_over_subsetting)
{
    for (int i = 0; i < 8; i++) {
        check_composed(create("{" MINUTE
                              ", \"childPolicy\": [{\"random_subsetting\": "
                              "{\"subsetSize\": 3, \"childPolicy\": "
                              "[{\"weighted_round_robin\": {}}]}}]}"));
    }
}

Test(slow_start, works_under_subsetting)
{
    check_composed(create_of(muster_builtin_subsetting()->balancers[0],
                             "{\"subsetSize\": 3, \"childPolicy\": "
                             "[{\"slow_start\": {" MINUTE "}}]}"));
}

/* ---- settings ---- */

Test(slow_start, refuses_wrong_settings)
{
    static const char *const wrong[][2] = {
        {"{}", "$.slowStartWindow: must be given"},
        {"{\"slowStartWindow\": 60}",
         "$.slowStartWindow: must be a duration like \"1.5s\""},
        {"{\"slowStartWindow\": \"0s\"}",
         "$.slowStartWindow: must be longer than \"0s\""},
        {"{" MINUTE ", \"aggression\": 0}",
         "$.aggression: must be a number from 0.01 to 100"},
        {"{" MINUTE ", \"minWeightPercent\": 101}",
         "$.minWeightPercent: must be a number from 0 to 100"},
        {"{" MINUTE ", \"childPolicy\": []}",
         "$.childPolicy: must be a list with a policy that is known"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        muster_error err = policy_test_refuse(slow_start(), wrong[i][0]);

        cr_expect_str_eq(err.message, wrong[i][1]);
    }
}
