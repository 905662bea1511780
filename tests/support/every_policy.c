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
    {.name = "outlier_detection",
     .config_json = "{\"interval\": \"0.005s\", "
                    "\"baseEjectionTime\": \"0.005s\", "
                    "\"consecutiveFailureEjection\": {}, "
                    "\"childPolicy\": [{\"random\": {}}]}"},
    {.name = "p2c_ewma"},
    {.name = "pick_first", .reach = REACHES_ONE},
    {.name = "priority"},
    {.name = "priority_load"},
    {.name = "random"},
    {.name = "random_subsetting",
     .config_json = "{\"subsetSize\": 3, "
                    "\"childPolicy\": [{\"round_robin\": {}}]}",
     .reach = REACHES_SOME,
     .n_reached = 3},
    {.name = "balanced_subsetting",
     .config_json = "{\"subsetSize\": 3, \"clientIndex\": 1, "
                    "\"clientCount\": 4, "
                    "\"childPolicy\": [{\"round_robin\": {}}]}",
     .reach = REACHES_SOME,
     .n_reached = 3},
    {.name = "rendezvous", .reach = REACHES_ALL_KEYS},
    {.name = "ring_hash",
     .reach = REACHES_ALL_KEYS,
     .connects_on_demand = true},
    {.name = "round_robin"},
    {.name = "slow_start",
     .config_json = "{\"slowStartWindow\": \"0.02s\", "
                    "\"minWeightPercent\": 60, "
                    "\"childPolicy\": [{\"weighted_random\": {}}]}"},
    {.name = "weighted_random"},
    {.name = "weighted_round_robin"},
    {.name = "zone_aware", .config_json = "{\"localZone\": \"here\"}"},
};
const size_t n_every_policies = sizeof every_policies / sizeof *every_policies;

const muster_plugin *muster_builtin_least_request(void);
const muster_plugin *muster_builtin_maglev(void);
const muster_plugin *muster_builtin_outlier_detection(void);
const muster_plugin *muster_builtin_p2c_ewma(void);
const muster_plugin *muster_builtin_pick_first(void);
const muster_plugin *muster_builtin_priority(void);
const muster_plugin *muster_builtin_random(void);
const muster_plugin *muster_builtin_rendezvous(void);
const muster_plugin *muster_builtin_ring_hash(void);
const muster_plugin *muster_builtin_round_robin(void);
const muster_plugin *muster_builtin_slow_start(void);
const muster_plugin *muster_builtin_subsetting(void);
const muster_plugin *muster_builtin_weighted_random(void);
const muster_plugin *muster_builtin_weighted_round_robin(void);
const muster_plugin *muster_builtin_zone_aware(void);

static const muster_plugin_entry_fn entries[] = {
    muster_builtin_least_request,
    muster_builtin_maglev,
    muster_builtin_outlier_detection,
    muster_builtin_p2c_ewma,
    muster_builtin_pick_first,
    muster_builtin_priority,
    muster_builtin_random,
    muster_builtin_rendezvous,
    muster_builtin_ring_hash,
    muster_builtin_round_robin,
    muster_builtin_slow_start,
    muster_builtin_subsetting,
    muster_builtin_weighted_random,
    muster_builtin_weighted_round_robin,
    muster_builtin_zone_aware,
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
