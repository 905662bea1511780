/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "zone_aware": shares as Envoy documents them. */
#include "priority_test.h"

#include <zone_aware/shares.h>

const muster_plugin *muster_builtin_zone_aware(void);

enum { N_PICKS = 100000, TOLERANCE = 600 };

static const muster_balancer_class *policy(void)
{
    return muster_builtin_zone_aware()->balancers[0];
}

static muster_testkit_balancer *create(const char *config)
{
    return create_parent(policy(), config, 1);
}

/* Zones "a", "b" and "c" with so many endpoints, of which some are READY and
 * the others have failed. */
static void set_zones(muster_testkit_balancer *kit, const unsigned *counts,
                      const unsigned *healthy, unsigned n)
{
    set_groups(kit, counts, healthy, n, true, MUSTER_TRANSIENT_FAILURE);
    publish(kit);
}

/* Whether picks go to the zones by these parts of a hundred thousand. */
static void expect_shares(muster_testkit_balancer *kit, const int *expected,
                          unsigned n)
{
    unsigned counts[MAX_GROUPS];

    share_picks(kit, N_PICKS, counts);
    for (unsigned i = 0; i < n; i++) {
        int tolerance =
            expected[i] == 0 || expected[i] == N_PICKS ? 0 : TOLERANCE;

        cr_expect(abs((int)counts[i] - expected[i]) <= tolerance,
                  "zone %u: %u, not %d", i, counts[i], expected[i]);
    }
}

/* ---- the arithmetic ---- */

/* From the comments of Envoy's load balancer: clients 40, 40 and 20 %, servers
 * 25, 50 and 25 %: residual capacities 0, 10 and 5 %. */
Test(zone_aware, divides_by_residual_capacity)
{
    zone_shares zones[] = {{.servers = 25, .clients = 40, .is_local = true},
                           {.servers = 50, .clients = 40},
                           {.servers = 25, .clients = 20}};

    muster__shares_by_zones(zones, 3, 100, false, 100);
    cr_expect_eq(zones[0].share, 6250u * 1500);
    cr_expect_eq(zones[1].share, 3750u * 1000);
    cr_expect_eq(zones[2].share, 3750u * 500);
}

/* From there, too: of 20 % of the clients and 10 % of the servers half of the
 * calls can stay. */
Test(zone_aware, keeps_as_much_as_the_zone_can_take)
{
    zone_shares zones[] = {{.servers = 10, .clients = 20, .is_local = true},
                           {.servers = 90, .clients = 80}};

    muster__shares_by_zones(zones, 2, 100, false, 100);
    cr_expect_eq(zones[0].share, zones[1].share);
}

/* From Envoy's issue 38758: clients in a and b, servers in a, b and c. */
Test(zone_aware, sends_a_third_to_a_zone_without_clients)
{
    zone_shares zones[] = {{.servers = 2, .clients = 1, .is_local = true},
                           {.servers = 2, .clients = 1},
                           {.servers = 2, .clients = 0}};

    muster__shares_by_zones(zones, 3, 2, false, 100);
    cr_expect_eq(zones[0].share, 6666u * 3333);
    cr_expect_eq(zones[1].share, 0);
    cr_expect_eq(zones[2].share, 3334u * 3333);
}

Test(zone_aware, keeps_all_where_the_zone_has_enough)
{
    zone_shares zones[] = {{.servers = 50, .clients = 50, .is_local = true},
                           {.servers = 50, .clients = 50}};

    muster__shares_by_zones(zones, 2, 100, false, 100);
    cr_expect_eq(zones[0].share, 10000u * 2);
    cr_expect_eq(zones[1].share, 0);
}

