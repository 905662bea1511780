/* SPDX-License-Identifier: Apache-2.0 */
/* Threads make calls with policies that learn from them, and end one another's:
 * no call stays counted.
 *
 *   learning_policies [THREADS [CALLS]] */
#include <muster/plugin.h>

#include <bare_policy.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

const muster_plugin *muster_builtin_least_request(void);
const muster_plugin *muster_builtin_p2c_ewma(void);

enum { N_ENDPOINTS = 2, N_MAILBOXES = 16, MAX_THREADS = 64 };

static _Atomic uint32_t mailboxes[N_MAILBOXES]; /* an index plus one, or 0 */

typedef struct caller {
    bare_policy *policy;
    uint32_t shard;
    int n_calls;
    pthread_t thread;
} caller;

static void end(bare_policy *policy, uint32_t mail)
{
    if (mail != 0) {
        bare_policy_done(policy, mail - 1, 1000 + mail);
    }
}

static void *make_calls(void *arg)
{
    const caller *own = arg;

    for (int i = 0; i < own->n_calls; i++) {
        uint32_t index = bare_policy_pick(own->policy, own->shard);
        uint32_t at = ((uint32_t)i * 7 + own->shard) % N_MAILBOXES;

        end(own->policy, atomic_exchange_explicit(&mailboxes[at], index + 1,
                                                  memory_order_relaxed));
    }
    return NULL;
}

/* Two endpoints that are idle again get one of the next two calls each: both
 * are drawn every time, and one that has a call costs twice as much as one that
 * has none, where all latencies are much alike. */
static bool is_idle(bare_policy *policy)
{
    unsigned seen = 0;

    for (int i = 0; i < N_ENDPOINTS; i++) {
        seen |= 1u << bare_policy_pick(policy, 0);
    }
    return seen == (1u << N_ENDPOINTS) - 1;
}

static bool try_policy(const muster_balancer_class *class_, const char *config,
                       uint32_t n_threads, int n_calls)
{
    bare_policy *policy = bare_policy_create(class_, config, N_ENDPOINTS);
    caller callers[MAX_THREADS];
    bool is_good;

    for (uint32_t i = 0; i < n_threads; i++) {
        callers[i] = (caller){.policy = policy, .shard = i, .n_calls = n_calls};
        if (pthread_create(&callers[i].thread, NULL, make_calls, &callers[i]) !=
            0) {
            abort();
        }
    }
    for (uint32_t i = 0; i < n_threads; i++) {
        (void)pthread_join(callers[i].thread, NULL);
    }
    for (uint32_t i = 0; i < N_MAILBOXES; i++) {
        end(policy, atomic_exchange(&mailboxes[i], 0));
    }
    is_good = is_idle(policy);
    bare_policy_destroy(policy);
    if (!is_good) {
        fprintf(stderr, "%s %s: calls stay counted\n", class_->name, config);
    }
    return is_good;
}

int main(int argc, char **argv)
{
    int n_threads = argc > 1 ? atoi(argv[1]) : 4;
    int n_calls = argc > 2 ? atoi(argv[2]) : 20000;
    bool is_good = true;

    if (n_threads < 1 || n_threads > MAX_THREADS || n_calls < 1) {
        return EXIT_FAILURE;
    }
    is_good &= try_policy(muster_builtin_least_request()->balancers[0], "{}",
                          (uint32_t)n_threads, n_calls);
    is_good &= try_policy(muster_builtin_least_request()->balancers[0],
                          "{\"selectionMethod\": \"FULL_SCAN\"}",
                          (uint32_t)n_threads, n_calls);
    is_good &= try_policy(muster_builtin_p2c_ewma()->balancers[0], "{}",
                          (uint32_t)n_threads, n_calls);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
