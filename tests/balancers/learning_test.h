/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of policies that learn from calls share: calls with ends, and
 * the scenario that judges such policies. */
#ifndef MUSTER_TESTS_LEARNING_TEST_H
#define MUSTER_TESTS_LEARNING_TEST_H

#include "policy_test.h"
#include "queue_model.h"

#include <pthread.h>
#include <scenarios/four_endpoints.h>

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

static inline double learning_service_ns(const void *arg, uint32_t server,
                                         uint64_t *random)
{
    const uint32_t *n_slow = arg;
    double ns = FOUR_ENDPOINTS_SERVICE_NS +
                FOUR_ENDPOINTS_SPREAD_NS * (2 * queue_model_random(random) - 1);

    return server < *n_slow ? ns + FOUR_ENDPOINTS_SLOW_NS : ns;
}

/* The first n_slow of the four are slow. */
static inline queue_results
learning_four_endpoints(const muster_balancer_class *policy, const char *config,
                        uint32_t n_slow)
{
    const queue_model model = {.calls_per_s = FOUR_ENDPOINTS_CALLS_PER_S,
                               .n_calls = FOUR_ENDPOINTS_CALLS,
                               .service_ns = learning_service_ns,
                               .arg = &n_slow,
                               .seed = 1};
    muster_testkit_balancer *kit = policy_test_create(policy, config, 1);
    queue_results results;

    policy_test_ready(kit, NULL, FOUR_ENDPOINTS_N);
    results = queue_model_run(&model, kit);
    policy_test_destroy(kit);
    return results;
}

#endif
