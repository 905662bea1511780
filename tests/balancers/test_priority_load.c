/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "priority_load": loads and panic as Envoy documents them. */
#include "priority_test.h"

#include <groups_table.h>
#include <priority/levels.h>
#include <priority/load.h>

enum { MAX_LEVELS = 3, LATE_MS = 10000 };

/* A line of Envoy's tables: of each level, what percentage is healthy, what it
 * gets, and whether it is in panic. */
typedef struct line {
    unsigned n;
    unsigned healthy[MAX_LEVELS];
    unsigned loads[MAX_LEVELS];
    unsigned panics[MAX_LEVELS];
    unsigned total;
} line;

/* "Priority levels", and "Panic threshold" where it says more. The latter has
 * two lines of a factor of 1 among those of 1.4: they are not here. */
static const line lines[] = {
    {2, {100, 100}, {100, 0}, {0, 0}, 100},
    {2, {72, 100}, {100, 0}, {0, 0}, 100},
    {2, {71, 100}, {99, 1}, {0, 0}, 100},
    {2, {50, 100}, {70, 30}, {0, 0}, 100},
    {2, {25, 100}, {35, 65}, {0, 0}, 100},
    {2, {0, 100}, {0, 100}, {0, 0}, 100},
    {2, {72, 72}, {100, 0}, {0, 0}, 100},
    {2, {71, 71}, {99, 1}, {0, 0}, 100},
    {2, {50, 50}, {70, 30}, {0, 0}, 100},
    {2, {25, 25}, {50, 50}, {1, 1}, 70},
    {2, {5, 65}, {7, 93}, {1, 0}, 98},
    {3, {100, 100, 100}, {100, 0, 0}, {0, 0, 0}, 100},
    {3, {72, 72, 100}, {100, 0, 0}, {0, 0, 0}, 100},
    {3, {71, 71, 100}, {99, 1, 0}, {0, 0, 0}, 100},
    {3, {50, 50, 100}, {70, 30, 0}, {0, 0, 0}, 100},
    {3, {25, 100, 100}, {35, 65, 0}, {0, 0, 0}, 100},
    {3, {25, 25, 100}, {35, 35, 30}, {0, 0, 0}, 100},
};

/* All three are in panic, so the documented loads are those without it. */
static const line without_panic[] = {
    {3, {25, 25, 20}, {36, 36, 28}, {0, 0, 0}, 98},
    {2, {0, 0}, {100, 0}, {0, 0}, 0},
};

#define N_LINES (sizeof lines / sizeof lines[0])

/* ---- the arithmetic ---- */

static void expect_line(const line *of, uint32_t threshold)
{
    load_level shared[MAX_LEVELS] = {{0}};

    for (unsigned i = 0; i < of->n; i++) {
        shared[i].n_healthy = of->healthy[i];
        shared[i].n_known = 100;
        shared[i].n_connected = 100;
    }
    cr_expect_eq(muster__load_share_out(shared, of->n, 140, threshold),
                 of->total);
    for (unsigned i = 0; i < of->n; i++) {
        cr_expect_eq(shared[i].load, of->loads[i], "%u of %u,%u: %u%%", i,
                     of->healthy[0], of->healthy[1], shared[i].load);
        cr_expect_eq(shared[i].is_in_panic, of->panics[i]);
    }
}

Test(priority_load, shares_out_as_documented)
{
    for (size_t i = 0; i < N_LINES; i++) {
        expect_line(&lines[i], 50);
    }
    expect_line(&without_panic[0], 0);
    expect_line(&without_panic[1], 0);
}

/* For all healths of three levels. */
Test(priority_load, shares_out_all_of_the_calls)
{
    for (unsigned i = 0; i < 101 * 101 * 101; i++) {
        load_level shared[MAX_LEVELS] = {
            {.n_healthy = i % 101, .n_known = 100, .n_connected = 1},
            {.n_healthy = i / 101 % 101, .n_known = 100, .n_connected = 1},
            {.n_healthy = i / 101 / 101, .n_known = 100, .n_connected = 1}};

        (void)muster__load_share_out(shared, MAX_LEVELS, 140, 50);
        cr_assert_eq(shared[0].load + shared[1].load + shared[2].load, 100);
    }
}

/* ---- the policy ---- */

static muster_testkit_balancer *create(const char *json)
{
    return create_parent(muster_builtin_priority()->balancers[1], json, 1);
}

/* Levels of 100 endpoints, of which those percentages are healthy, and the
 * others in a state. */
static void set_levels(muster_testkit_balancer *kit, const unsigned *healthy,
                       unsigned n, muster_connectivity state)
{
    static const unsigned hundred[MAX_GROUPS] = {100, 100, 100};

    set_groups(kit, hundred, healthy, n, false, state);
    publish(kit);
}

