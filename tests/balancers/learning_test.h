/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of policies that learn from calls share: calls with ends, and
 * the scenario that judges such policies. */
#ifndef MUSTER_TESTS_LEARNING_TEST_H
#define MUSTER_TESTS_LEARNING_TEST_H

#include "policy_test.h"
#include "simulated.h"

#include <pthread.h>
#include <stdio.h>

/* ---- calls ---- */

/* Begins n calls that do not end, counting those of each endpoint. */
static inline void learning_hold(muster_testkit_balancer *kit, int n,
                                 uint64_t *counts)
{
    for (int i = 0; i < n; i++) {
        counts[policy_test_pick(kit, 0)]++;
    }
}

/* A call to the endpoint of this index ends. */
static inline void learning_end(muster_testkit_balancer *kit, uint32_t index,
                                int status, double latency_ms)
{
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .flags = MUSTER_OUTCOME_FROM_SERVER,
                                    .status = status,
                                    .latency_ns = (uint64_t)(latency_ms * 1e6)};
    const muster_backend *backend =
        muster_testkit_balancer_get_backend(kit, index);

    muster_testkit_balancer_done(kit, backend->id, &outcome);
}

/* n calls, one after the other, each of the latency that its endpoint has.
 * Counts those of each endpoint. */
static inline void learning_call(muster_testkit_balancer *kit, int n,
                                 const double *latencies_ms, uint64_t *counts)
{
    for (int i = 0; i < n; i++) {
        uint32_t index = policy_test_pick(kit, 0);

        counts[index]++;
        learning_end(kit, index, 0, latencies_ms[index]);
    }
}

/* The index that a call gets that has tried these endpoints. */
static inline uint32_t learning_retry(muster_testkit_balancer *kit,
                                      const uint32_t *indices, uint32_t n)
{
    uint64_t tried[8];
    const muster_call_info call = {.struct_size = (uint32_t)sizeof call,
                                   .attempt = n,
                                   .tried = tried,
                                   .n_tried = n};
    muster_testkit_pick pick;

    for (uint32_t i = 0; i < n; i++) {
        tried[i] = muster_testkit_balancer_get_backend(kit, indices[i])->id;
    }
    muster_testkit_balancer_pick(kit, &call, 0, &pick);
    cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
    return pick.index;
}

/* ---- many threads ---- */

typedef struct learning_thread {
    muster_testkit_balancer *kit;
    uint32_t shard;
    pthread_t thread;
} learning_thread;

static inline void *learning_thread_main(void *arg)
{
    const learning_thread *own = arg;
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .latency_ns = 1000000};
    muster_testkit_pick picks[4];

    for (int i = 0; i < 5000; i++) {
        for (int k = 0; k < 4; k++) {
            muster_testkit_balancer_pick(own->kit, NULL, own->shard, &picks[k]);
        }
        for (int k = 0; k < 4; k++) {
            muster_testkit_balancer_done(own->kit, picks[k].id, &outcome);
        }
    }
    return NULL;
}

/* Four threads make calls and end them all. */
static inline void learning_call_from_threads(muster_testkit_balancer *kit)
{
    learning_thread threads[4];

    for (uint32_t i = 0; i < 4; i++) {
        threads[i] = (learning_thread){.kit = kit, .shard = i};
        cr_assert_eq(pthread_create(&threads[i].thread, NULL,
                                    learning_thread_main, &threads[i]),
                     0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        (void)pthread_join(threads[i].thread, NULL);
    }
}

/* ---- the scenario ---- */

/* By which policies that learn are judged (after the table of
 * apache/brpc#3340): four endpoints, the first n_slow of them slow, each
 * serving any number of calls at a time, as servers that wait rather than
 * compute do. */
static inline simulated
learning_four_endpoints(const muster_balancer_class *policy, const char *config,
                        unsigned n_slow)
{
    char text[512];

    (void)snprintf(
        text, sizeof text,
        "{\"rate\": 4000, \"durationS\": 100, \"endpoints\": ["
        "{\"count\": %u, \"serviceMs\": 0.3, \"spread\": 0.3, \"extraMs\": 5},"
        "{\"count\": %u, \"serviceMs\": 0.3, \"spread\": 0.3}]}",
        n_slow, 4 - n_slow);
    return simulated_play(policy, config, text);
}

#endif
