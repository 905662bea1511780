/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver and a balancer, compiled against the frozen headers: they must go
 * on working with the library of today. */
#include <muster/plugin.h>

#include <stdlib.h>

typedef struct frozen_resolver {
    const muster_resolver_env *env;
} frozen_resolver;

static muster_status resolver_create(const muster_resolver_env *env,
                                     void **ret_self, muster_error *err)
{
    frozen_resolver *self = malloc(sizeof *self);

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "frozen: out of memory");
    }
    self->env = env;
    *ret_self = self;
    return MUSTER_OK;
}

static void resolver_report(void *arg)
{
    const frozen_resolver *self = arg;
    const muster_endpoint endpoints[] = {
        {.address = "127.0.0.1:1", .weight = 2, .zone = "a"},
        {.address = "127.0.0.1:2",
         .zone = muster_option(self->env, "zone", "none")},
    };

    (void)muster_report(self->env, endpoints, 2);
}

static void resolver_start(void *arg)
{
    const frozen_resolver *self = arg;

    (void)muster_call_later(self->env, 1, resolver_report, arg);
}

static void resolver_stop(void *arg)
{
    const frozen_resolver *self = arg;

    self->env->host->stopped(self->env->ctx);
}

static void resolver_free(void *arg)
{
    free(arg);
}

static const muster_option_info options[] = {
    {"zone", "of the second endpoint"}};

static const muster_resolver_class resolver_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "frozen",
    .options = options,
    .n_options = 1,
    .create = resolver_create,
    .start = resolver_start,
    .stop = resolver_stop,
    .free = resolver_free,
};

/* Picks the last READY endpoint, whose number the table holds. */

static muster_status balancer_create(const muster_balancer_env *env,
                                     void **ret_self, muster_error *err)
{
    (void)err;
    env->host->log(env->ctx, MUSTER_LOG_DEBUG, env->config_json);
    *ret_self = NULL;
    return MUSTER_OK;
}

static muster_status balancer_build(void *self, const muster_build_args *args,
                                    void **ret_table, muster_error *err)
{
    uint32_t *last = malloc(sizeof *last);

    (void)self;
    if (last == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "frozen: out of memory");
    }
    *last = (uint32_t)(args->n_ready - 1);
    *ret_table = last;
    return MUSTER_OK;
}

static muster_verdict balancer_pick(void *self, void *table,
                                    const muster_pick_args *args,
                                    muster_pick_result *result)
{
    const uint32_t *last = table;

    (void)self;
    result->index = *last < args->n_ready ? *last : args->n_ready - 1;
    return MUSTER_PICK_INDEX;
}

static void balancer_done(void *self, uint64_t id, void *state,
                          const muster_outcome *outcome)
{
    uint64_t *n_calls = state;

    (void)self;
    (void)id;
    (void)outcome;
    __atomic_fetch_add(n_calls, 1, __ATOMIC_RELAXED);
}

static void table_destroy(void *self, void *table)
{
    (void)self;
    free(table);
}

static void balancer_destroy(void *self)
{
    (void)self;
}

static const muster_balancer_class balancer_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .name = "frozen_last",
    .state_size = (uint32_t)sizeof(uint64_t),
    .create = balancer_create,
    .build = balancer_build,
    .pick = balancer_pick,
    .done = balancer_done,
    .table_destroy = table_destroy,
    .destroy = balancer_destroy,
};

static const muster_resolver_class *const resolvers[] = {&resolver_class};
static const muster_balancer_class *const balancers[] = {&balancer_class};

MUSTER_PLUGIN(frozen, "frozen\0resolver:frozen\0balancer:frozen_last\0",
              .version = "1", .resolvers = resolvers, .balancers = balancers,
              .n_resolvers = 1, .n_balancers = 1);
