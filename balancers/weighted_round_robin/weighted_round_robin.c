/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "weighted_round_robin": each endpoint in proportion to its weight,
 * spread as evenly as can be. README.md has the method. */
#include <muster/plugin.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "../config.h"

#define N_CURSORS 64 /* a power of two: shards are taken modulo */
#define CACHE_LINE 64

/* 2^64 divided by the golden ratio: multiples of it modulo 2^64 fill the range
 * more evenly than those of any other step. */
#define GOLDEN_STEP 0x9e3779b97f4a7c15u

/* Of the guide for each endpoint, at least: so most buckets have one owner, and
 * the search, which the processor cannot predict, is rare. */
#define BUCKETS_EACH 4

/* A point of the range 0 ... 2^64 - 1. */
typedef struct cursor {
    _Alignas(CACHE_LINE) _Atomic uint64_t at;
} cursor;

typedef struct weighted_round_robin {
    cursor cursors[N_CURSORS];
    cursor strict;
    bool is_strict;
} weighted_round_robin;

/* The range, divided among the endpoints in order. Endpoint i owns the points
 * from starts[i] to before starts[i + 1]; the last one those to the end. */
typedef struct share_table {
    uint64_t *starts;
    uint32_t n;
    uint32_t guide_shift; /* a point's bucket is its top bits */
    uint32_t guide[];     /* the owner of each bucket's first point; n - 1 */
} share_table;

static muster_status weighted_create(const muster_balancer_env *env,
                                     void **ret_self, muster_error *err)
{
    bool is_strict = false;
    config settings = config_open(env->config_json, err);
    muster_status status;
    weighted_round_robin *self;

    config_bool(&settings, "strict", &is_strict);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        return status;
    }
    self = aligned_alloc(CACHE_LINE, sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "weighted_round_robin: no memory");
    }
    for (unsigned i = 0; i < N_CURSORS; i++) {
        atomic_init(&self->cursors[i].at, env->host->random(env->ctx));
    }
    atomic_init(&self->strict.at, env->host->random(env->ctx));
    self->is_strict = is_strict;
    *ret_self = self;
    return MUSTER_OK;
}

static uint32_t weight_of(const muster_build_args *args, size_t i)
{
    const void *at = (const char *)args->ready + i * args->backend_size;
    uint32_t weight = ((const muster_backend *)at)->endpoint->weight;

    return weight == 0 ? 1 : weight;
}

/* Doubles round the bounds to 2^-53 of the range, and keep their order. */
static void fill_starts(share_table *table, const muster_build_args *args)
{
    uint64_t total = 0;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < table->n; i++) {
        total += weight_of(args, i);
    }
    for (uint32_t i = 0; i < table->n; i++) {
        double share = (double)sum / (double)total;

        table->starts[i] = share < 1 ? (uint64_t)(share * 0x1p64) : UINT64_MAX;
        sum += weight_of(args, i);
    }
}

static void fill_guide(share_table *table, uint32_t n_buckets)
{
    uint32_t owner = 0;

    for (uint32_t bucket = 0; bucket < n_buckets; bucket++) {
        uint64_t first = (uint64_t)bucket << table->guide_shift;

        while (owner + 1 < table->n && table->starts[owner + 1] <= first) {
            owner++;
        }
        table->guide[bucket] = owner;
    }
    table->guide[n_buckets] = table->n - 1;
}

static muster_status weighted_build(void *self, const muster_build_args *args,
                                    void **ret_table, muster_error *err)
{
    uint32_t bits = 1;
    share_table *table;

    (void)self;
    while (bits < 31 && (size_t)1 << bits < BUCKETS_EACH * args->n_ready) {
        bits++;
    }
    table = malloc(sizeof *table +
                   (((size_t)1 << bits) + 1) * sizeof table->guide[0]);
    if (table != NULL) {
        table->starts = malloc(args->n_ready * sizeof table->starts[0]);
    }
    if (table == NULL || table->starts == NULL) {
        free(table);
        return muster_error_set(err, MUSTER_NOMEM,
                                "weighted_round_robin: no memory for a table "
                                "of %zu endpoints",
                                args->n_ready);
    }
    table->n = (uint32_t)args->n_ready;
    table->guide_shift = 64 - bits;
    fill_starts(table, args);
    fill_guide(table, (uint32_t)1 << bits);
    *ret_table = table;
    return MUSTER_OK;
}

/* The last endpoint that starts at or before point. */
static uint32_t owner_of(const share_table *table, uint64_t point)
{
    uint64_t bucket = point >> table->guide_shift;
    uint32_t low = table->guide[bucket];
    uint32_t high = table->guide[bucket + 1];

    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;

        if (table->starts[middle] <= point) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

/* One step of a shard's own sequence. A lost update (two threads of one shard)
 * only repeats a pick, so plain relaxed loads and stores will do. */
static uint64_t next_sharded(cursor *own)
{
    uint64_t point =
        atomic_load_explicit(&own->at, memory_order_relaxed) + GOLDEN_STEP;

    atomic_store_explicit(&own->at, point, memory_order_relaxed);
    return point;
}

static muster_verdict weighted_pick(void *policy, void *table,
                                    const muster_pick_args *args,
                                    muster_pick_result *result)
{
    weighted_round_robin *self = policy;
    uint64_t point;

    if (self->is_strict) {
        /* Relaxed, for the sequence orders nothing. */
        point = atomic_fetch_add_explicit(&self->strict.at, GOLDEN_STEP,
                                          memory_order_relaxed);
    } else {
        point = next_sharded(&self->cursors[args->shard % N_CURSORS]);
    }
    result->index = owner_of(table, point);
    return MUSTER_PICK_INDEX;
}

static void weighted_table_destroy(void *self, void *policy_table)
{
    share_table *table = policy_table;

    (void)self;
    free(table->starts);
    free(table);
}

static void weighted_destroy(void *self)
{
    free(self);
}

static const muster_balancer_class weighted_round_robin_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_USES_WEIGHTS,
    .name = "weighted_round_robin",
    .create = weighted_create,
    .build = weighted_build,
    .pick = weighted_pick,
    .table_destroy = weighted_table_destroy,
    .destroy = weighted_destroy,
};

static const muster_balancer_class *const classes[] = {
    &weighted_round_robin_class};

MUSTER_PLUGIN(weighted_round_robin,
              "weighted_round_robin\0balancer:weighted_round_robin\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 1);
