/* SPDX-License-Identifier: Apache-2.0 */
/* Threads end calls of outlier_detection while the control thread changes the
 * list, ejects, sweeps and takes back: nobody but the one that fails is
 * ejected.
 *
 *   outlier_ejections [THREADS [CALLS]] */
#include <muster/plugin.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const muster_plugin *muster_builtin_outlier_detection(void);

enum { N_ENDPOINTS = 3, BAD = 1, MAX_THREADS = 64, STATE_SIZE = 64 };

#define INTERVAL_NS UINT64_C(1000000)

/* ---- a host that is one thread ---- */

static _Atomic uint64_t now_ns;
static atomic_bool is_republish_due;
static void (*timer_fn)(void *arg);
static void *timer_arg;
static unsigned n_ejections[N_ENDPOINTS];
static bool is_ejected[N_ENDPOINTS];
static uint64_t n_enforced;

static uint64_t host_now_ns(void *ctx)
{
    (void)ctx;
    return atomic_load_explicit(&now_ns, memory_order_relaxed);
}

static uint64_t host_random(void *ctx)
{
    (void)ctx;
    return 0;
}

static muster_status host_call_later(void *ctx, uint64_t delay_ms,
                                     void (*fn)(void *arg), void *arg,
                                     uint64_t *ret_timer)
{
    (void)ctx;
    (void)delay_ms;
    timer_fn = fn;
    timer_arg = arg;
    *ret_timer = 1;
    return MUSTER_OK;
}

static void host_republish(void *ctx)
{
    (void)ctx;
    atomic_store_explicit(&is_republish_due, true, memory_order_release);
}

static void host_set_ejected(void *ctx, uint64_t id, int is_out)
{
    (void)ctx;
    is_ejected[id - 1] = is_out != 0;
    n_ejections[id - 1] += is_out != 0;
}

static muster_status host_child_create(void *ctx, const char *policy,
                                       const char *config_json,
                                       muster_child **ret_child,
                                       muster_error *err)
{
    (void)ctx;
    (void)policy;
    (void)config_json;
    (void)ret_child;
    (void)err;
    return MUSTER_OK;
}

static void host_child_update(muster_child *child,
                              const muster_balancer_update *update)
{
    (void)child;
    (void)update;
}

static void host_child_want(muster_child *child,
                            const muster_balancer_update *update,
                            uint8_t *ret_wanted)
{
    (void)child;
    memset(ret_wanted, 1, update->n_backends);
}

static void host_child_done(muster_child *child, uint64_t id,
                            const muster_outcome *outcome)
{
    (void)child;
    (void)id;
    (void)outcome;
}

static void host_child_destroy(muster_child *child)
{
    (void)child;
}

static void host_log(void *ctx, muster_log_level level, const char *message)
{
    (void)ctx;
    (void)level;
    (void)message;
}

static void host_count(void *ctx, const char *name,
                       const muster_attribute *labels, size_t n_labels,
                       uint64_t delta)
{
    (void)ctx;
    (void)name;
    (void)labels;
    n_enforced += n_labels == 1 ? delta : 0;
}

static const muster_balancer_host host = {
    .struct_size = (uint32_t)sizeof host,
    .now_ns = host_now_ns,
    .random = host_random,
    .call_later = host_call_later,
    .republish = host_republish,
    .set_ejected = host_set_ejected,
    .child_create = host_child_create,
    .child_update = host_child_update,
    .child_want = host_child_want,
    .child_done = host_child_done,
    .child_destroy = host_child_destroy,
    .log = host_log,
    .count = host_count,
};

/* ---- calls ---- */

static const muster_balancer_class *policy;
static void *self;
static _Alignas(64) char states[N_ENDPOINTS][STATE_SIZE];
static atomic_uint n_running;
static int n_calls;

static void *make_calls(void *unused)
{
    (void)unused;
    for (int i = 0; i < n_calls; i++) {
        uint32_t index = (uint32_t)i % N_ENDPOINTS;
        const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                        .flags = MUSTER_OUTCOME_FROM_SERVER,
                                        .status = index == BAD ? 14 : 0,
                                        .latency_ns = 1};

        policy->done(self, index + 1, states[index], &outcome);
    }
    (void)atomic_fetch_sub(&n_running, 1);
    return NULL;
}

