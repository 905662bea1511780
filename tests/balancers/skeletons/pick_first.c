/* SPDX-License-Identifier: Apache-2.0 */
/* pick_first: one endpoint at a time, in the order of the list. */
#include "skeletons.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct pick_first {
    muster_balancer_env env;
    _Atomic uint64_t current_id; /* update() writes it, build() reads it */
} pick_first;

typedef struct pick_first_table {
    uint32_t index;
    int is_ready;
} pick_first_table;

static muster_status pick_first_create(const muster_balancer_env *env,
                                       void **ret_self, muster_error *err)
{
    pick_first *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "pick_first: no memory");
    }
    self->env = *env;
    *ret_self = self;
    return MUSTER_OK;
}

static const muster_backend *backend_at(const muster_balancer_update *update,
                                        size_t i)
{
    const void *at = (const char *)update->backends + i * update->backend_size;

    return at;
}

/* The current one, unless it failed or left: then the next that has not. */
static size_t choose(const pick_first *self,
                     const muster_balancer_update *update)
{
    uint64_t current_id = atomic_load(&self->current_id);
    size_t n = update->n_backends;
    size_t start = 0;

    while (start < n && backend_at(update, start)->id != current_id) {
        start++;
    }
    for (size_t k = 0; k < n; k++) {
        size_t i = (start + k) % n;

        if (backend_at(update, i)->connectivity != MUSTER_TRANSIENT_FAILURE) {
            return i;
        }
    }
    self->env.host->request_resolution(self->env.ctx);
    return start % n;
}

static void pick_first_update(void *arg, const muster_balancer_update *update)
{
    pick_first *self = arg;
    uint64_t id = 0;

    if (update->n_backends > 0) {
        id = backend_at(update, choose(self, update))->id;
    }
    atomic_store(&self->current_id, id);
}

static void pick_first_want(void *arg, const muster_balancer_update *update,
                            uint8_t *ret_wanted)
{
    const pick_first *self = arg;
    uint64_t current_id = atomic_load(&self->current_id);

    for (size_t i = 0; i < update->n_backends; i++) {
        ret_wanted[i] = backend_at(update, i)->id == current_id;
    }
}

static muster_status pick_first_build(void *arg, const muster_build_args *args,
                                      void **ret_table, muster_error *err)
{
    const pick_first *self = arg;
    uint64_t current_id = atomic_load(&self->current_id);
    pick_first_table *table = calloc(1, sizeof *table);

    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "pick_first: no memory");
    }
    for (uint32_t i = 0; i < args->n_ready; i++) {
        const void *at = (const char *)args->ready + i * args->backend_size;

        if (((const muster_backend *)at)->id == current_id) {
            table->index = i;
            table->is_ready = 1;
        }
    }
    *ret_table = table;
    return MUSTER_OK;
}

static muster_verdict pick_first_pick(void *self, void *arg,
                                      const muster_pick_args *args,
                                      muster_pick_result *result)
{
    const pick_first_table *table = arg;

    (void)self;
    (void)args;
    result->index = table->index;
    return table->is_ready ? MUSTER_PICK_INDEX : MUSTER_PICK_QUEUE;
}

static void pick_first_table_destroy(void *self, void *table)
{
    (void)self;
    free(table);
}

static void pick_first_destroy(void *self)
{
    free(self);
}

const muster_balancer_class skeleton_pick_first = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .name = "skeleton_pick_first",
    .create = pick_first_create,
    .update = pick_first_update,
    .want = pick_first_want,
    .build = pick_first_build,
    .pick = pick_first_pick,
    .table_destroy = pick_first_table_destroy,
    .destroy = pick_first_destroy,
};