/* Every server gets the same when all clients do so. */
Test(zone_aware, gives_all_servers_the_same_from_all_clients)
{
    static const uint64_t servers[] = {7, 20, 13, 40};
    static const uint64_t clients[] = {30, 10, 5, 55};
    double load[4] = {0};

    for (unsigned from = 0; from < 4; from++) {
        zone_shares zones[4];
        uint64_t total = 0;

        for (unsigned i = 0; i < 4; i++) {
            zones[i] = (zone_shares){.servers = servers[i],
                                     .clients = clients[i],
                                     .is_local = i == from};
        }
        muster__shares_by_zones(zones, 4, 100, false, 100);
        for (unsigned i = 0; i < 4; i++) {
            total += zones[i].share;
        }
        for (unsigned i = 0; i < 4; i++) {
            load[i] +=
                (double)clients[from] * (double)zones[i].share / (double)total;
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        cr_expect_float_eq(load[i] / (double)servers[i], 100.0 / 80, 0.001);
    }
}

/* ---- settings ---- */

Test(zone_aware, needs_to_know_its_zone)
{
    cr_expect_str_eq(policy_test_refuse(policy(), "{}").message,
                     "$.localZone: must be the zone of this program");
    cr_expect_str_eq(
        policy_test_refuse(
            policy(), "{\"localZone\": \"a\", \"clientsPerZone\": {\"a\": -1}}")
            .message,
        "$.clientsPerZone: must be a whole number for each zone");
    cr_expect_str_eq(
        policy_test_refuse(policy(),
                           "{\"localZone\": \"a\", \"localityBasis\": 1}")
            .message,
        "$.localityBasis: must be HEALTHY_HOSTS_NUM or HEALTHY_HOSTS_WEIGHT");
}

/* ---- the policy ---- */

/* Without a word of clients they are taken to be where servers are. */
Test(zone_aware, stays_in_its_zone_while_that_is_well)
{
    static const unsigned counts[] = {2, 4, 6};
    static const int expected[] = {N_PICKS, 0, 0};
    muster_testkit_balancer *kit = create("{\"localZone\": \"a\"}");

    set_zones(kit, counts, counts, 3);
    expect_shares(kit, expected, 3);
    policy_test_destroy(kit);
}

/* Half of the zone's servers have failed: 2 of 10 are left, for 4 of 12. */
Test(zone_aware, leaves_its_zone_as_far_as_that_has_failed)
{
    static const unsigned counts[] = {4, 4, 4};
    static const unsigned healthy[] = {2, 4, 4};
    static const int expected[] = {60006, 19997, 19997};
    muster_testkit_balancer *kit = create("{\"localZone\": \"a\"}");

    set_zones(kit, counts, healthy, 3);
    expect_shares(kit, expected, 3);
    policy_test_destroy(kit);
}

Test(zone_aware, counts_clients_as_told)
{
    static const unsigned counts[] = {25, 50, 25};
    static const int expected[] = {62500, 25000, 12500};
    muster_testkit_balancer *kit =
        create("{\"localZone\": \"a\", \"clientsPerZone\": "
               "{\"a\": 40, \"b\": 40, \"c\": 20}}");

    set_zones(kit, counts, counts, 3);
    expect_shares(kit, expected, 3);
    policy_test_destroy(kit);
}

Test(zone_aware, goes_by_zones_for_a_part_of_the_calls)
{
    static const unsigned counts[] = {4, 4};
    static const int expected[] = {65000, 35000};
    muster_testkit_balancer *kit =
        create("{\"localZone\": \"a\", \"routingEnabled\": 30}");

    set_zones(kit, counts, counts, 2);
    expect_shares(kit, expected, 2);
    policy_test_destroy(kit);
}

Test(zone_aware, ignores_zones_when_servers_are_few)
{
    static const unsigned few[] = {2, 3};
    static const unsigned enough[] = {3, 3};
    static const int of_few[] = {40000, 60000};
    static const int of_enough[] = {N_PICKS, 0};
    muster_testkit_balancer *kit = create("{\"localZone\": \"a\"}");

    set_zones(kit, few, few, 2);
    expect_shares(kit, of_few, 2);
    set_zones(kit, enough, enough, 2);
    expect_shares(kit, of_enough, 2);
    policy_test_destroy(kit);
}

Test(zone_aware, ignores_zones_without_clients_in_its_own)
{
    static const unsigned counts[] = {5, 5};
    static const int expected[] = {50000, 50000};
    muster_testkit_balancer *kit = create("{\"localZone\": \"elsewhere\"}");

    set_zones(kit, counts, counts, 2);
    expect_shares(kit, expected, 2);
    policy_test_destroy(kit);
}

Test(zone_aware, is_forced_to_stay_while_the_zone_has_so_many)
{
    static const unsigned counts[] = {4, 8};
    static const unsigned two[] = {2, 8};
    static const unsigned one[] = {1, 8};
    static const int all[] = {N_PICKS, 0};
    unsigned seen[MAX_GROUPS];
    muster_testkit_balancer *kit =
        create("{\"localZone\": \"a\", \"forceLocalZone\": 2}");

    set_zones(kit, counts, two, 2);
    expect_shares(kit, all, 2);
    set_zones(kit, counts, one, 2);
    share_picks(kit, 1000, seen);
    cr_expect_gt(seen[1], 500);
    policy_test_destroy(kit);
}

/* Zones come and go. */
Test(zone_aware, follows_the_list)
{
    static const unsigned counts[] = {6, 6};
    static const unsigned gone[] = {0, 6};
    static const unsigned none[] = {0, 0};
    muster_testkit_balancer *kit = create("{\"localZone\": \"a\"}");

    for (int i = 0; i < 5; i++) {
        set_zones(kit, counts, counts, 2);
        cr_expect_eq(pick_group(kit), 0);
        set_zones(kit, gone, gone, 2);
        cr_expect_eq(pick_group(kit), 1);
        set_zones(kit, none, none, 2);
        cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    }
    cr_expect_leq(muster_testkit_balancer_get(kit)->n_children, 2);
    policy_test_destroy(kit);
}

/* ---- panic ---- */

static void set_all_unhealthy(muster_testkit_balancer *kit, size_t n,
                              size_t n_healthy)
{
    for (size_t i = 0; i < n; i++) {
        muster_testkit_balancer_set_unhealthy(kit, i, i >= n_healthy);
    }
    publish(kit);
}

Test(zone_aware, uses_all_zones_and_endpoints_in_a_panic)
{
    static const unsigned counts[] = {10, 10};
    static const int all[] = {N_PICKS, 0};
    static const int halves[] = {50000, 50000};
    muster_testkit_balancer *kit = create("{\"localZone\": \"a\"}");

    set_zones(kit, counts, counts, 2);
    set_all_unhealthy(kit, 20, 10);
    expect_shares(kit, all, 2);
    set_all_unhealthy(kit, 20, 9);
    expect_shares(kit, halves, 2);
    set_all_unhealthy(kit, 20, 20);
    expect_shares(kit, all, 2);
    policy_test_destroy(kit);
}

Test(zone_aware, fails_calls_in_a_panic_when_that_is_set)
{
    static const unsigned counts[] = {10, 10};
    muster_testkit_balancer *kit =
        create("{\"localZone\": \"a\", \"failTrafficOnPanic\": true}");

    set_zones(kit, counts, counts, 2);
    set_all_unhealthy(kit, 20, 9);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_FAIL);
    set_all_unhealthy(kit, 20, 10);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_INDEX);
    policy_test_destroy(kit);
}

