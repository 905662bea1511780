/* SPDX-License-Identifier: Apache-2.0 */
/* A policy under load in virtual time: a scenario of muster simulate, played
 * with a class that may be nowhere registered. */
#ifndef MUSTER_TESTS_SIMULATED_H
#define MUSTER_TESTS_SIMULATED_H

#include <muster/balancer.h>

#include <criterion/criterion.h>
#include <simulation/measure.h>
#include <simulation/world.h>
#include <stdlib.h>
#include <string.h>

enum { SIMULATED_MAX_SERVERS = 100 };

typedef struct simulated {
    double mean_ms;
    double p99_ms;
    uint64_t n_calls;
    uint64_t placed[SIMULATED_MAX_SERVERS]; /* of them, on each server */
} simulated;

static inline void simulated_measure(const scenario *plan,
                                     const fleet_calls *calls,
                                     simulated *results)
{
    measure measured;

    cr_assert(measure_calls(&measured, calls, plan));
    cr_assert_leq(measured.n_servers, SIMULATED_MAX_SERVERS);
    results->mean_ms = measured.mean_ms;
    results->p99_ms = measured.p99_ms;
    results->n_calls = measured.n_calls;
    memcpy(results->placed, measured.placed,
           measured.n_servers * sizeof *measured.placed);
    measure_release(&measured);
}

/* scenario_json is as tools/README.md has it; config NULL: "{}". */
static inline simulated simulated_play(const muster_balancer_class *policy,
                                       const char *config,
                                       const char *scenario_json)
{
    const policies none = {.n = 0};
    char defaults[] = "{}";
    char *text = config == NULL ? defaults : strdup(config);
    const policy_choice choice = {
        .class_ = policy, .label = text, .config_json = text};
    simulated results = {.n_calls = 0};
    muster_error err = {.code = MUSTER_OK};
    fleet_calls calls = {.of = NULL};
    scenario plan;

    cr_assert_eq(
        scenario_parse(scenario_json, strlen(scenario_json), &plan, &err),
        MUSTER_OK, "%s", err.message);
    cr_assert_eq(world_play(&plan, &none, &choice, &calls, &err), MUSTER_OK,
                 "%s", err.message);
    simulated_measure(&plan, &calls, &results);
    free(calls.of);
    scenario_release(&plan);
    if (text != defaults) {
        free(text);
    }
    return results;
}

#endif