/* ---- the control thread ---- */

/* Either way round, so that endpoints change their places. */
static void tell(bool is_update, unsigned turn)
{
    static const muster_endpoint endpoint = {.address = "10.0.0.1:80"};
    muster_backend backends[N_ENDPOINTS];
    uint8_t wanted[N_ENDPOINTS];
    const muster_balancer_update update = {
        .struct_size = (uint32_t)sizeof update,
        .backend_size = (uint32_t)sizeof backends[0],
        .backends = backends,
        .n_backends = N_ENDPOINTS};

    for (unsigned i = 0; i < N_ENDPOINTS; i++) {
        unsigned index = turn % 2 == 0 ? i : N_ENDPOINTS - 1 - i;

        backends[i] = (muster_backend){
            .id = index + 1,
            .endpoint = &endpoint,
            .endpoint_size = sizeof endpoint,
            .state = states[index],
            .connectivity = MUSTER_READY,
            .flags = is_ejected[index] ? MUSTER_BACKEND_EJECTED : 0};
    }
    if (is_update) {
        policy->update(self, &update);
    }
    policy->want(self, &update, wanted);
}

static void control(void)
{
    unsigned turn = 0;

    do {
        turn++;
        (void)atomic_fetch_add(&now_ns, INTERVAL_NS / 4);
        if (atomic_exchange_explicit(&is_republish_due, false,
                                     memory_order_acquire)) {
            tell(false, turn);
        }
        if (turn % 4 == 0) {
            timer_fn(timer_arg);
        }
        if (turn % 16 == 0) {
            tell(true, turn / 16);
        }
    } while (atomic_load(&n_running) > 0);
    tell(false, turn / 16); /* what was found last */
    timer_fn(timer_arg);
}

/* ---- both ---- */

static bool try_config(const char *config, uint32_t n_threads)
{
    const muster_balancer_env env = {.struct_size = (uint32_t)sizeof env,
                                     .host = &host,
                                     .config_json = config};
    pthread_t threads[MAX_THREADS];
    muster_error err = {0};

    memset(states, 0, sizeof states);
    memset(n_ejections, 0, sizeof n_ejections);
    memset(is_ejected, 0, sizeof is_ejected);
    n_enforced = 0;
    if (policy->create(&env, &self, &err) != MUSTER_OK) {
        fprintf(stderr, "%s\n", err.message);
        return false;
    }
    tell(true, 0);
    atomic_store(&n_running, n_threads);
    for (uint32_t i = 0; i < n_threads; i++) {
        if (pthread_create(&threads[i], NULL, make_calls, NULL) != 0) {
            abort();
        }
    }
    control();
    for (uint32_t i = 0; i < n_threads; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    policy->destroy(self);
    if (n_ejections[BAD] == 0 || n_ejections[BAD] != n_enforced ||
        n_ejections[0] + n_ejections[2] > 0) {
        fprintf(stderr, "%s: ejected %u, %u and %u times\n", config,
                n_ejections[0], n_ejections[1], n_ejections[2]);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    int n_threads = argc > 1 ? atoi(argv[1]) : 4;
    bool is_good = true;

    n_calls = argc > 2 ? atoi(argv[2]) : 50000;
    if (n_threads < 1 || n_threads > MAX_THREADS || n_calls < 1000) {
        return EXIT_FAILURE;
    }
    policy = muster_builtin_outlier_detection()->balancers[0];
    is_good &= try_config("{\"baseEjectionTime\": \"0.001s\", "
                          "\"consecutiveFailureEjection\": {}}",
                          (uint32_t)n_threads);
    is_good &= try_config("{\"baseEjectionTime\": \"0.001s\", "
                          "\"failurePercentageEjection\": "
                          "{\"minimumHosts\": 1, \"requestVolume\": 1}}",
                          (uint32_t)n_threads);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
