/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a policy over a child fails once: while it is made, and
 * while it is told of its first list. A while later all is as it should be. */
#include <muster/testkit.h>

#include <stdio.h>

#include "failing_malloc.h"
#include "passes.h"

const muster_plugin *muster_builtin_slow_start(void);
const muster_plugin *muster_builtin_subsetting(void);
const muster_plugin *muster_builtin_weighted_random(void);

enum { N_ENDPOINTS = 40, LATER_MS = 2000 };

#define OVER_RANDOM "\"childPolicy\": [{\"weighted_random\": {}}]"

typedef struct subject {
    const muster_balancer_class *policy;
    const char *config;
    unsigned n_wanted;
} subject;

static char addresses[N_ENDPOINTS][16];
static muster_endpoint endpoints[N_ENDPOINTS];
static subject subjects[3];

static bool create(const subject *of, muster_testkit_balancer **ret_kit)
{
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = of->policy,
        .config_json = of->config,
        .children = muster_builtin_weighted_random()->balancers,
        .n_children = 1};

    return muster_testkit_balancer_create(&options, ret_kit, NULL) == MUSTER_OK;
}

static unsigned count_wanted(const muster_testkit_balancer *kit)
{
    unsigned n = 0;

    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        n += muster_testkit_balancer_is_wanted(kit, i) != 0;
    }
    return n;
}

static void check(const subject *of, muster_testkit_balancer *kit)
{
    muster_testkit_pick pick;

    (void)muster_testkit_balancer_advance(kit, LATER_MS);
    if (muster_testkit_balancer_publish(kit, NULL) != MUSTER_OK) {
        passes_die("nothing is published afterwards");
    }
    if (count_wanted(kit) != of->n_wanted) {
        passes_die("another number of endpoints is wanted");
    }
    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    if (pick.verdict != MUSTER_PICK_INDEX) {
        passes_die("no endpoint is picked");
    }
}

/* Failures of the kit's own are violations, which are read for that. */
static bool fail_once(const subject *of, const passes_failure *failure)
{
    muster_testkit_balancer *kit = NULL;
    bool has_failed;

    failing_malloc_arm(failure->countdown, failure->n);
    if (!create(of, &kit)) {
        has_failed = failing_malloc_disarm();
        if (!has_failed) {
            passes_die("it is refused");
        }
        return true;
    }
    has_failed = failing_malloc_disarm();
    if (muster_testkit_balancer_set(kit, endpoints, N_ENDPOINTS,
                                    MUSTER_READY) != MUSTER_OK) {
        passes_die("the list is refused");
    }
    if (!has_failed) {
        failing_malloc_arm(failure->countdown, failure->n);
        (void)muster_testkit_balancer_publish(kit, NULL);
        has_failed = failing_malloc_disarm();
    }
    (void)muster_testkit_balancer_violations(kit);
    check(of, kit);
    muster_testkit_balancer_destroy(kit);
    return has_failed;
}

/* No memory in update(), and none in want(): a second later it is tried again,
 * without another update. */
static void try_again(const subject *of)
{
    muster_backend backends[N_ENDPOINTS];
    const muster_balancer_update update = {
        .struct_size = (uint32_t)sizeof update,
        .backend_size = (uint32_t)sizeof backends[0],
        .backends = backends,
        .n_backends = N_ENDPOINTS};
    uint8_t wanted[N_ENDPOINTS];
    muster_testkit_balancer *kit = NULL;
    muster_testkit_balancer_raw raw;

    if (!create(of, &kit) ||
        muster_testkit_balancer_set(kit, endpoints, N_ENDPOINTS,
                                    MUSTER_READY) != MUSTER_OK) {
        passes_die("there is no kit");
    }
    muster_testkit_balancer_get_raw(kit, &raw);
    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        backends[i] = *muster_testkit_balancer_get_backend(kit, i);
    }
    failing_malloc_arm(1, 1);
    raw.policy->update(raw.self, &update);
    failing_malloc_arm(1, 1);
    raw.policy->want(raw.self, &update, wanted);
    (void)failing_malloc_disarm();
    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        if (wanted[i] != 0) {
            passes_die("one is wanted that was not chosen");
        }
    }
    (void)muster_testkit_balancer_advance(kit, LATER_MS);
    if (count_wanted(kit) != of->n_wanted) {
        passes_die("it was not tried again");
    }
    muster_testkit_balancer_destroy(kit);
}

static bool run(void *arg, const passes_failure *failure)
{
    bool has_failed = false;

    (void)arg;
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        has_failed |= fail_once(&subjects[i], failure);
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    const muster_balancer_class *const *subsetting =
        muster_builtin_subsetting()->balancers;

    for (uint32_t i = 0; i < N_ENDPOINTS; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.0.%u:1", i);
        endpoints[i].address = addresses[i];
    }
    subjects[0] =
        (subject){subsetting[0], "{\"subsetSize\": 5, " OVER_RANDOM "}", 5};
    subjects[1] = (subject){subsetting[2],
                            "{\"subsetSize\": 5, \"clientIndex\": 1, "
                            "\"clientCount\": 3, " OVER_RANDOM "}",
                            5};
    subjects[2] =
        (subject){muster_builtin_slow_start()->balancers[0],
                  "{\"slowStartWindow\": \"60s\", " OVER_RANDOM "}", 40};
    try_again(&subjects[0]);
    try_again(&subjects[1]);
    return passes_run(argc, argv, run, NULL);
}
