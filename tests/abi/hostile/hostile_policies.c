/* SPDX-License-Identifier: Apache-2.0 */
/* Balancers that do what they must not. Each differs in one function. */
#include <muster/plugin.h>

#include <dlfcn.h>
#include <string.h>

#include "any_policy.h"
#include "hang.h"

static muster_status failing_create(const muster_balancer_env *env,
                                    void **ret_self, muster_error *err)
{
    (void)env;
    (void)ret_self;
    memset(err->message, 'x', sizeof err->message - 1);
    err->message[sizeof err->message - 1] = '\0';
    return MUSTER_INVAL;
}

static muster_verdict pick_out_of_range(void *self, void *table,
                                        const muster_pick_args *args,
                                        muster_pick_result *result)
{
    (void)self;
    (void)table;
    result->index = args->n_ready + args->shard % 2 * 1000000;
    return MUSTER_PICK_INDEX;
}

static muster_verdict pick_never(void *self, void *table,
                                 const muster_pick_args *args,
                                 muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    (void)result;
    return MUSTER_PICK_QUEUE;
}

static muster_verdict pick_unknown_verdict(void *self, void *table,
                                           const muster_pick_args *args,
                                           muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    (void)result;
    return (muster_verdict)12345;
}

static muster_verdict pick_unknown_id(void *self, void *table,
                                      const muster_pick_args *args,
                                      muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    result->id = UINT64_MAX;
    return MUSTER_PICK_CONNECT;
}

static muster_verdict pick_failure_without_words(void *self, void *table,
                                                 const muster_pick_args *args,
                                                 muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    result->status = 12345;
    result->message = NULL;
    return MUSTER_PICK_FAIL;
}

static muster_status hanging_build(void *self, const muster_build_args *args,
                                   void **ret_table, muster_error *err)
{
    (void)self;
    (void)args;
    (void)err;
    hang();
    *ret_table = NULL;
    return MUSTER_OK;
}

static muster_status failing_build(void *self, const muster_build_args *args,
                                   void **ret_table, muster_error *err)
{
    (void)self;
    (void)args;
    (void)ret_table;
    memset(err->message, 'x', sizeof err->message - 1);
    err->message[sizeof err->message - 1] = '\0';
    return (muster_status)12345;
}

static muster_status hanging_create(const muster_balancer_env *env,
                                    void **ret_self, muster_error *err)
{
    hang();
    return any_create(env, ret_self, err);
}

static muster_verdict hanging_pick(void *self, void *table,
                                   const muster_pick_args *args,
                                   muster_pick_result *result)
{
    hang();
    return any_pick(self, table, args, result);
}

/* The program may do then what it must do in just this moment. */
static muster_verdict pick_after_telling(void *self, void *table,
                                         const muster_pick_args *args,
                                         muster_pick_result *result)
{
    void *symbol = dlsym(RTLD_DEFAULT, "test_called_by_pick");
    void (*hook)(void);

    if (symbol != NULL) {
        memcpy(&hook, &symbol, sizeof hook);
        hook();
    }
    return any_pick(self, table, args, result);
}

static void hanging_done(void *self, uint64_t id, void *state,
                         const muster_outcome *outcome)
{
    (void)self;
    (void)id;
    (void)state;
    (void)outcome;
    hang();
}

static muster_status good_build(void *self, const muster_build_args *args,
                                void **ret_table, muster_error *err)
{
    static char table;

    (void)self;
    (void)args;
    (void)err;
    *ret_table = &table;
    return MUSTER_OK;
}

static void hanging_update(void *self, const muster_balancer_update *update)
{
    (void)self;
    (void)update;
    hang();
}

static void want_nothing(void *self, const muster_balancer_update *update,
                         uint8_t *ret_wanted)
{
    (void)self;
    memset(ret_wanted, 0, update->n_backends);
}

static void hanging_want(void *self, const muster_balancer_update *update,
                         uint8_t *ret_wanted)
{
    (void)self;
    (void)update;
    (void)ret_wanted;
    hang();
}

static void hanging_table_destroy(void *self, void *table)
{
    (void)self;
    (void)table;
    hang();
}

static void hanging_destroy(void *self)
{
    (void)self;
    hang();
}

static void table_destroy(void *self, void *table)
{
    (void)self;
    (void)table;
}

#define POLICY(what, create_fn, pick_fn, ...)                                  \
    POLICY_WITH_END(what, create_fn, pick_fn, table_destroy, any_destroy,      \
                    __VA_ARGS__)

#define POLICY_WITH_END(what, create_fn, pick_fn, table_destroy_fn,            \
                        destroy_fn, ...)                                       \
    static const muster_balancer_class what = {                                \
        .struct_size = (uint32_t)sizeof(muster_balancer_class),                \
        .name = "hostile_" #what,                                              \
        .create = create_fn,                                                   \
        .pick = pick_fn,                                                       \
        .table_destroy = table_destroy_fn,                                     \
        .destroy = destroy_fn,                                                 \
        __VA_ARGS__}

POLICY(range, any_create, pick_out_of_range, .flags = 0);
POLICY(queue, any_create, pick_never, .flags = 0);
POLICY(verdict, any_create, pick_unknown_verdict, .flags = 0);
POLICY(connect, any_create, pick_unknown_id, .flags = 0);
POLICY(words, any_create, pick_failure_without_words, .flags = 0);
POLICY(hang_build, any_create, any_pick, .build = hanging_build);
POLICY(fail_build, any_create, any_pick, .build = failing_build);
POLICY(fail_create, failing_create, any_pick, .flags = 0);
POLICY(hang_update, any_create, any_pick, .update = hanging_update);
POLICY(want, any_create, any_pick, .want = want_nothing);
POLICY(hang_create, hanging_create, any_pick, .flags = 0);
POLICY(hang_want, any_create, any_pick, .want = hanging_want);
POLICY(hang_pick, any_create, hanging_pick, .flags = 0);
POLICY(hang_done, any_create, pick_after_telling, .done = hanging_done);
POLICY_WITH_END(hang_table_destroy, any_create, any_pick, hanging_table_destroy,
                any_destroy, .build = good_build);
POLICY_WITH_END(hang_destroy, any_create, any_pick, table_destroy,
                hanging_destroy, .flags = 0);

static const muster_balancer_class *const classes[] = {
    &range,       &queue,      &verdict,     &connect,     &words,
    &hang_build,  &fail_build, &fail_create, &hang_update, &want,
    &hang_create, &hang_want,  &hang_pick,   &hang_done,   &hang_table_destroy,
    &hang_destroy};

MUSTER_PLUGIN(hostile_policies,
              "hostile_policies\0balancer:hostile_range\0"
              "balancer:hostile_queue\0balancer:hostile_verdict\0"
              "balancer:hostile_connect\0balancer:hostile_words\0"
              "balancer:hostile_hang_build\0balancer:hostile_fail_build\0"
              "balancer:hostile_fail_create\0balancer:hostile_hang_update\0"
              "balancer:hostile_want\0balancer:hostile_hang_create\0"
              "balancer:hostile_hang_want\0balancer:hostile_hang_pick\0"
              "balancer:hostile_hang_done\0"
              "balancer:hostile_hang_table_destroy\0"
              "balancer:hostile_hang_destroy\0",
              .balancers = classes,
              .n_balancers = (uint32_t)(sizeof classes / sizeof *classes));
