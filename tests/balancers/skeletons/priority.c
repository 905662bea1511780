/* SPDX-License-Identifier: Apache-2.0 */
/* priority: endpoints of priority 0, and the others when those fail or do not
 * connect in time (gRFC A56). */
#include "skeletons.h"

#include <stdatomic.h>
#include <stdlib.h>

#define FAILOVER_MS 10000

typedef struct priority {
    muster_balancer_env env;
    muster_child *children[2];
    uint64_t timer; /* 0: not running */
    int is_late;    /* the timer has run since 0 was last READY */
    atomic_int active;
} priority;

/* A child's table, with the place in our view of each endpoint of its own. */
typedef struct priority_table {
    int active;
    void *table;
    uint32_t n;
    uint32_t places[];
} priority_table;

static muster_status priority_create(const muster_balancer_env *env,
                                     void **ret_self, muster_error *err)
{
    priority *self = calloc(1, sizeof *self);
    muster_status status = MUSTER_OK;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "no memory");
    }
    self->env = *env;
    for (int i = 0; i < 2 && status == MUSTER_OK; i++) {
        status = env->host->child_create(env->ctx, "round_robin", "{}",
                                         &self->children[i], err);
    }
    if (status != MUSTER_OK) {
        env->host->child_destroy(self->children[0]);
        free(self);
        return status;
    }
    *ret_self = self;
    return MUSTER_OK;
}

static const muster_backend *backend_at(const void *backends, size_t stride,
                                        size_t i)
{
    const void *at = (const char *)backends + i * stride;

    return at;
}

static int level_of(const muster_backend *backend)
{
    return backend->endpoint->priority > 0;
}

/* Copies the backends of a level to subset (room for all), and their places. */
static uint32_t take_level(const void *backends, size_t stride, size_t n,
                           int level, muster_backend *subset, uint32_t *places)
{
    uint32_t n_taken = 0;

    for (uint32_t i = 0; i < n; i++) {
        const muster_backend *backend = backend_at(backends, stride, i);

        if (level_of(backend) == level) {
            subset[n_taken] = *backend;
            places[n_taken++] = i;
        }
    }
    return n_taken;
}

static void set_active(priority *self, int active)
{
    if (atomic_exchange(&self->active, active) != active) {
        self->env.host->republish(self->env.ctx);
    }
}

static void fail_over(void *arg)
{
    priority *self = arg;

    self->timer = 0;
    self->is_late = 1;
    set_active(self, 1);
}

/* Decides which level serves, by the states of level 0. */
static void decide(priority *self, const muster_backend *level, uint32_t n)
{
    uint32_t n_failed = 0;
    const muster_balancer_host *host = self->env.host;

    for (uint32_t i = 0; i < n; i++) {
        if (level[i].connectivity == MUSTER_READY) {
            host->cancel(self->env.ctx, self->timer);
            self->timer = 0;
            self->is_late = 0;
            set_active(self, 0);
            return;
        }
        n_failed += level[i].connectivity == MUSTER_TRANSIENT_FAILURE;
    }
    if (n_failed == n || self->is_late) {
        set_active(self, 1);
    } else if (self->timer == 0 &&
               host->call_later(self->env.ctx, FAILOVER_MS, fail_over, self,
                                &self->timer) != MUSTER_OK) {
        set_active(self, 1); /* rather early than never */
    }
}

/* Hands each level to its child; with ret_wanted, asks it what it wants. */
static void visit(priority *self, const muster_balancer_update *update,
                  uint8_t *ret_wanted)
{
    size_t n = update->n_backends;
    muster_backend *subset = calloc(n + 1, sizeof *subset);
    uint32_t *places = calloc(n + 1, sizeof *places);
    uint8_t *wanted = calloc(n + 1, 1);
    int active = atomic_load(&self->active);

    for (int i = 0; i < 2 && subset && places && wanted; i++) {
        uint32_t n_taken = take_level(update->backends, update->backend_size, n,
                                      i, subset, places);
        const muster_balancer_update part = {
            (uint32_t)sizeof part, (uint32_t)sizeof *subset, subset, n_taken};

        if (ret_wanted == NULL) {
            self->env.host->child_update(self->children[i], &part);
            if (i == 0) {
                decide(self, subset, n_taken);
            }
            continue;
        }
        self->env.host->child_want(self->children[i], &part, wanted);
        for (uint32_t k = 0; k < n_taken; k++) {
            ret_wanted[places[k]] = wanted[k] && i <= active;
        }
    }
    free(subset);
    free(places);
    free(wanted);
}

static void priority_update(void *self, const muster_balancer_update *update)
{
    visit(self, update, NULL);
}

static void priority_want(void *self, const muster_balancer_update *update,
                          uint8_t *ret_wanted)
{
    for (size_t i = 0; i < update->n_backends; i++) {
        ret_wanted[i] = 1; /* when memory is short */
    }
    visit(self, update, ret_wanted);
}

static muster_status priority_build(void *arg, const muster_build_args *args,
                                    void **ret_table, muster_error *err)
{
    priority *self = arg;
    size_t n = args->n_ready;
    priority_table *table =
        calloc(1, sizeof *table + n * sizeof table->places[0]);
    muster_backend *subset = calloc(n + 1, sizeof *subset);
    muster_build_args part = *args;
    muster_status status = MUSTER_NOMEM;

    if (table != NULL && subset != NULL) {
        table->active = atomic_load(&self->active);
        table->n = take_level(args->ready, args->backend_size, n, table->active,
                              subset, table->places);
        part.backend_size = (uint32_t)sizeof *subset;
        part.ready = subset;
        part.n_ready = table->n;
        status = self->env.host->child_build(self->children[table->active],
                                             &part, &table->table, err);
    }
    free(subset);
    if (status != MUSTER_OK) {
        free(table);
        return muster_error_set(err, status, "priority: no table");
    }
    *ret_table = table;
    return MUSTER_OK;
}

static muster_verdict priority_pick(void *arg, void *policy_table,
                                    const muster_pick_args *args,
                                    muster_pick_result *result)
{
    priority *self = arg;
    const priority_table *table = policy_table;
    muster_pick_args part = *args;
    muster_verdict verdict;

    part.n_ready = table->n;
    verdict = self->env.host->child_pick(self->children[table->active],
                                         table->table, &part, result);
    if (verdict == MUSTER_PICK_INDEX) {
        result->index = table->places[result->index];
    }
    return verdict;
}

static void priority_table_destroy(void *arg, void *policy_table)
{
    priority *self = arg;
    priority_table *table = policy_table;

    self->env.host->child_table_destroy(self->children[table->active],
                                        table->table);
    free(table);
}

static void priority_destroy(void *arg)
{
    priority *self = arg;

    self->env.host->child_destroy(self->children[1]);
    self->env.host->child_destroy(self->children[0]);
    free(self);
}

const muster_balancer_class skeleton_priority = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_PRIORITY_AWARE,
    .name = "skeleton_priority",
    .create = priority_create,
    .update = priority_update,
    .want = priority_want,
    .build = priority_build,
    .pick = priority_pick,
    .table_destroy = priority_table_destroy,
    .destroy = priority_destroy,
};
