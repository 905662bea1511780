/* SPDX-License-Identifier: Apache-2.0 */
/* ring_hash: a key's calls go to the owner of its place on a ring, which is
 * connected when it is first needed (gRFC A42). */
#include "skeletons.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define POINTS 100 /* of an endpoint on the ring */
#define NOT_READY UINT32_MAX

typedef struct ring_point {
    uint64_t hash;
    uint64_t id;
    muster_connectivity connectivity;
    uint32_t ready_index;
} ring_point;

typedef struct ring {
    size_t n;
    ring_point points[];
} ring;

typedef struct ring_hash {
    muster_balancer_env env;
    pthread_mutex_t mutex; /* update() and build() are on different threads */
    ring *latest;          /* of the whole list; guarded by mutex */
} ring_hash;

static muster_status ring_hash_create(const muster_balancer_env *env,
                                      void **ret_self, muster_error *err)
{
    ring_hash *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "ring_hash: no memory");
    }
    self->env = *env;
    (void)pthread_mutex_init(&self->mutex, NULL);
    *ret_self = self;
    return MUSTER_OK;
}

static int compare(const void *one, const void *other)
{
    uint64_t a = ((const ring_point *)one)->hash;
    uint64_t b = ((const ring_point *)other)->hash;

    return (a > b) - (a < b);
}

static void put_points(ring *to, const muster_backend *backend)
{
    for (int i = 0; i < POINTS; i++) {
        ring_point *point = &to->points[to->n++];
        char key[300];
        int size =
            snprintf(key, sizeof key, "%s_%d", backend->endpoint->address, i);

        point->hash = XXH64(key, (size_t)size, 0);
        point->id = backend->id;
        point->connectivity = backend->connectivity;
        point->ready_index = NOT_READY;
    }
}

/* Makes the ring of the list, and asks for a table, since a state that is not
 * READY changes no view but matters here. */
static void ring_hash_update(void *arg, const muster_balancer_update *update)
{
    ring_hash *self = arg;
    ring *fresh = malloc(sizeof *fresh +
                         update->n_backends * POINTS * sizeof(ring_point));

    if (fresh == NULL) {
        self->env.host->log(self->env.ctx, MUSTER_LOG_ERROR, "out of memory");
        return;
    }
    fresh->n = 0;
    for (size_t i = 0; i < update->n_backends; i++) {
        const void *at =
            (const char *)update->backends + i * update->backend_size;

        put_points(fresh, at);
    }
    qsort(fresh->points, fresh->n, sizeof fresh->points[0], compare);
    (void)pthread_mutex_lock(&self->mutex);
    free(self->latest);
    self->latest = fresh;
    (void)pthread_mutex_unlock(&self->mutex);
    self->env.host->republish(self->env.ctx);
}

static void ring_hash_want(void *self, const muster_balancer_update *update,
                           uint8_t *ret_wanted)
{
    (void)self;
    memset(ret_wanted, 0, update->n_backends); /* those of CONNECT only */
}

static void mark_ready(ring *table, const muster_build_args *args)
{
    for (uint32_t i = 0; i < args->n_ready; i++) {
        const void *at = (const char *)args->ready + i * args->backend_size;
        uint64_t id = ((const muster_backend *)at)->id;

        for (size_t k = 0; k < table->n; k++) {
            if (table->points[k].id == id) {
                table->points[k].ready_index = i;
            }
        }
    }
}

static muster_status ring_hash_build(void *arg, const muster_build_args *args,
                                     void **ret_table, muster_error *err)
{
    ring_hash *self = arg;
    ring *table = NULL;
    size_t size;

    (void)pthread_mutex_lock(&self->mutex);
    if (self->latest != NULL) {
        size = sizeof *table + self->latest->n * sizeof table->points[0];
        table = malloc(size);
        if (table != NULL) {
            memcpy(table, self->latest, size);
        }
    }
    (void)pthread_mutex_unlock(&self->mutex);
    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "ring_hash: no memory");
    }
    mark_ready(table, args);
    *ret_table = table;
    return MUSTER_OK;
}

/* The first point at or after hash. */
static size_t find(const ring *table, uint64_t hash)
{
    size_t low = 0;
    size_t high = table->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table->points[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static muster_verdict ring_hash_pick(void *arg, void *policy_table,
                                     const muster_pick_args *args,
                                     muster_pick_result *result)
{
    const ring_hash *self = arg;
    const ring *table = policy_table;
    const char *key = args->call->hash_key;
    uint64_t hash = key == NULL ? self->env.host->random(self->env.ctx)
                                : XXH64(key, strlen(key), 0);
    size_t start = find(table, hash);

    for (size_t k = 0; k < table->n; k++) {
        const ring_point *point = &table->points[(start + k) % table->n];

        result->index = point->ready_index;
        result->id = point->id;
        if (point->ready_index != NOT_READY) {
            return MUSTER_PICK_INDEX;
        }
        if (point->connectivity == MUSTER_IDLE) {
            return MUSTER_PICK_CONNECT;
        }
        if (point->connectivity != MUSTER_TRANSIENT_FAILURE) {
            return MUSTER_PICK_QUEUE;
        }
    }
    result->status = 14;
    result->message = "ring_hash: no endpoint can be reached";
    return MUSTER_PICK_FAIL;
}

static void ring_hash_table_destroy(void *self, void *table)
{
    (void)self;
    free(table);
}

static void ring_hash_destroy(void *arg)
{
    ring_hash *self = arg;

    (void)pthread_mutex_destroy(&self->mutex);
    free(self->latest);
    free(self);
}

const muster_balancer_class skeleton_ring_hash = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_PICKS_WHEN_EMPTY,
    .name = "skeleton_ring_hash",
    .create = ring_hash_create,
    .update = ring_hash_update,
    .want = ring_hash_want,
    .build = ring_hash_build,
    .pick = ring_hash_pick,
    .table_destroy = ring_hash_table_destroy,
    .destroy = ring_hash_destroy,
};
