/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose constructor hangs. */
#include <muster/plugin.h>

#include "hang.h"

__attribute__((constructor)) static void hang_at_once(void)
{
    hang();
}

static muster_status any_create(const muster_balancer_env *env, void **ret_self,
                                muster_error *err)
{
    (void)env;
    (void)err;
    *ret_self = NULL;
    return MUSTER_OK;
}

static muster_verdict any_pick(void *self, void *table,
                               const muster_pick_args *args,
                               muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    result->index = 0;
    return MUSTER_PICK_INDEX;
}

static void any_destroy(void *self)
{
    (void)self;
}

static const muster_balancer_class any_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .name = "hang_constructor",
    .create = any_create,
    .pick = any_pick,
    .destroy = any_destroy,
};
static const muster_balancer_class *const classes[] = {&any_class};

MUSTER_PLUGIN(hang_constructor, "hang_constructor\0balancer:hang_constructor\0",
              .balancers = classes, .n_balancers = 1);
