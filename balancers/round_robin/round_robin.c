/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "round_robin": one endpoint after the other. */
#include <muster/plugin.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "../config.h"

#define N_CURSORS 64 /* a power of two: shards are taken modulo */
#define CACHE_LINE 64

/* 2^64 divided by the golden ratio: multiples of it modulo 2^64 fill the range
 * evenly. */
#define GOLDEN_STEP 0x9e3779b97f4a7c15u

typedef struct cursor {
    _Alignas(CACHE_LINE) _Atomic uint32_t n_ready; /* that of the last pick */
    _Atomic uint32_t last;                         /* the index then */
    _Atomic uint64_t start; /* where it started last, as a fraction of 2^64 */
} cursor;

typedef struct round_robin {
    cursor cursors[N_CURSORS];
    _Alignas(CACHE_LINE) _Atomic uint64_t n_picks; /* of all threads: strict */
    _Alignas(CACHE_LINE) bool is_strict;
} round_robin;

static muster_status round_robin_create(const muster_balancer_env *env,
                                        void **ret_self, muster_error *err)
{
    bool is_strict = false;
    config settings = config_open(env->config_json, err);
    muster_status status;
    round_robin *self;

    config_bool(&settings, "strict", &is_strict);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        return status;
    }
    self = aligned_alloc(CACHE_LINE, sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "round_robin: no memory");
    }
    for (unsigned i = 0; i < N_CURSORS; i++) {
        atomic_init(&self->cursors[i].n_ready, 0);
        atomic_init(&self->cursors[i].last, 0);
        atomic_init(&self->cursors[i].start, env->host->random(env->ctx));
    }
    /* 62 bits: random modulo any n_ready, and no overflow to be seen. */
    atomic_init(&self->n_picks, env->host->random(env->ctx) >> 2);
    self->is_strict = is_strict;
    *ret_self = self;
    return MUSTER_OK;
}

/* The list has another size: the cursor starts anywhere in it, for the first
 * start is random and each step from it leads to another place. */
static uint32_t start_anew(cursor *of, uint32_t n_ready)
{
    uint64_t start =
        atomic_load_explicit(&of->start, memory_order_relaxed) + GOLDEN_STEP;

    atomic_store_explicit(&of->start, start, memory_order_relaxed);
    atomic_store_explicit(&of->n_ready, n_ready, memory_order_relaxed);
    return (uint32_t)(((start >> 32) * n_ready) >> 32);
}

/* The picks of one shard go round in order. Plain relaxed loads and stores will
 * do: two threads of one shard may lose an update, or see the index of another
 * size, and then only repeat a pick or begin again at 0. When n_ready is the
 * same after a change, the cursor is at a random place already, for it started
 * at one. */
static uint32_t pick_sharded(round_robin *self, const muster_pick_args *args)
{
    cursor *of = &self->cursors[args->shard % N_CURSORS];
    uint32_t n_ready = args->n_ready;
    uint32_t index = atomic_load_explicit(&of->last, memory_order_relaxed) + 1;

    if (atomic_load_explicit(&of->n_ready, memory_order_relaxed) != n_ready) {
        index = start_anew(of, n_ready);
    } else if (index >= n_ready) {
        index = 0;
    }
    atomic_store_explicit(&of->last, index, memory_order_relaxed);
    return index;
}

/* All threads share one count: exact, and slower the more threads there are.
 * Relaxed, for the count orders nothing. */
static uint32_t pick_strict(round_robin *self, const muster_pick_args *args)
{
    uint64_t count =
        atomic_fetch_add_explicit(&self->n_picks, 1, memory_order_relaxed);

    return (uint32_t)(count % args->n_ready);
}

static muster_verdict round_robin_pick(void *policy, void *table,
                                       const muster_pick_args *args,
                                       muster_pick_result *result)
{
    round_robin *self = policy;

    (void)table;
    result->index =
        self->is_strict ? pick_strict(self, args) : pick_sharded(self, args);
    return MUSTER_PICK_INDEX;
}

static void round_robin_destroy(void *self)
{
    free(self);
}

static const muster_balancer_class round_robin_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .name = "round_robin",
    .create = round_robin_create,
    .pick = round_robin_pick,
    .destroy = round_robin_destroy,
};

static const muster_balancer_class *const classes[] = {&round_robin_class};

MUSTER_PLUGIN(round_robin, "round_robin\0balancer:round_robin\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 1);