/* ---- children ---- */

/* Under priorities, each with zones of its own; rings connect on demand. */
Test(zone_aware, is_the_child_of_another)
{
    static const unsigned counts[] = {6, 6};
    static const unsigned none[] = {0, 0};
    muster_testkit_balancer *kit =
        create("{\"localZone\": \"b\", \"childPolicy\": [{\"priority\": "
               "{\"childPolicy\": [{\"ring_hash\": {}}]}}]}");
    muster_testkit_pick result;

    set_groups(kit, counts, none, 2, true, MUSTER_IDLE);
    publish(kit);
    result = pick(kit);
    cr_expect_eq(result.verdict, MUSTER_PICK_CONNECT);
    cr_expect_eq(group_of(result.endpoint), 1);
    set_zones(kit, counts, counts, 2);
    cr_expect_eq(pick_group(kit), 1);
    muster_testkit_balancer_done(kit, pick(kit).id, NULL);
    policy_test_destroy(kit);
}

/* What else a zone has is of no use when the child's part of it has failed: the
 * calls go to the other zone. */
Test(zone_aware, leaves_a_zone_whose_subset_has_failed)
{
    static const unsigned counts[] = {20, 20};
    static const unsigned none[] = {0, 0};
    muster_testkit_balancer *kit =
        create("{\"localZone\": \"a\", \"childPolicy\": "
               "[{\"random_subsetting\": {\"subsetSize\": 3, \"childPolicy\": "
               "[{\"round_robin\": {}}]}}]}");

    set_groups(kit, counts, none, 2, true, MUSTER_IDLE);
    publish(kit);
    for (unsigned i = 0; i < 40; i++) {
        if (is_wanted(kit, i)) {
            muster_testkit_balancer_set_state(
                kit, i, i < 20 ? MUSTER_TRANSIENT_FAILURE : MUSTER_READY,
                i < 20 ? "refused" : NULL);
        }
    }
    publish(kit);
    cr_expect_eq(pick_group(kit), 1);
    policy_test_destroy(kit);
}

/* Who has no panic lets a child have one. */
Test(zone_aware, hands_unfit_endpoints_on_to_a_child_that_uses_them)
{
    static const unsigned counts[] = {8};
    muster_testkit_balancer *kit =
        create("{\"localZone\": \"a\", \"panicThreshold\": 0, "
               "\"childPolicy\": [{\"priority_load\": {}}]}");

    set_zones(kit, counts, counts, 1);
    set_all_unhealthy(kit, 8, 0);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_INDEX);
    policy_test_destroy(kit);
}
