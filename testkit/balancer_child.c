/* SPDX-License-Identifier: Apache-2.0 */
/* A policy instance, the one under test or a child: its calls, checked. */
#include <stdlib.h>
#include <string.h>

#include "balancer.h"

muster_status testkit_child_init(muster_child *child,
                                 muster_testkit_balancer *kit,
                                 const muster_balancer_class *class_,
                                 const char *config_json, void *shared,
                                 muster_error *err)
{
    muster_status status;

    child->kit = kit;
    child->class_ = class_;
    if (!testkit_copies_text(config_json == NULL ? "{}" : config_json,
                             &child->config_json)) {
        return muster_error_set(err, MUSTER_NOMEM, "no memory");
    }
    child->env.struct_size = (uint32_t)sizeof child->env;
    child->env.host = &testkit_balancer_host;
    child->env.ctx = child;
    child->env.shared = shared;
    child->env.config_json = child->config_json;
    (void)pthread_mutex_init(&child->mutex, NULL);
    status = class_->create(&child->env, &child->self, err);
    if (status != MUSTER_OK) {
        testkit_agenda_clear(&kit->agenda, child);
        (void)pthread_mutex_destroy(&child->mutex);
        free(child->config_json);
    }
    return status;
}

void testkit_child_fini(muster_child *child)
{
    testkit_agenda_clear(&child->kit->agenda, child);
    child->class_->destroy(child->self);
    testkit_agenda_clear(&child->kit->agenda, child);
    for (size_t i = 0; i < child->n_states; i++) {
        free(child->states[i]);
    }
    free(child->states);
    (void)pthread_mutex_destroy(&child->mutex);
    free(child->config_json);
}

/* ---- states ---- */

static bool reserve_locked(muster_child *child, uint64_t id)
{
    size_t n = child->n_states == 0 ? 64 : child->n_states;
    char **states;

    while (n <= id) {
        n *= 2;
    }
    if (n == child->n_states) {
        return true;
    }
    states = realloc(child->states, n * sizeof *states);
    if (states == NULL) {
        return false;
    }
    memset(states + child->n_states, 0, (n - child->n_states) * sizeof *states);
    child->states = states;
    child->n_states = n;
    return true;
}

void *testkit_child_state(muster_child *child, uint64_t id)
{
    size_t size = child->class_->state_size;
    char *state = NULL;

    if (size == 0) {
        return NULL;
    }
    (void)pthread_mutex_lock(&child->mutex);
    if (reserve_locked(child, id)) {
        if (child->states[id] == NULL) {
            child->states[id] = calloc(1, size);
        }
        state = child->states[id];
    }
    (void)pthread_mutex_unlock(&child->mutex);
    if (state == NULL) {
        testkit_violations_add(&child->kit->violations,
                               "out of memory in the kit");
    }
    return state;
}

muster_backend *testkit_child_backends(muster_child *child,
                                       const muster_backend *backends,
                                       size_t stride, size_t n)
{
    muster_backend *copy = calloc(n + 1, sizeof *copy);

    if (copy == NULL) {
        testkit_violations_add(&child->kit->violations,
                               "out of memory in the kit");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const char *at = (const char *)backends + i * stride;

        memcpy(&copy[i], at, stride < sizeof *copy ? stride : sizeof *copy);
        copy[i].state = testkit_child_state(child, copy[i].id);
    }
    return copy;
}

/* ---- control ---- */

void testkit_child_update(muster_child *child,
                          const muster_balancer_update *update)
{
    muster_balancer_update own = {.struct_size = (uint32_t)sizeof own,
                                  .backend_size =
                                      (uint32_t)sizeof(muster_backend),
                                  .n_backends = update->n_backends};
    muster_backend *backends;

    if (child->class_->update == NULL) {
        return;
    }
    backends = testkit_child_backends(child, update->backends,
                                      update->backend_size, own.n_backends);
    if (backends != NULL) {
        own.backends = backends;
        child->class_->update(child->self, &own);
    }
    free(backends);
}

static void check_wanted(muster_child *child, uint8_t *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (wanted[i] > 1) {
            testkit_violations_add(&child->kit->violations,
                                   "%s: want() left endpoint %zu undecided",
                                   child->class_->name, i);
            wanted[i] = 1;
        }
    }
}

