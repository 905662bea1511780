/* SPDX-License-Identifier: Apache-2.0 */
/* A policy's child policies: instances of their own, with their own states, fed
 * by the parent. A muster_child is a muster__policy. */
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"

static muster__policy *policy_of(muster_child *child)
{
    return (muster__policy *)(void *)child;
}

muster_status muster__child_create(void *ctx, const char *name,
                                   const char *config_json,
                                   muster_child **ret_child, muster_error *err)
{
    muster__policy *parent = ctx;
    muster__policy *child = NULL;
    muster_error ignored;
    muster_status status =
        muster__policy_create(parent->channel, parent, name, config_json,
                              &child, err != NULL ? err : &ignored);

    if (status == MUSTER_OK) {
        *ret_child = (muster_child *)(void *)child;
    }
    return status;
}

/* The parent's backends with the child's states: what the child may see. */
static muster_backend *with_states(const muster__policy *child,
                                   const muster_backend *backends, size_t n,
                                   size_t stride)
{
    muster_backend *copies = calloc(n == 0 ? 1 : n, sizeof *copies);
    size_t size = stride < sizeof *copies ? stride : sizeof *copies;

    if (copies == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(&copies[i], (const char *)backends + i * stride, size);
        copies[i].state = muster__policy_state(child, (uint32_t)copies[i].id);
    }
    return copies;
}

void muster__child_update(muster_child *child,
                          const muster_balancer_update *update)
{
    muster__policy *policy = policy_of(child);

    if (policy->class_->update == NULL) {
        return;
    }
    muster_backend *backends = with_states(
        policy, update->backends, update->n_backends, update->backend_size);
    if (backends != NULL) { /* out of memory: the next update tells it */
        muster_balancer_update own = {(uint32_t)sizeof own,
                                      (uint32_t)sizeof *backends, backends,
                                      update->n_backends};
        policy->class_->update(policy->self, &own);
        free(backends);
    }
}

void muster__child_want(muster_child *child,
                        const muster_balancer_update *update,
                        uint8_t *ret_wanted)
{
    muster__policy *policy = policy_of(child);
    muster_backend *backends = NULL;

    memset(ret_wanted, 1, update->n_backends);
    if (policy->class_->want == NULL) {
        return;
    }
    backends = with_states(policy, update->backends, update->n_backends,
                           update->backend_size);
    if (backends != NULL) {
        muster_balancer_update own = {(uint32_t)sizeof own,
                                      (uint32_t)sizeof *backends, backends,
                                      update->n_backends};
        policy->class_->want(policy->self, &own, ret_wanted);
        free(backends);
    }
}

muster_status muster__child_build(muster_child *child,
                                  const muster_build_args *args,
                                  void **ret_table, muster_error *err)
{
    muster__policy *policy = policy_of(child);

    if (policy->class_->build == NULL ||
        (args->n_ready == 0 &&
         (policy->class_->flags & MUSTER_BALANCER_PICKS_WHEN_EMPTY) == 0)) {
        *ret_table = NULL;
        return MUSTER_OK;
    }
    muster_backend *ready =
        with_states(policy, args->ready, args->n_ready, args->backend_size);
    if (ready == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    muster_build_args own = {(uint32_t)sizeof own, (uint32_t)sizeof *ready,
                             ready, args->n_ready};
    muster_status status =
        policy->class_->build(policy->self, &own, ret_table, err);
    free(ready);
    return status;
}

muster_verdict muster__child_pick(muster_child *child, void *table,
                                  const muster_pick_args *args,
                                  muster_pick_result *result)
{
    const muster__policy *policy = policy_of(child);

    if (args->n_ready == 0 &&
        (policy->class_->flags & MUSTER_BALANCER_PICKS_WHEN_EMPTY) == 0) {
        return MUSTER_PICK_QUEUE;
    }
    return policy->class_->pick(policy->self, table, args, result);
}

void muster__child_done(muster_child *child, uint64_t id,
                        const muster_outcome *outcome)
{
    const muster__policy *policy = policy_of(child);

    if (policy->class_->done != NULL) {
        policy->class_->done(policy->self, id,
                             muster__policy_state(policy, (uint32_t)id),
                             outcome);
    }
}

void muster__child_table_destroy(muster_child *child, void *table)
{
    const muster__policy *policy = policy_of(child);

    if (table != NULL) {
        policy->class_->table_destroy(policy->self, table);
    }
}

void muster__child_destroy(muster_child *child)
{
    if (child != NULL) {
        muster__policy_unref(policy_of(child));
    }
}