/* Makes the first n_healthy endpoints of a level READY, and the others
 * connected but unhealthy. */
static void set_unhealthy(muster_testkit_balancer *kit, unsigned number,
                          unsigned n_healthy)
{
    for (unsigned i = 0; i < 100; i++) {
        muster_testkit_balancer_set_state(kit, number * 100 + i, MUSTER_READY,
                                          NULL);
        muster_testkit_balancer_set_unhealthy(kit, number * 100 + i,
                                              i >= n_healthy);
    }
}

/* What a level gets by the table that is published, in percent. */
static unsigned load_of(const muster_testkit_balancer *kit, unsigned number)
{
    muster_testkit_balancer_raw raw;
    const groups_table *table;
    uint64_t start = 0;

    muster_testkit_balancer_get_raw(kit, &raw);
    table = raw.table;
    cr_assert_eq(table->total, 100);
    for (uint32_t i = 0; i < table->n; i++) {
        const level *of = (const void *)table->parts[i].of;

        if (of->priority == number) {
            return (unsigned)(table->parts[i].end - start);
        }
        start = table->parts[i].end;
    }
    return 0;
}

Test(priority_load, gives_levels_what_is_documented)
{
    for (size_t i = 0; i < N_LINES; i++) {
        muster_testkit_balancer *kit = create(NULL);

        set_levels(kit, lines[i].healthy, lines[i].n, MUSTER_TRANSIENT_FAILURE);
        for (unsigned k = 0; k < lines[i].n; k++) {
            cr_expect_eq(load_of(kit, k), lines[i].loads[k], "line %zu", i);
        }
        policy_test_destroy(kit);
    }
}

Test(priority_load, picks_by_loads)
{
    static const unsigned healthy[] = {25, 25, 100};
    unsigned counts[MAX_GROUPS];
    muster_testkit_balancer *kit = create(NULL);

    set_levels(kit, healthy, 3, MUSTER_TRANSIENT_FAILURE);
    share_picks(kit, 100000, counts);
    cr_expect(abs((int)counts[0] - 35000) < 600, "%u", counts[0]);
    cr_expect(abs((int)counts[1] - 35000) < 600, "%u", counts[1]);
    cr_expect(abs((int)counts[2] - 30000) < 600, "%u", counts[2]);
    policy_test_destroy(kit);
}

/* A key's calls stay in one level. */
Test(priority_load, keeps_a_key_in_its_level)
{
    static const unsigned healthy[] = {50, 100};
    muster_testkit_balancer *kit = create(NULL);
    unsigned n_first = 0;

    set_levels(kit, healthy, 2, MUSTER_TRANSIENT_FAILURE);
    for (unsigned i = 0; i < 1000; i++) {
        char key[16];
        const muster_call_info call = {.struct_size = sizeof call,
                                       .hash_key = key};
        muster_testkit_pick first;
        muster_testkit_pick again;

        (void)snprintf(key, sizeof key, "%u", i);
        muster_testkit_balancer_pick(kit, &call, 0, &first);
        muster_testkit_balancer_pick(kit, &call, 1, &again);
        cr_assert_eq(group_of(first.endpoint), group_of(again.endpoint));
        n_first += group_of(first.endpoint) == 0;
    }
    cr_expect(abs((int)n_first - 700) < 60, "%u", n_first);
    policy_test_destroy(kit);
}

