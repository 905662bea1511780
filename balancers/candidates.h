/* SPDX-License-Identifier: Apache-2.0 */
/* READY endpoints that compete for a call, for policies that compare a few of
 * them: the table, the draw, and the count of calls in flight. Inline, because
 * a policy is one shared object or one object file among others. */
#ifndef MUSTER_BALANCERS_CANDIDATES_H
#define MUSTER_BALANCERS_CANDIDATES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <muster/balancer.h>

#include "backends.h"

/* A state is written by calls all the time: so that its neighbours do not
 * suffer, it gets a cache line. */
#define CANDIDATE_STATE_SIZE 64u

typedef struct candidate {
    void *state;
    uint64_t id;
    double by_weight; /* one divided by the weight */
    uint32_t chance;  /* of 2^32: that a draw of this one means it */
    uint32_t other;   /* the one meant else */
} candidate;

typedef struct candidate_table {
    uint32_t n;
    bool has_weights; /* which differ */
    candidate of[];
} candidate_table;

/* ---- the table ---- */

static inline uint32_t candidates_weight(const muster_build_args *args,
                                         uint32_t i)
{
    uint32_t weight = backends_ready(args, i)->endpoint->weight;

    return weight == 0 ? 1 : weight;
}

/* Vose's alias method: each draw means one of two, so that each is meant in
 * proportion to its weight. shares are those weights, 1 on average; todo has
 * room for n. */
static inline void candidates_pair(candidate_table *table, double *shares,
                                   uint32_t *todo)
{
    uint32_t n_small = 0;
    uint32_t n_large = 0;

    for (uint32_t i = 0; i < table->n; i++) {
        table->of[i].chance = UINT32_MAX;
        table->of[i].other = i;
        if (shares[i] < 1) {
            todo[n_small++] = i;
        } else {
            todo[table->n - ++n_large] = i;
        }
    }
    while (n_small > 0 && n_large > 0) {
        uint32_t small = todo[--n_small];
        uint32_t large = todo[table->n - n_large];

        table->of[small].chance = (uint32_t)(shares[small] * 0x1p32);
        table->of[small].other = large;
        shares[large] -= 1 - shares[small];
        if (shares[large] < 1) {
            n_large--;
            todo[n_small++] = large;
        }
    }
}

static inline bool candidates_weigh(candidate_table *table,
                                    const muster_build_args *args)
{
    double *shares = malloc(table->n * sizeof *shares);
    uint32_t *todo = malloc(table->n * sizeof *todo);
    double total = 0;
    bool is_done = shares != NULL && todo != NULL;

    for (uint32_t i = 0; i < table->n; i++) {
        total += candidates_weight(args, i);
    }
    for (uint32_t i = 0; is_done && i < table->n; i++) {
        shares[i] = candidates_weight(args, i) * (table->n / total);
    }
    if (is_done) {
        candidates_pair(table, shares, todo);
    }
    free(todo);
    free(shares);
    return is_done;
}

/* For build(): the table is to be freed. Weights that are all the same are
 * none. */
static inline muster_status candidates_build(const muster_build_args *args,
                                             void **ret_table,
                                             muster_error *err)
{
    candidate_table *table =
        malloc(sizeof *table + args->n_ready * sizeof table->of[0]);

    if (table != NULL) {
        table->n = (uint32_t)args->n_ready;
        table->has_weights = false;
        for (uint32_t i = 0; i < table->n; i++) {
            const muster_backend *backend = backends_ready(args, i);
            uint32_t weight = candidates_weight(args, i);

            table->of[i].state = backend->state;
            table->of[i].id = backend->id;
            table->of[i].by_weight = 1.0 / weight;
            table->has_weights |= weight != candidates_weight(args, 0);
        }
    }
    if (table == NULL ||
        (table->has_weights && !candidates_weigh(table, args))) {
        free(table);
        return muster_error_set(err, MUSTER_NOMEM,
                                "no memory for a table of %zu endpoints",
                                args->n_ready);
    }
    for (uint32_t i = 0; !table->has_weights && i < table->n; i++) {
        table->of[i].by_weight = 1;
    }
    *ret_table = table;
    return MUSTER_OK;
}

