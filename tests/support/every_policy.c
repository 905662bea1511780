/* SPDX-License-Identifier: Apache-2.0 */
/* All policies there are. A new one gets a line in both tables, and one in
 * tests/CMakeLists.txt. */
#include "every_policy.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <muster/plugin.h>

const every_policy every_policies[] = {
    {.name = "least_request"},
    {.name = "least_request",
     .config_json = "{\"selectionMethod\": \"FULL_SCAN\"}"},
    {.name = "maglev", .reach = REACHES_ALL_KEYS},
    {.name = "p2c_ewma"},
    {.name = "pick_first", .reach = REACHES_ONE},
    {.name = "random"},
    {.name = "rendezvous", .reach = REACHES_ALL_KEYS},
    {.name = "ring_hash",
     .reach = REACHES_ALL_KEYS,
     .connects_on_demand = true},
    {.name = "round_robin"},
    {.name = "weighted_random"},
    {.name = "weighted_round_robin"},
};
const size_t n_every_policies = sizeof every_policies / sizeof *every_policies;

const muster_plugin *muster_builtin_least_request(void);
const muster_plugin *muster_builtin_maglev(void);
const muster_plugin *muster_builtin_p2c_ewma(void);
const muster_plugin *muster_builtin_pick_first(void);
const muster_plugin *muster_builtin_random(void);
const muster_plugin *muster_builtin_rendezvous(void);
const muster_plugin *muster_builtin_ring_hash(void);
const muster_plugin *muster_builtin_round_robin(void);
const muster_plugin *muster_builtin_weighted_random(void);
const muster_plugin *muster_builtin_weighted_round_robin(void);

static const muster_plugin_entry_fn entries[] = {
    muster_builtin_least_request,   muster_builtin_maglev,
    muster_builtin_p2c_ewma,        muster_builtin_pick_first,
    muster_builtin_random,          muster_builtin_rendezvous,
    muster_builtin_ring_hash,       muster_builtin_round_robin,
    muster_builtin_weighted_random, muster_builtin_weighted_round_robin,
};

static void register_once(void)
{
    muster_error err;

    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        if (muster_plugin_register(entries[i], &err) != MUSTER_OK) {
            (void)fprintf(stderr, "%s\n", err.message);
            abort();
        }
    }
}

void every_policy_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, register_once);
}
