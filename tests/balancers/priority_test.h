/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of policies over groups of endpoints share. */
#ifndef MUSTER_TESTS_PRIORITY_TEST_H
#define MUSTER_TESTS_PRIORITY_TEST_H

#include "policy_test.h"

#include <string.h>

const muster_plugin *muster_builtin_priority(void);
const muster_plugin *muster_builtin_ring_hash(void);
const muster_plugin *muster_builtin_round_robin(void);
const muster_plugin *muster_builtin_subsetting(void);

enum { MAX_GROUPS = 8 };

/* A kit whose policy may have those of the other plugins for children. */
static inline muster_testkit_balancer *
create_parent(const muster_balancer_class *policy, const char *config,
              uint64_t seed)
{
    static const muster_balancer_class *children[5]; /* the kit borrows it */
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = policy,
        .config_json = config,
        .children = children,
        .n_children = 5,
        .seed = seed};
    muster_testkit_balancer *kit = NULL;
    muster_error err = {0};

    children[0] = muster_builtin_round_robin()->balancers[0];
    children[1] = muster_builtin_ring_hash()->balancers[0];
    children[2] = muster_builtin_priority()->balancers[0];
    children[3] = muster_builtin_priority()->balancers[1];
    children[4] = muster_builtin_subsetting()->balancers[0];
    cr_assert_eq(muster_testkit_balancer_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    return kit;
}

/* Sets counts[i] endpoints of priority i, or of the zone "a" + i, of which the
 * first healthy[i] are READY and the others in state. */
static inline void set_groups(muster_testkit_balancer *kit,
                              const unsigned *counts, const unsigned *healthy,
                              unsigned n, bool is_zones,
                              muster_connectivity state)
{
    static const char *const zones[MAX_GROUPS] = {"a", "b", "c", "d"};
    static char addresses[2048][32];
    static muster_endpoint endpoints[2048];
    unsigned n_all = 0;

    memset(endpoints, 0, sizeof endpoints);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < counts[i]; k++) {
            (void)snprintf(addresses[n_all], sizeof addresses[0],
                           "10.%u.%u.%u:80", i, k >> 8, k & 255);
            endpoints[n_all].address = addresses[n_all];
            endpoints[n_all].priority = is_zones ? 0 : i;
            endpoints[n_all++].zone = is_zones ? zones[i] : NULL;
        }
    }
    cr_assert_eq(
        muster_testkit_balancer_set(kit, endpoints, n_all, MUSTER_IDLE),
        MUSTER_OK);
    n_all = 0;
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < counts[i]; k++) {
            muster_testkit_balancer_set_state(
                kit, n_all++, k < healthy[i] ? MUSTER_READY : state,
                state == MUSTER_TRANSIENT_FAILURE ? "refused" : NULL);
        }
    }
}

static inline void publish(muster_testkit_balancer *kit)
{
    policy_test_publish(kit);
    (void)muster_testkit_balancer_step(kit);
}

/* Which group an endpoint is of, by its address. */
static inline unsigned group_of(const muster_endpoint *endpoint)
{
    return (unsigned)(endpoint->address[3] - '0');
}

static inline muster_testkit_pick pick(muster_testkit_balancer *kit)
{
    muster_testkit_pick result;

    muster_testkit_balancer_pick(kit, NULL, 0, &result);
    return result;
}

/* The group of the next pick, which must find one. */
static inline unsigned pick_group(muster_testkit_balancer *kit)
{
    muster_testkit_pick result = pick(kit);

    cr_assert_eq(result.verdict, MUSTER_PICK_INDEX);
    return group_of(result.endpoint);
}

/* The shares of n_picks picks that the groups get. */
static inline void share_picks(muster_testkit_balancer *kit, unsigned n_picks,
                               unsigned ret_counts[MAX_GROUPS])
{
    memset(ret_counts, 0, MAX_GROUPS * sizeof ret_counts[0]);
    for (unsigned i = 0; i < n_picks; i++) {
        ret_counts[pick_group(kit)]++;
    }
}

static inline bool is_wanted(const muster_testkit_balancer *kit, size_t index)
{
    return muster_testkit_balancer_is_wanted(kit, index) != 0;
}

#endif
