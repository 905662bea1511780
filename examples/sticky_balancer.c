/* SPDX-License-Identifier: Apache-2.0 */
/* sticky: calls with equal hash keys go to the same endpoint while the list
 * stays as it is; calls without a key go to any. */
#include <muster/plugin.h>
#include <stdlib.h>

static muster_status create(const muster_balancer_env *env, void **ret_self,
                            muster_error *err)
{
    muster_balancer_env *self = malloc(sizeof *self);

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    *self = *env; /* the host stays valid as long as we do */
    *ret_self = self;
    return MUSTER_OK;
}

/* Any number of threads are in here at once: nothing is written. */
static muster_verdict pick(void *self, void *table,
                           const muster_pick_args *args,
                           muster_pick_result *result)
{
    const muster_balancer_env *env = self;
    const char *key = args->call->hash_key;
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a: good enough to show it */

    (void)table; /* we have no build() that would make one */
    if (key == NULL) {
        hash = env->host->random(env->ctx);
    }
    for (; key != NULL && *key != '\0'; key++) {
        hash = (hash ^ (unsigned char)*key) * 0x100000001b3;
    }
    result->index = (uint32_t)(hash % args->n_ready);
    return MUSTER_PICK_INDEX;
}

static const muster_balancer_class sticky = {
    .struct_size = sizeof sticky,
    .name = "sticky",
    .create = create,
    .pick = pick,
    .destroy = free,
};
static const muster_balancer_class *const balancers[] = {&sticky};
MUSTER_PLUGIN(sticky, "sticky\0balancer:sticky\0", .version = "1.0",
              .balancers = balancers, .n_balancers = 1);