/* ---- the draw ---- */

/* Indices in an order that one random number gives. First n_weighed of them by
 * weight, as if an endpoint of weight 3 were three endpoints; they may repeat.
 * Then all, each once: from a random start by steps of a random width. The
 * first two of these are a pair as random as can be, and more than two spread
 * calls as well as independent draws do (Mitzenmacher, "Balanced Allocations
 * and Double Hashing", 2014). */
typedef struct candidate_draw {
    const candidate_table *table;
    uint64_t random;
    uint32_t n_weighed;
    uint32_t step;
    uint32_t next;
    uint32_t round; /* where this round of steps began */
} candidate_draw;

/* A whole number below n: bits are 32 random ones. */
static inline uint32_t candidates_below(uint32_t n, uint32_t bits)
{
    return (uint32_t)((uint64_t)bits * n >> 32);
}

/* n_weighed is heeded when weights differ. */
static inline candidate_draw candidates_draw(const candidate_table *table,
                                             uint64_t random,
                                             uint32_t n_weighed)
{
    candidate_draw self = {.table = table, .random = random};

    self.n_weighed = table->has_weights ? n_weighed : 0;
    self.step = 1 + candidates_below(table->n - 1, (uint32_t)random);
    self.next = candidates_below(table->n, (uint32_t)(random >> 32));
    self.round = self.next;
    return self;
}

/* More random bits from those of the draw: a step of SplitMix64. */
static inline uint64_t candidates_random(candidate_draw *self)
{
    uint64_t bits = self->random += 0x9e3779b97f4a7c15u;

    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

static inline uint32_t candidates_weighed(candidate_draw *self)
{
    uint64_t bits = candidates_random(self);
    uint32_t index = candidates_below(self->table->n, (uint32_t)(bits >> 32));
    const candidate *of = &self->table->of[index];

    self->n_weighed--;
    return (uint32_t)bits <= of->chance ? index : of->other;
}

/* The steps come back to where they began when their width and n have a
 * divisor in common: the next round begins beside it. */
static inline uint32_t candidates_next(candidate_draw *self)
{
    uint32_t n = self->table->n;
    uint32_t index = self->next;
    uint64_t next = (uint64_t)index + self->step;

    if (self->n_weighed > 0) {
        return candidates_weighed(self);
    }
    if (next >= n) {
        next -= n;
    }
    if (next == self->round) {
        next = next + 1 == n ? 0 : next + 1;
        self->round = (uint32_t)next;
    }
    self->next = (uint32_t)next;
    return index;
}

static inline bool candidates_is_tried(const muster_call_info *call,
                                       uint64_t id)
{
    for (uint32_t i = 0; i < call->n_tried; i++) {
        if (call->tried[i] == id) {
            return true;
        }
    }
    return false;
}

/* ---- calls in flight; relaxed, for the counts order nothing ---- */

static inline uint32_t candidates_count(const _Atomic uint32_t *n_calls)
{
    return atomic_load_explicit(n_calls, memory_order_relaxed);
}

static inline void candidates_begin_call(_Atomic uint32_t *n_calls)
{
    atomic_fetch_add_explicit(n_calls, 1, memory_order_relaxed);
}

/* Never below 0: a parent policy may hand on the end of a call that it had
 * placed through another child. */
static inline void candidates_end_call(_Atomic uint32_t *n_calls)
{
    uint32_t n = candidates_count(n_calls);

    while (n > 0 && !atomic_compare_exchange_weak_explicit(
                        n_calls, &n, n - 1, memory_order_relaxed,
                        memory_order_relaxed)) {
    }
}

#endif
