/* SPDX-License-Identifier: Apache-2.0 */
/* A policy with as little around it as can be, to be called by many threads or
 * to be measured: a host without a lock, endpoints of weight 1, states. */
#ifndef MUSTER_TESTS_BARE_POLICY_H
#define MUSTER_TESTS_BARE_POLICY_H

#include <muster/balancer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bare_policy {
    const muster_balancer_class *policy;
    void *self;
    void *table;
    size_t state_size; /* rounded up to cache lines */
    char *states;
    muster_endpoint endpoint; /* all are alike */
    uint32_t n;
} bare_policy;

static inline uint64_t bare_policy_now_ns(void *ctx)
{
    struct timespec now;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* SplitMix64, a sequence for each thread, as the core has it. */
static inline uint64_t bare_policy_random(void *ctx)
{
    static _Thread_local uint64_t state;
    uint64_t bits;

    (void)ctx;
    if (state == 0) {
        state = (uint64_t)(uintptr_t)&state;
    }
    bits = state += 0x9e3779b97f4a7c15u;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

static inline void bare_policy_check(muster_status status,
                                     const muster_error *err)
{
    if (status != MUSTER_OK) {
        fprintf(stderr, "%s\n", err->message);
        exit(EXIT_FAILURE);
    }
}

/* The endpoint of index i has the id i + 1. */
static inline void *bare_policy_state(const bare_policy *of, uint32_t index)
{
    return of->states + index * of->state_size;
}

static inline void bare_policy_build(bare_policy *of)
{
    muster_backend *ready = calloc(of->n, sizeof *ready);
    muster_build_args args = {.struct_size = (uint32_t)sizeof args,
                              .backend_size = (uint32_t)sizeof *ready,
                              .ready = ready,
                              .n_ready = of->n};
    muster_error err = {0};

    if (of->policy->build == NULL || ready == NULL) {
        free(ready);
        return;
    }
    for (uint32_t i = 0; i < of->n; i++) {
        ready[i].id = i + 1;
        ready[i].endpoint = &of->endpoint;
        ready[i].state = bare_policy_state(of, i);
        ready[i].connectivity = MUSTER_READY;
    }
    bare_policy_check(of->policy->build(of->self, &args, &of->table, &err),
                      &err);
    free(ready);
}

static inline bare_policy *
bare_policy_create(const muster_balancer_class *policy, const char *config,
                   uint32_t n)
{
    static const muster_balancer_host host = {.struct_size =
                                                  (uint32_t)sizeof host,
                                              .now_ns = bare_policy_now_ns,
                                              .random = bare_policy_random};
    const muster_balancer_env env = {.struct_size = (uint32_t)sizeof env,
                                     .host = &host,
                                     .config_json = config};
    bare_policy *of = calloc(1, sizeof *of);
    muster_error err = {0};

    if (of == NULL) {
        abort();
    }
    of->policy = policy;
    of->n = n;
    of->endpoint.address = "10.0.0.1:80";
    of->endpoint.weight = 1;
    of->state_size = (policy->state_size + 63u) / 64 * 64;
    of->states = aligned_alloc(64, n * of->state_size + 64);
    if (of->states == NULL) {
        abort();
    }
    memset(of->states, 0, n * of->state_size + 64);
    bare_policy_check(policy->create(&env, &of->self, &err), &err);
    bare_policy_build(of);
    return of;
}

/* Thread: any, as bare_policy_done(). */
static inline uint32_t bare_policy_pick(bare_policy *of, uint32_t shard)
{
    static const muster_call_info call = {.struct_size = (uint32_t)sizeof call};
    const muster_pick_args args = {.struct_size = (uint32_t)sizeof args,
                                   .n_ready = of->n,
                                   .shard = shard,
                                   .call = &call};
    muster_pick_result result = {.struct_size = (uint32_t)sizeof result};

    if (of->policy->pick(of->self, of->table, &args, &result) !=
            MUSTER_PICK_INDEX ||
        result.index >= of->n) {
        abort();
    }
    return result.index;
}

static inline void bare_policy_done(bare_policy *of, uint32_t index,
                                    uint64_t latency_ns)
{
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .latency_ns = latency_ns};

    if (of->policy->done != NULL) {
        of->policy->done(of->self, index + 1, bare_policy_state(of, index),
                         &outcome);
    }
}

static inline void bare_policy_destroy(bare_policy *of)
{
    if (of->table != NULL) {
        of->policy->table_destroy(of->self, of->table);
    }
    of->policy->destroy(of->self);
    free(of->states);
    free(of);
}

#endif
