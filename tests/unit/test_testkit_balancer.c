/* SPDX-License-Identifier: Apache-2.0 */
/* The testkit's balancer host, driven by a policy with settable manners. */
#include "../balancers/policy_test.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

/* What the policy does next, and what it saw. */
typedef struct script {
    muster_balancer_env env;
    muster_verdict verdict;
    muster_pick_result result;
    muster_status build_status;
    size_t n_ready;
    size_t n_updates;
    uint64_t state_seen;
    int leaves_undecided;
    int is_restless;
} script;

static script script_now;

static muster_status script_create(const muster_balancer_env *env,
                                   void **ret_self, muster_error *err)
{
    if (strcmp(env->config_json, "{}") != 0) {
        return muster_error_set(err, MUSTER_INVAL, "$: no");
    }
    script_now = (script){.env = *env};
    *ret_self = &script_now;
    return MUSTER_OK;
}

static void script_update(void *arg, const muster_balancer_update *update)
{
    script *self = arg;

    (void)update;
    self->n_updates++;
}

static void script_want(void *arg, const muster_balancer_update *update,
                        uint8_t *ret_wanted)
{
    script *self = arg;

    if (!self->leaves_undecided) {
        memset(ret_wanted, 0, update->n_backends);
    }
}

static muster_status script_build(void *arg, const muster_build_args *args,
                                  void **ret_table, muster_error *err)
{
    script *self = arg;

    if (self->is_restless) {
        self->env.host->republish(self->env.ctx);
    }
    if (self->build_status != MUSTER_OK) {
        return muster_error_set(err, self->build_status, "build failed");
    }
    self->n_ready = args->n_ready;
    *ret_table = self;
    return MUSTER_OK;
}

static muster_verdict script_pick(void *arg, void *table,
                                  const muster_pick_args *args,
                                  muster_pick_result *result)
{
    script *self = arg;

    (void)args;
    cr_expect_eq(table, self);
    *result = self->result;
    return self->verdict;
}

static void script_done(void *arg, uint64_t id, void *state,
                        const muster_outcome *outcome)
{
    script *self = arg;
    uint64_t *count = state;

    (void)id;
    (void)outcome;
    self->state_seen = ++*count;
}

static void script_table_destroy(void *self, void *table)
{
    (void)self;
    (void)table;
}

static void script_destroy(void *self)
{
    (void)self;
}

static const muster_balancer_class script_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_PICKS_WHEN_EMPTY,
    .name = "script",
    .state_size = sizeof(uint64_t),
    .create = script_create,
    .update = script_update,
    .want = script_want,
    .build = script_build,
    .pick = script_pick,
    .done = script_done,
    .table_destroy = script_table_destroy,
    .destroy = script_destroy,
};

static muster_testkit_balancer *make_kit(void)
{
    muster_testkit_balancer *kit = policy_test_create(&script_class, NULL, 1);

    policy_test_ready(kit, NULL, 3);
    return kit;
}

/* Ends a kit that has seen this rule broken. */
static void expect_violation(muster_testkit_balancer *kit, const char *text)
{
    const char *violations = muster_testkit_balancer_violations(kit);

    cr_expect(strstr(violations, text), "\"%s\" is not in \"%s\"", text,
              violations);
    muster_testkit_balancer_destroy(kit);
}

Test(testkit_balancer, hands_on_the_error_of_create)
{
    cr_expect_str_eq(policy_test_refuse(&script_class, "[]").message, "$: no");
}

Test(testkit_balancer, keeps_the_id_of_an_endpoint_that_stays)
{
    muster_testkit_balancer *kit = make_kit();
    uint64_t id = muster_testkit_balancer_get_backend(kit, 1)->id;
    uint64_t last_id = muster_testkit_balancer_get_backend(kit, 2)->id;

    policy_test_ready(kit, NULL, 2);
    cr_expect_eq(muster_testkit_balancer_get_backend(kit, 1)->id, id);
    cr_expect_null(muster_testkit_balancer_get_backend(kit, 2));
    policy_test_ready(kit, NULL, 3);
    cr_expect_gt(muster_testkit_balancer_get_backend(kit, 2)->id, last_id);
    policy_test_destroy(kit);
}

