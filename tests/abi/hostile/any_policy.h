/* SPDX-License-Identifier: Apache-2.0 */
/* A policy with nothing wrong, for plugins that are hostile in other ways. */
#ifndef MUSTER_TESTS_ANY_POLICY_H
#define MUSTER_TESTS_ANY_POLICY_H

#include <muster/plugin.h>

static inline muster_status any_create(const muster_balancer_env *env,
                                       void **ret_self, muster_error *err)
{
    (void)env;
    (void)err;
    *ret_self = NULL;
    return MUSTER_OK;
}

static inline muster_verdict any_pick(void *self, void *table,
                                      const muster_pick_args *args,
                                      muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    result->index = 0;
    return MUSTER_PICK_INDEX;
}

static inline void any_destroy(void *self)
{
    (void)self;
}

/* Defines classes[], the plugin's only one. */
#define ANY_POLICY(policy)                                                     \
    static const muster_balancer_class any_class = {                           \
        .struct_size = (uint32_t)sizeof(muster_balancer_class),                \
        .name = policy,                                                        \
        .create = any_create,                                                  \
        .pick = any_pick,                                                      \
        .destroy = any_destroy};                                               \
    static const muster_balancer_class *const classes[] = {&any_class}

#endif
