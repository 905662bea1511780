/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "random": any endpoint, each as likely as the next. */
#include <muster/plugin.h>

#include <stdlib.h>

#include "../config.h"

static muster_status random_create(const muster_balancer_env *env,
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
        return muster_error_set(err, MUSTER_NOMEM, "random: no memory");
    }
    *self = *env;
    *ret_self = self;
    return MUSTER_OK;
}

/* The upper half of the product: the lower n_ready favour nobody by more than
 * 2^-32 (Lemire, "Fast random integer generation in an interval", without the
 * rejection). */
static muster_verdict random_pick(void *policy, void *table,
                                  const muster_pick_args *args,
                                  muster_pick_result *result)
{
    const muster_balancer_env *self = policy;
    uint64_t bits = self->host->random(self->ctx) >> 32;

    (void)table;
    result->index = (uint32_t)((bits * args->n_ready) >> 32);
    return MUSTER_PICK_INDEX;
}

static void random_destroy(void *self)
{
    free(self);
}

static const muster_balancer_class random_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .name = "random",
    .create = random_create,
    .pick = random_pick,
    .destroy = random_destroy,
};

static const muster_balancer_class *const classes[] = {&random_class};

MUSTER_PLUGIN(random, "random\0balancer:random\0", .version = "0.1.0",
              .balancers = classes, .n_balancers = 1);
