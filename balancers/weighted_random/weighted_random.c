/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "weighted_random": any endpoint, each as likely as its weight has
 * it. */
#include <muster/plugin.h>

#include <stdlib.h>

#include "../backends.h"
#include "../config.h"
#include "../share_table.h"

static muster_status weighted_random_create(const muster_balancer_env *env,
                                            void **ret_self, muster_error *err)
{
    config settings = config_open(env->config_json, err);
    muster_status status = config_close(&settings);
    muster_balancer_env *self;

    if (status != MUSTER_OK) {
        return status;
    }
    self = malloc(sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "weighted_random: no memory");
    }
    *self = *env;
    *ret_self = self;
    return MUSTER_OK;
}

static muster_status weighted_random_build(void *self,
                                           const muster_build_args *args,
                                           void **ret_table, muster_error *err)
{
    share_table *table = share_table_create(args->n_ready);

    (void)self;
    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "weighted_random: no memory for a table of "
                                "%zu endpoints",
                                args->n_ready);
    }
    for (size_t i = 0; i < args->n_ready; i++) {
        uint32_t weight = backends_ready(args, i)->endpoint->weight;

        table->weights[i] = weight == 0 ? 1 : weight;
    }
    share_table_fill(table);
    *ret_table = table;
    return MUSTER_OK;
}

static muster_verdict weighted_random_pick(void *policy, void *table,
                                           const muster_pick_args *args,
                                           muster_pick_result *result)
{
    const muster_balancer_env *self = policy;

    (void)args;
    result->index = share_table_owner(table, self->host->random(self->ctx));
    return MUSTER_PICK_INDEX;
}

static void weighted_random_table_destroy(void *self, void *table)
{
    (void)self;
    share_table_destroy(table);
}

static void weighted_random_destroy(void *self)
{
    free(self);
}

static const muster_balancer_class weighted_random_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_USES_WEIGHTS,
    .name = "weighted_random",
    .create = weighted_random_create,
    .build = weighted_random_build,
    .pick = weighted_random_pick,
    .table_destroy = weighted_random_table_destroy,
    .destroy = weighted_random_destroy,
};

static const muster_balancer_class *const classes[] = {&weighted_random_class};

MUSTER_PLUGIN(weighted_random, "weighted_random\0balancer:weighted_random\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 1);