Test(testkit_balancer, builds_from_the_ready_and_healthy_only)
{
    muster_testkit_balancer *kit = make_kit();

    muster_testkit_balancer_set_state(kit, 0, MUSTER_CONNECTING, NULL);
    muster_testkit_balancer_set_unhealthy(kit, 1, 1);
    policy_test_publish(kit);
    cr_expect_eq(script_now.n_ready, 1);
    cr_expect_eq(script_now.n_updates, 2);
    policy_test_destroy(kit);
}

Test(testkit_balancer, serves_the_old_table_when_a_build_fails)
{
    muster_testkit_balancer *kit = make_kit();
    muster_testkit_pick pick;
    muster_error err;

    script_now.build_status = MUSTER_NOMEM;
    script_now.result.index = 2;
    policy_test_set(kit, NULL, 1, MUSTER_READY);
    cr_expect_eq(muster_testkit_balancer_publish(kit, &err), MUSTER_NOMEM);
    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    cr_expect_eq(pick.verdict, MUSTER_PICK_INDEX);
    cr_expect_null(pick.endpoint);
    policy_test_destroy(kit);
}

Test(testkit_balancer, wants_what_a_pick_asked_for)
{
    muster_testkit_balancer *kit = make_kit();
    muster_testkit_pick pick;

    cr_expect_not(muster_testkit_balancer_is_wanted(kit, 2));
    script_now.verdict = MUSTER_PICK_CONNECT;
    script_now.result.id = muster_testkit_balancer_get_backend(kit, 2)->id;
    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    cr_expect(muster_testkit_balancer_is_wanted(kit, 2));
    policy_test_ready(kit, NULL, 3);
    cr_expect(muster_testkit_balancer_is_wanted(kit, 2));
    policy_test_destroy(kit);
}

Test(testkit_balancer, keeps_a_state_for_each_endpoint)
{
    muster_testkit_balancer *kit = make_kit();
    uint64_t id = muster_testkit_balancer_get_backend(kit, 1)->id;

    muster_testkit_balancer_done(kit, id, NULL);
    muster_testkit_balancer_done(kit, id, NULL);
    cr_expect_eq(script_now.state_seen, 2);
    muster_testkit_balancer_done(kit, id + 1, NULL);
    cr_expect_eq(script_now.state_seen, 1);
    policy_test_destroy(kit);
}

Test(testkit_balancer, keeps_the_last_line_of_the_log)
{
    muster_testkit_balancer *kit = make_kit();

    script_now.env.host->log(script_now.env.ctx, MUSTER_LOG_INFO, "one");
    script_now.env.host->log(script_now.env.ctx, MUSTER_LOG_ERROR, "two");
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_logs, 2);
    cr_expect_str_eq(muster_testkit_balancer_get(kit)->log_message, "two");
    policy_test_destroy(kit);
}

static void count_in(const char *colour, const char *shape, uint64_t delta)
{
    const muster_attribute labels[] = {{"colour", colour}, {"shape", shape}};

    script_now.env.host->count(script_now.env.ctx, "balls", labels, 2, delta);
}

Test(testkit_balancer, counts_by_name_and_labels)
{
    const muster_attribute red = {"colour", "red"};
    const muster_attribute round_red[] = {{"shape", "round"}, red};
    muster_testkit_balancer *kit = make_kit();

    count_in("red", "round", 2);
    count_in("red", "flat", 3);
    count_in("blue", "round", 5);
    count_in("red", "round", 7);
    cr_expect_eq(muster_testkit_balancer_get_count(kit, "balls", NULL, 0), 17);
    cr_expect_eq(muster_testkit_balancer_get_count(kit, "balls", &red, 1), 12);
    cr_expect_eq(muster_testkit_balancer_get_count(kit, "balls", round_red, 2),
                 9);
    cr_expect_eq(muster_testkit_balancer_get_count(kit, "bats", NULL, 0), 0);
    policy_test_destroy(kit);
}

