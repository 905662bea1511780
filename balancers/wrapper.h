/* SPDX-License-Identifier: Apache-2.0 */
/* What policies over a child policy share: the child's place in their
 * configuration, and the functions that only hand on. Inline, because a policy
 * is one shared object or one object file among others. */
#ifndef MUSTER_BALANCERS_WRAPPER_H
#define MUSTER_BALANCERS_WRAPPER_H

#include <muster/balancer.h>

#include <stdlib.h>

#include "config.h"

/* A policy over one child begins with it, so that the functions below can be
 * its class's. The child is the wrapper's to destroy. */
typedef struct wrapper {
    muster_balancer_env env;
    muster_child *child;
} wrapper;

/* ---- the child in the configuration ---- */

/* Puts the place in front of what a child says of its own: "$.x: must be ..."
 * becomes "$.childPolicy[0].name.x: must be ...". */
static inline void wrapper_refuse(config *settings, const char *key,
                                  size_t index, const char *name,
                                  const muster_error *of_child)
{
    const char *text = of_child->message;

    settings->status = muster_error_set(
        settings->err, of_child->code, "$.%s[%zu].%s%s%s", key, index, name,
        *text == '$' ? "" : ": ", *text == '$' ? text + 1 : text);
}

/* True: the child is made, or something is wrong. */
static inline bool wrapper_try(config *settings, const char *key, size_t index,
                               const muster_balancer_env *env,
                               muster_child **ret_child)
{
    json_t *entry = json_array_get(json_object_get(settings->root, key), index);
    void *item = json_object_iter(entry);
    const char *name = json_object_iter_key(item);
    muster_error err = {.code = MUSTER_OK};
    char *text = NULL;
    muster_status status;

    if (json_object_size(entry) != 1 ||
        !json_is_object(json_object_iter_value(item))) {
        config_refuse(settings, key,
                      "a list of objects, each a policy's name with an object "
                      "of settings");
        return true;
    }
    text = json_dumps(json_object_iter_value(item), JSON_COMPACT);
    if (text == NULL) {
        settings->status =
            muster_error_set(settings->err, MUSTER_NOMEM, "out of memory");
        return true;
    }
    status = env->host->child_create(env->ctx, name, text, ret_child, &err);
    free(text);
    if (status != MUSTER_OK && status != MUSTER_NOTFOUND) {
        wrapper_refuse(settings, key, index, name, &err);
    }
    return status != MUSTER_NOTFOUND;
}

/* The same as wrapper_child(), and says which one it is: *ret_name is borrowed
 * until config_close(). */
static inline void wrapper_named_child(config *settings, const char *key,
                                       const char *otherwise,
                                       const muster_balancer_env *env,
                                       muster_child **ret_child,
                                       const char **ret_name)
{
    const json_t *list = config_get(settings, key);

    if (settings->status != MUSTER_OK) {
        return;
    }
    if (list == NULL) {
        *ret_name = otherwise;
        settings->status = env->host->child_create(env->ctx, otherwise, "{}",
                                                   ret_child, settings->err);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (wrapper_try(settings, key, i, env, ret_child)) {
            *ret_name =
                json_object_iter_key(json_object_iter(json_array_get(list, i)));
            return;
        }
    }
    config_refuse(settings, key, "a list with a policy that is known");
}

/* Makes the first policy of the list under key that there is, as gRFC A2 has
 * it; without that key, otherwise with its defaults. *ret_child stays as it is
 * when something is or was wrong. */
static inline void wrapper_child(config *settings, const char *key,
                                 const char *otherwise,
                                 const muster_balancer_env *env,
                                 muster_child **ret_child)
{
    const char *name = NULL;

    wrapper_named_child(settings, key, otherwise, env, ret_child, &name);
}

/* ---- handing on ---- */

static inline void wrapper_update(void *self,
                                  const muster_balancer_update *update)
{
    const wrapper *of = self;

    of->env.host->child_update(of->child, update);
}

static inline void wrapper_want(void *self,
                                const muster_balancer_update *update,
                                uint8_t *ret_wanted)
{
    const wrapper *of = self;

    of->env.host->child_want(of->child, update, ret_wanted);
}

static inline muster_status wrapper_build(void *self,
                                          const muster_build_args *args,
                                          void **ret_table, muster_error *err)
{
    const wrapper *of = self;

    return of->env.host->child_build(of->child, args, ret_table, err);
}

static inline muster_verdict wrapper_pick(void *self, void *table,
                                          const muster_pick_args *args,
                                          muster_pick_result *result)
{
    const wrapper *of = self;

    return of->env.host->child_pick(of->child, table, args, result);
}

static inline void wrapper_table_destroy(void *self, void *table)
{
    const wrapper *of = self;

    of->env.host->child_table_destroy(of->child, table);
}

#endif