void testkit_child_want(muster_child *child,
                        const muster_balancer_update *update,
                        uint8_t *ret_wanted)
{
    size_t n = update->n_backends;
    muster_balancer_update own = {.struct_size = (uint32_t)sizeof own,
                                  .backend_size =
                                      (uint32_t)sizeof(muster_backend),
                                  .n_backends = n};
    muster_backend *backends;

    if (child->class_->want == NULL) {
        memset(ret_wanted, 1, n);
        return;
    }
    backends = testkit_child_backends(child, update->backends,
                                      update->backend_size, n);
    if (backends == NULL) {
        memset(ret_wanted, 1, n);
        return;
    }
    own.backends = backends;
    memset(ret_wanted, 0xff, n);
    child->class_->want(child->self, &own, ret_wanted);
    check_wanted(child, ret_wanted, n);
    free(backends);
}

/* ---- tables ---- */

static bool can_ask(const muster_child *child, size_t n_ready)
{
    return n_ready > 0 ||
           (child->class_->flags & MUSTER_BALANCER_PICKS_WHEN_EMPTY) != 0;
}

static muster_status call_build(muster_child *child,
                                const muster_backend *backends, uint32_t n,
                                void **ret_table, muster_error *err)
{
    const muster_build_args args = {.struct_size = (uint32_t)sizeof args,
                                    .backend_size = (uint32_t)sizeof *backends,
                                    .ready = backends,
                                    .n_ready = n};
    muster_error unused;

    if (child->class_->build == NULL || !can_ask(child, n)) {
        return MUSTER_OK;
    }
    return child->class_->build(child->self, &args, ret_table,
                                err == NULL ? &unused : err);
}

muster_status testkit_child_build(muster_child *child,
                                  const muster_build_args *args,
                                  balancer_table **ret_table, muster_error *err)
{
    uint32_t n = (uint32_t)args->n_ready;
    balancer_table *table = calloc(1, sizeof *table);
    uint64_t *ids = calloc(n + 1u, sizeof *ids);
    muster_backend *backends =
        testkit_child_backends(child, args->ready, args->backend_size, n);
    muster_status status = MUSTER_NOMEM;

    if (table != NULL && ids != NULL && backends != NULL) {
        for (uint32_t i = 0; i < n; i++) {
            ids[i] = backends[i].id;
        }
        table->ids = ids;
        table->n_ready = n;
        status = call_build(child, backends, n, &table->table, err);
    }
    free(backends);
    if (status != MUSTER_OK) {
        free(ids);
        free(table);
        return status;
    }
    *ret_table = table;
    return MUSTER_OK;
}

void testkit_child_table_destroy(muster_child *child, balancer_table *table)
{
    if (table == NULL) {
        return;
    }
    if (table->table != NULL) {
        child->class_->table_destroy(child->self, table->table);
    }
    free(table->ids);
    free(table);
}

/* ---- picks ---- */

static muster_verdict check_pick(muster_child *child,
                                 const balancer_table *table,
                                 muster_verdict verdict,
                                 const muster_pick_result *result)
{
    testkit_violations *violations = &child->kit->violations;
    const char *name = child->class_->name;

    switch (verdict) {
    case MUSTER_PICK_INDEX:
        if (result->index < table->n_ready) {
            return verdict;
        }
        testkit_violations_add(violations, "%s: picked index %u of %u READY",
                               name, result->index, table->n_ready);
        return MUSTER_PICK_QUEUE;
    case MUSTER_PICK_CONNECT:
        if (testkit_balancer_find(child->kit, result->id) ==
            child->kit->list.n) {
            testkit_violations_add(violations,
                                   "%s: CONNECT to an unknown id %llu", name,
                                   (unsigned long long)result->id);
        }
        return verdict;
    case MUSTER_PICK_FAIL:
        if (result->status == 0 || result->message == NULL) {
            testkit_violations_add(
                violations, "%s: FAIL without a status or a message", name);
        }
        return verdict;
    case MUSTER_PICK_QUEUE:
        return verdict;
    }
    testkit_violations_add(violations, "%s: unknown verdict %d", name,
                           (int)verdict);
    return MUSTER_PICK_QUEUE;
}

muster_verdict testkit_child_pick(muster_child *child, balancer_table *table,
                                  const muster_pick_args *args,
                                  muster_pick_result *result)
{
    if (args->n_ready != table->n_ready) {
        testkit_violations_add(
            &child->kit->violations, "%s: a pick of %u from a table of %u",
            child->class_->name, args->n_ready, table->n_ready);
        return MUSTER_PICK_QUEUE;
    }
    if (!can_ask(child, table->n_ready)) {
        return MUSTER_PICK_QUEUE;
    }
    return check_pick(
        child, table,
        child->class_->pick(child->self, table->table, args, result), result);
}

void testkit_child_done(muster_child *child, uint64_t id,
                        const muster_outcome *outcome)
{
    if (child->class_->done != NULL) {
        child->class_->done(child->self, id, testkit_child_state(child, id),
                            outcome);
    }
}