Test(priority_load, heeds_the_factor)
{
    static const unsigned healthy[] = {50, 100};
    muster_testkit_balancer *kit = create("{\"overprovisioningFactor\": 100}");

    set_levels(kit, healthy, 2, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(load_of(kit, 0), 50);
    cr_expect_eq(load_of(kit, 1), 50);
    policy_test_destroy(kit);
}

Test(priority_load, refuses_what_is_no_setting_of_its_own)
{
    const muster_balancer_class *policy =
        muster_builtin_priority()->balancers[1];

    cr_expect_str_eq(
        policy_test_refuse(policy, "{\"panicThreshold\": 101}").message,
        "$.panicThreshold: must be a whole number from 0 to 100");
    cr_expect_str_eq(
        policy_test_refuse(policy, "{\"overprovisioningFactor\": 0}").message,
        "$.overprovisioningFactor: must be a whole number from 1 to 100000");
}

/* ---- which levels are connected ---- */

Test(priority_load, connects_as_many_levels_as_are_needed)
{
    static const unsigned none[] = {0, 0, 0};
    static const unsigned enough[] = {72, 0, 0};
    static const unsigned less[] = {71, 0, 0};
    muster_testkit_balancer *kit = create(NULL);

    set_levels(kit, none, 3, MUSTER_IDLE);
    cr_expect(is_wanted(kit, 0));
    cr_expect(!is_wanted(kit, 100));
    set_levels(kit, enough, 3, MUSTER_IDLE);
    cr_expect(!is_wanted(kit, 100));
    (void)muster_testkit_balancer_advance(kit, LATE_MS);
    cr_expect(!is_wanted(kit, 100));
    set_levels(kit, less, 3, MUSTER_IDLE);
    cr_expect(is_wanted(kit, 100));
    cr_expect(!is_wanted(kit, 200));
    policy_test_destroy(kit);
}

/* Endpoints that are new do not make a level look unhealthy. */
Test(priority_load, gives_new_endpoints_time_to_connect)
{
    static const unsigned few[] = {10, 0};
    static const unsigned all[] = {100, 0};
    static const unsigned small[] = {10, 1};
    static const unsigned larger[] = {100, 1};
    muster_testkit_balancer *kit = create(NULL);

    set_groups(kit, small, few, 2, false, MUSTER_IDLE);
    publish(kit);
    set_groups(kit, larger, few, 2, false, MUSTER_CONNECTING);
    publish(kit);
    cr_expect_eq(load_of(kit, 0), 100);
    cr_expect(!is_wanted(kit, 100));
    (void)muster_testkit_balancer_advance(kit, LATE_MS - 1);
    cr_expect(!is_wanted(kit, 100));
    (void)muster_testkit_balancer_advance(kit, 1);
    cr_expect(is_wanted(kit, 100));
    set_groups(kit, larger, all, 2, false, MUSTER_CONNECTING);
    publish(kit);
    (void)muster_testkit_balancer_advance(kit, 900000);
    cr_expect(!is_wanted(kit, 100));
    policy_test_destroy(kit);
}

/* What is not connected yet gets nothing, whatever it could take. */
Test(priority_load, gives_a_level_nothing_before_it_is_ready)
{
    static const unsigned half[] = {50, 0};
    static const unsigned both[] = {50, 100};
    muster_testkit_balancer *kit = create(NULL);
    unsigned counts[MAX_GROUPS];

    set_levels(kit, half, 2, MUSTER_TRANSIENT_FAILURE);
    share_picks(kit, 1000, counts);
    cr_expect_eq(counts[0], 1000);
    set_levels(kit, both, 2, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(load_of(kit, 1), 30);
    policy_test_destroy(kit);
}

/* ---- panic ---- */

/* How many endpoints of a level get any of many picks. */
static unsigned n_picked(muster_testkit_balancer *kit, unsigned number)
{
    bool is_picked[MAX_GROUPS * 100] = {false};
    unsigned n = 0;

    for (unsigned i = 0; i < 20000; i++) {
        const muster_testkit_pick result = pick(kit);
        unsigned k;

        if (result.verdict != MUSTER_PICK_INDEX) {
            continue;
        }
        for (k = 0;
             muster_testkit_balancer_get_backend(kit, k)->id != result.id;) {
            k++;
        }
        n += !is_picked[k] && k / 100 == number;
        is_picked[k] = true;
    }
    return n;
}

Test(priority_load, uses_all_that_are_connected_in_a_panic)
{
    static const unsigned all[] = {100};
    muster_testkit_balancer *kit = create(NULL);

    set_levels(kit, all, 1, MUSTER_IDLE);
    set_unhealthy(kit, 0, 50);
    publish(kit);
    cr_expect_eq(n_picked(kit, 0), 50);
    set_unhealthy(kit, 0, 49);
    publish(kit);
    cr_expect_eq(n_picked(kit, 0), 100);
    set_unhealthy(kit, 0, 0);
    publish(kit);
    cr_expect_eq(n_picked(kit, 0), 100);
    set_unhealthy(kit, 0, 50);
    publish(kit);
    cr_expect_eq(n_picked(kit, 0), 50);
    policy_test_destroy(kit);
}

/* (5, 65): only the first of them is in panic, and gets 7 %. */
Test(priority_load, decides_on_panic_for_each_level)
{
    static const unsigned all[] = {100, 100};
    muster_testkit_balancer *kit = create(NULL);

    set_levels(kit, all, 2, MUSTER_IDLE);
    set_unhealthy(kit, 0, 5);
    set_unhealthy(kit, 1, 65);
    publish(kit);
    cr_expect_eq(load_of(kit, 0), 7);
    cr_expect_eq(n_picked(kit, 0), 100);
    cr_expect_eq(n_picked(kit, 1), 65);
    policy_test_destroy(kit);
}

/* While other levels can take it all there is none. */
Test(priority_load, has_no_panic_while_there_is_health_enough)
{
    static const unsigned all[] = {100, 100};
    muster_testkit_balancer *kit = create(NULL);

    set_levels(kit, all, 2, MUSTER_IDLE);
    set_unhealthy(kit, 0, 5);
    publish(kit);
    cr_expect_eq(n_picked(kit, 0), 5);
    policy_test_destroy(kit);
}

Test(priority_load, has_no_panic_with_a_threshold_of_0)
{
    static const unsigned all[] = {100};
    muster_testkit_balancer *kit = create("{\"panicThreshold\": 0}");

    set_levels(kit, all, 1, MUSTER_IDLE);
    set_unhealthy(kit, 0, 1);
    publish(kit);
    cr_expect_eq(n_picked(kit, 0), 1);
    set_unhealthy(kit, 0, 0);
    publish(kit);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    policy_test_destroy(kit);
}

Test(priority_load, fails_calls_in_a_panic_when_that_is_set)
{
    static const unsigned all[] = {100};
    const muster_call_info patient = {.struct_size = sizeof patient,
                                      .flags = MUSTER_CALL_WAIT_FOR_READY};
    muster_testkit_balancer *kit = create("{\"failTrafficOnPanic\": true}");
    muster_testkit_pick result;

    set_levels(kit, all, 1, MUSTER_IDLE);
    set_unhealthy(kit, 0, 50);
    publish(kit);
    cr_expect_eq(n_picked(kit, 0), 50);
    set_unhealthy(kit, 0, 49);
    publish(kit);
    result = pick(kit);
    cr_expect_eq(result.verdict, MUSTER_PICK_FAIL);
    cr_expect_eq(result.status, 14);
    muster_testkit_balancer_pick(kit, &patient, 0, &result);
    cr_expect_eq(result.verdict, MUSTER_PICK_QUEUE);
    policy_test_destroy(kit);
}

/* A ring's endpoints are IDLE until they are needed; those that are tell. */
Test(priority_load, takes_what_connects_on_demand_for_healthy)
{
    static const unsigned none[] = {0, 0};
    muster_testkit_balancer *kit =
        create("{\"childPolicy\": [{\"ring_hash\": {}}]}");
    muster_testkit_pick result;

    set_levels(kit, none, 2, MUSTER_IDLE);
    result = pick(kit);
    cr_expect_eq(result.verdict, MUSTER_PICK_CONNECT);
    cr_expect_eq(group_of(result.endpoint), 0);
    set_levels(kit, none, 2, MUSTER_TRANSIENT_FAILURE);
    cr_expect_eq(pick(kit).verdict, MUSTER_PICK_QUEUE);
    policy_test_destroy(kit);
}

/* What a call connects does not make a level look unhealthy, for a while. */
Test(priority_load, stays_while_a_call_connects_an_endpoint)
{
    static const unsigned counts[] = {4, 4};
    static const unsigned none[] = {0, 0};
    static const unsigned one[] = {1, 0};
    muster_testkit_balancer *kit =
        create("{\"childPolicy\": [{\"ring_hash\": {}}]}");

    set_groups(kit, counts, none, 2, false, MUSTER_IDLE);
    publish(kit);
    muster_testkit_balancer_set_state(kit, 1, MUSTER_CONNECTING, NULL);
    publish(kit);
    cr_expect(!is_wanted(kit, 4));
    for (unsigned i = 0; i < 100; i++) {
        cr_assert_neq(pick(kit).verdict, MUSTER_PICK_INDEX);
    }
    for (unsigned i = 4; i < 8; i++) {
        cr_expect(!is_wanted(kit, i), "level 1 is asked for");
    }
    set_groups(kit, counts, one, 2, false, MUSTER_IDLE);
    muster_testkit_balancer_set_state(kit, 1, MUSTER_CONNECTING, NULL);
    muster_testkit_balancer_set_state(kit, 4, MUSTER_READY, NULL);
    publish(kit);
    for (unsigned i = 0; i < 100; i++) {
        const muster_testkit_pick result = pick(kit);

        cr_expect(result.verdict != MUSTER_PICK_INDEX ||
                  group_of(result.endpoint) == 0);
    }
    policy_test_destroy(kit);
}

/* In a panic a ring takes unhealthy endpoints for READY ones. */
Test(priority_load, lets_a_ring_use_unhealthy_endpoints_in_a_panic)
{
    static const unsigned all[] = {100};
    muster_testkit_balancer *kit =
        create("{\"childPolicy\": [{\"ring_hash\": {}}]}");
    const muster_call_info call = {.struct_size = sizeof call,
                                   .hash_key = "a key"};
    muster_testkit_pick healthy;
    muster_testkit_pick in_panic;

    set_levels(kit, all, 1, MUSTER_IDLE);
    muster_testkit_balancer_pick(kit, &call, 0, &healthy);
    set_unhealthy(kit, 0, 0);
    publish(kit);
    muster_testkit_balancer_pick(kit, &call, 0, &in_panic);
    cr_expect_eq(in_panic.verdict, MUSTER_PICK_INDEX);
    cr_expect_eq(in_panic.id, healthy.id);
    policy_test_destroy(kit);
}
