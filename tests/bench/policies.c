/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies' own part of a call costs, beside round_robin's:
 * policies [--json] [--quick]
 *
 * A pick and the end of its call by one thread, with nothing around them: the
 * processor time of the thread, best of many short rounds. "full_scan" looks at
 * every endpoint. */
#include <muster/plugin.h>

#include <bare_policy.h>

#include "figure.h"

const muster_plugin *muster_builtin_least_request(void);
const muster_plugin *muster_builtin_p2c_ewma(void);
const muster_plugin *muster_builtin_round_robin(void);

enum { N_ROUNDS = 25, N_SIZES = 3 };

static const uint32_t sizes[N_SIZES] = {10, 1000, 100000};

typedef struct entry {
    const char *name;
    const muster_plugin *(*plugin)(void);
    const char *config;
    uint64_t n_calls; /* a round */
    uint32_t max_endpoints;
} entry;

static double thread_ns(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

static double round_ns(bare_policy *policy, uint64_t n_calls)
{
    double began_ns = thread_ns();

    for (uint64_t i = 0; i < n_calls; i++) {
        uint32_t index = bare_policy_pick(policy, 0);

        bare_policy_done(policy, index, 300000 + (i & 0xffff));
    }
    return (thread_ns() - began_ns) / (double)n_calls;
}

static double best_ns(const entry *of, uint32_t n)
{
    bare_policy *policy =
        bare_policy_create(of->plugin()->balancers[0], of->config, n);
    double best = 0;

    for (int round = 0; round < N_ROUNDS; round++) {
        double ns = round_ns(policy, figure_is_quick() ? 100 : of->n_calls);

        best = round == 0 || ns < best ? ns : best;
    }
    bare_policy_destroy(policy);
    return best;
}

int main(int argc, char **argv)
{
    static const entry round_robin = {"round_robin", muster_builtin_round_robin,
                                      "{}", 20000, UINT32_MAX};
    static const entry entries[] = {
        {"least_request", muster_builtin_least_request, "{}", 20000,
         UINT32_MAX},
        {"least_request.full_scan", muster_builtin_least_request,
         "{\"selectionMethod\": \"FULL_SCAN\"}", 1000, 1000},
        {"p2c_ewma", muster_builtin_p2c_ewma, "{}", 20000, UINT32_MAX},
    };

    figure_init(&argc, argv);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        for (int k = 0; k < N_SIZES && sizes[k] <= entries[i].max_endpoints;
             k++) {
            char name[64];

            (void)snprintf(name, sizeof name, "policy_ns.%s.%u",
                           entries[i].name, sizes[k]);
            figure_print_beside(name, best_ns(&entries[i], sizes[k]), "ns",
                                round_robin.name,
                                best_ns(&round_robin, sizes[k]));
        }
    }
    return EXIT_SUCCESS;
}