Test(testkit_balancer, notices_an_index_beyond_the_view)
{
    muster_testkit_balancer *kit = make_kit();
    muster_testkit_pick pick;

    script_now.result.index = 3;
    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    cr_expect_eq(pick.verdict, MUSTER_PICK_QUEUE);
    expect_violation(kit, "picked index 3 of 3");
}

Test(testkit_balancer, notices_a_failure_without_a_message)
{
    muster_testkit_balancer *kit = make_kit();
    muster_testkit_pick pick;

    script_now.verdict = MUSTER_PICK_FAIL;
    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    expect_violation(kit, "FAIL without");
}

Test(testkit_balancer, notices_a_want_without_an_answer)
{
    muster_testkit_balancer *kit = make_kit();

    script_now.leaves_undecided = 1;
    policy_test_publish(kit);
    expect_violation(kit, "undecided");
}

Test(testkit_balancer, notices_a_build_that_always_asks_for_another)
{
    muster_testkit_balancer *kit = make_kit();

    script_now.is_restless = 1;
    policy_test_publish(kit);
    (void)muster_testkit_balancer_step(kit);
    expect_violation(kit, "busy without end");
}

static void *set_timer(void *arg)
{
    script *self = arg;

    (void)self->env.host->call_later(self->env.ctx, 1, free, NULL, NULL);
    return NULL;
}

Test(testkit_balancer, notices_a_timer_of_another_thread)
{
    muster_testkit_balancer *kit = make_kit();
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, set_timer, &script_now), 0);
    (void)pthread_join(thread, NULL);
    expect_violation(kit, "call_later() on a thread");
}

Test(testkit_balancer, says_that_there_is_no_such_child)
{
    muster_testkit_balancer *kit = make_kit();
    muster_child *child = NULL;
    muster_error err;

    cr_expect_eq(script_now.env.host->child_create(script_now.env.ctx, "nobody",
                                                   NULL, &child, &err),
                 MUSTER_NOTFOUND);
    cr_expect_null(child);
    policy_test_destroy(kit);
}

/* A child may be newer than its parent, and know more fields. */
Test(testkit_balancer, notices_endpoints_that_do_not_say_their_size)
{
    static const muster_balancer_class *const children[] = {&script_class};
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .n_children = 1,
        .policy = &script_class,
        .children = children};
    const muster_endpoint endpoint = {.address = "10.0.0.1:1"};
    muster_backend backend = {
        .id = 1, .endpoint = &endpoint, .endpoint_size = sizeof endpoint};
    const muster_balancer_update update = {
        (uint32_t)sizeof update, (uint32_t)sizeof backend, &backend, 1};
    muster_testkit_balancer *kit = NULL;
    muster_child *child = NULL;
    muster_balancer_env env;

    cr_assert_eq(muster_testkit_balancer_create(&options, &kit, NULL),
                 MUSTER_OK);
    policy_test_ready(kit, NULL, 1);
    env = script_now.env;
    cr_assert_eq(env.host->child_create(env.ctx, "script", NULL, &child, NULL),
                 MUSTER_OK);
    env.host->child_update(child, &update);
    cr_expect_str_eq(muster_testkit_balancer_violations(kit), "");
    backend.endpoint_size = 0;
    env.host->child_update(child, &update);
    env.host->child_destroy(child);
    expect_violation(kit, "gave it an endpoint_size that is none");
}

Test(testkit_balancer, aborts_when_a_violation_was_not_read, .signal = SIGABRT)
{
    muster_testkit_balancer *kit = make_kit();
    muster_testkit_pick pick;

    script_now.result.index = 3;
    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    muster_testkit_balancer_destroy(kit);
}
