/* SPDX-License-Identifier: Apache-2.0 */
/* A policy with as little around it as can be, to be called by many threads or
 * to be measured: a host without a lock and without timers, endpoints of
 * weight 1 that are READY, states, children. What cannot be set up ends the
 * process. */
#ifndef MUSTER_TESTS_BARE_POLICY_H
#define MUSTER_TESTS_BARE_POLICY_H

#include <muster/balancer.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct bare_policy {
    const muster_balancer_class *class_;
    void *self;
    void *table;
    size_t state_size; /* rounded up to cache lines */
    char *states;
    muster_backend *backends; /* n; only the root has them */
    muster_endpoint *endpoints;
    char (*addresses)[24];
    uint32_t n;
} bare_policy;

/* Told of n endpoints. The program ends when the policy refuses config. */
bare_policy *bare_policy_create(const muster_balancer_class *class_,
                                const char *config, uint32_t n);
void bare_policy_destroy(bare_policy *of);

/* The endpoint of index i has the id i + 1. */
static inline void *bare_policy_state(const bare_policy *of, uint32_t index)
{
    return of->states == NULL ? NULL : of->states + index * of->state_size;
}

/* The index that a call gets. Thread: any, as bare_policy_done(). */
static inline uint32_t bare_policy_place(bare_policy *of, uint32_t shard,
                                         const muster_call_info *call)
{
    const muster_pick_args args = {.struct_size = (uint32_t)sizeof args,
                                   .n_ready = of->n,
                                   .shard = shard,
                                   .call = call};
    muster_pick_result result = {.struct_size = (uint32_t)sizeof result};

    if (of->class_->pick(of->self, of->table, &args, &result) !=
            MUSTER_PICK_INDEX ||
        result.index >= of->n) {
        abort();
    }
    return result.index;
}

/* Of a call of which nothing is known. */
static inline uint32_t bare_policy_pick(bare_policy *of, uint32_t shard)
{
    static const muster_call_info call = {.struct_size = (uint32_t)sizeof call};

    return bare_policy_place(of, shard, &call);
}

static inline void bare_policy_done(bare_policy *of, uint32_t index,
                                    uint64_t latency_ns)
{
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .latency_ns = latency_ns};

    if (of->class_->done != NULL) {
        of->class_->done(of->self, index + 1, bare_policy_state(of, index),
                         &outcome);
    }
}

#endif
