/* SPDX-License-Identifier: Apache-2.0 */
/* The policy maglev, in virtual time; its tables are looked into. */
#include "hashing_test.h"

#include <math.h>

#include "limit.h"
#include "maglev/table.h"

const muster_plugin *muster_builtin_maglev(void);

enum { N_BACKENDS = 1000, SMALL = 65537, LARGE = 655373 };

static const muster_balancer_class *policy(void)
{
    return muster_builtin_maglev()->balancers[0];
}

static const maglev_table *table_of(const muster_testkit_balancer *kit)
{
    muster_testkit_balancer_raw raw;

    muster_testkit_balancer_get_raw(kit, &raw);
    return raw.table;
}

static muster_testkit_balancer *create_sized(uint32_t size, const char *more)
{
    char json[128];

    (void)snprintf(json, sizeof json, "{\"tableSize\": %u%s}", (unsigned)size,
                   more);
    return policy_test_create(policy(), json, 1);
}

/* ---- the very tables of Envoy (maglev_lb_test.cc) ---- */

static void expect_table(muster_testkit_balancer *kit, const char *digits)
{
    const maglev_table *table = table_of(kit);

    cr_assert_eq(table->size, strlen(digits));
    for (uint32_t i = 0; i < table->size; i++) {
        cr_expect_eq(hashing_test_digit(kit, table->owners[i]), digits[i]);
    }
}

Test(maglev, makes_the_table_that_envoy_makes)
{
    muster_testkit_balancer *kit = create_sized(7, "");

    hashing_test_set_ports(kit, "012345", NULL, false);
    expect_table(kit, "2401503");
    hashing_test_set_ports(kit, "501324", NULL, false);
    expect_table(kit, "2401503");
    policy_test_destroy(kit);
}

Test(maglev, hashes_host_names_when_told_to)
{
    muster_testkit_balancer *kit =
        create_sized(7, ", \"useHostnameForHashing\": true");

    hashing_test_set_ports(kit, "012345", NULL, false);
    expect_table(kit, "2503410");
    policy_test_destroy(kit);
}

Test(maglev, hashes_an_endpoints_own_key_first)
{
    muster_testkit_balancer *kit = create_sized(7, "");

    hashing_test_set_ports(kit, "012345", NULL, true);
    expect_table(kit, "2503410");
    policy_test_destroy(kit);
}

Test(maglev, weighs_as_envoy_does)
{
    static const uint32_t weights[] = {1, 2};
    muster_testkit_balancer *kit = create_sized(17, "");

    hashing_test_set_ports(kit, "01", weights, false);
    expect_table(kit, "10010110111110101");
    policy_test_destroy(kit);
}

/* ---- the figures of the paper ---- */

/* By how much the fullest of 1 000 is over an even share. */
static double over_provision(uint32_t size)
{
    muster_testkit_balancer *kit = create_sized(size, "");
    uint32_t counts[N_BACKENDS] = {0};
    uint32_t most = 0;

    policy_test_ready(kit, NULL, N_BACKENDS);
    for (uint32_t i = 0; i < size; i++) {
        counts[table_of(kit)->owners[i]]++;
    }
    for (uint32_t i = 0; i < N_BACKENDS; i++) {
        cr_expect_gt(counts[i], 0);
        most = counts[i] > most ? counts[i] : most;
    }
    policy_test_destroy(kit);
    return (double)most * N_BACKENDS / size - 1;
}

Test(maglev, needs_1_per_cent_more_with_65537_entries)
{
    double over = over_provision(SMALL);

    cr_log_info("over-provision %.2f %%", 100 * over);
    cr_expect_leq(over, 0.010);
}

Test(maglev, needs_a_fifth_per_cent_more_with_655373_entries)
{
    double over = over_provision(LARGE);

    cr_log_info("over-provision %.2f %%", 100 * over);
    cr_expect_leq(over, 0.002);
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Makes k endpoints that are READY fail. */
static void fail_some(muster_testkit_balancer *kit, uint32_t k,
                      uint64_t *random)
{
    while (k > 0) {
        uint32_t i = next_random(random) % N_BACKENDS;

        if (muster_testkit_balancer_get_backend(kit, i)->connectivity ==
            MUSTER_READY) {
            muster_testkit_balancer_set_state(kit, i, MUSTER_TRANSIENT_FAILURE,
                                              "down");
            k--;
        }
    }
}

/* The numbers in the list of those in the view. */
static void list_ready(muster_testkit_balancer *kit, uint32_t *ret_numbers)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < N_BACKENDS; i++) {
        if (muster_testkit_balancer_get_backend(kit, i)->connectivity ==
            MUSTER_READY) {
            ret_numbers[n++] = i;
        }
    }
}

/* The share of entries that change when k random ones of 1 000 fail, in per
 * cent, on average. */
static double changed(uint32_t size, uint32_t k, int n_trials)
{
    muster_testkit_balancer *kit = create_sized(size, "");
    uint32_t *before = malloc(size * sizeof before[0]);
    uint32_t numbers[N_BACKENDS];
    uint64_t random = 1;
    uint64_t n_changed = 0;

    policy_test_ready(kit, NULL, N_BACKENDS);
    memcpy(before, table_of(kit)->owners, size * sizeof before[0]);
    for (int trial = 0; trial < n_trials; trial++) {
        fail_some(kit, k, &random);
        policy_test_publish(kit);
        list_ready(kit, numbers);
        for (uint32_t i = 0; i < size; i++) {
            n_changed += numbers[table_of(kit)->owners[i]] != before[i];
        }
        for (uint32_t i = 0; i < N_BACKENDS; i++) {
            muster_testkit_balancer_set_state(kit, i, MUSTER_READY, NULL);
        }
    }
    free(before);
    policy_test_destroy(kit);
    return 100.0 * (double)n_changed / ((double)size * n_trials);
}

static void expect_changed(uint32_t size, uint32_t k, int n_trials,
                           double expected)
{
    double percent = changed(size, k, n_trials);

    cr_log_info("%u of 1000 fail, %u entries: %.3f %% change", (unsigned)k,
                (unsigned)size, percent);
    cr_expect_leq(fabs(percent - expected), 0.1, "%u: %f", (unsigned)k,
                  percent);
}

Test(maglev, changes_little_when_some_fail_with_65537_entries)
{
    expect_changed(SMALL, 1, 200, 0.68);
    expect_changed(SMALL, 10, 100, 3.36);
    expect_changed(SMALL, 100, 50, 13.6);
}

/* Four seconds, times twenty there. */
#if LIMIT_FACTOR == 1
Test(maglev, changes_less_when_some_fail_with_655373_entries)
{
    expect_changed(LARGE, 1, 40, 0.42);
    expect_changed(LARGE, 10, 20, 1.57);
    expect_changed(LARGE, 100, 10, 11.0);
}
#endif

/* ---- weights ---- */

Test(maglev, gives_entries_by_weight)
{
    uint32_t weights[100];
    uint32_t counts[100] = {0};
    muster_testkit_balancer *kit = create_sized(SMALL, "");

    for (uint32_t i = 0; i < 100; i++) {
        weights[i] = i + 1;
    }
    policy_test_ready(kit, weights, 100);
    for (uint32_t i = 0; i < SMALL; i++) {
        counts[table_of(kit)->owners[i]]++;
    }
    for (uint32_t i = 0; i < 100; i++) {
        double due = SMALL * (i + 1) / 5050.0;

        cr_expect_leq(fabs(counts[i] - due), 3, "%u: %u", (unsigned)i,
                      (unsigned)counts[i]);
    }
    policy_test_destroy(kit);
}

/* ---- membership ---- */

Test(maglev, has_exactly_the_ready_endpoints_in_its_table)
{
    muster_testkit_balancer *kit = create_sized(SMALL, "");
    uint64_t random = 9;

    policy_test_set(kit, NULL, N_BACKENDS, MUSTER_READY);
    for (uint32_t round = 1; round <= 5; round++) {
        uint8_t is_owner[N_BACKENDS] = {0};

        fail_some(kit, round * 20, &random);
        policy_test_publish(kit);
        for (uint32_t i = 0; i < SMALL; i++) {
            cr_assert_lt(table_of(kit)->owners[i], table_of(kit)->n);
            is_owner[table_of(kit)->owners[i]] = 1;
        }
        for (uint32_t i = 0; i < table_of(kit)->n; i++) {
            cr_expect(is_owner[i]);
        }
        cr_expect_eq(is_owner[table_of(kit)->n], 0);
    }
    policy_test_destroy(kit);
}

Test(maglev, picks_the_only_endpoint)
{
    muster_testkit_balancer *kit = create_sized(2, "");

    policy_test_ready(kit, NULL, 1);
    for (unsigned i = 0; i < 100; i++) {
        cr_expect_eq(hashing_test_pick(kit, hashing_test_key(i)).index, 0);
    }
    policy_test_destroy(kit);
}

Test(maglev, leaves_keys_where_they_are_when_another_endpoint_leaves)
{
    hashing_test_keeps_keys(policy(), 10);
}

Test(maglev, makes_the_same_table_of_any_order)
{
    hashing_test_ignores_order(policy());
    hashing_test_ignores_order_of_twins(policy());
}

Test(maglev, tells_endpoints_of_one_key_apart)
{
    hashing_test_tells_namesakes_apart(policy());
}

/* ---- calls ---- */

Test(maglev, takes_the_key_from_the_header_that_it_is_told)
{
    hashing_test_reads_header(policy());
}

Test(maglev, spreads_calls_without_a_key)
{
    hashing_test_spreads_keyless(policy(),
                                 "{\"requestHashHeader\": \"x-user\"}");
}

Test(maglev, keeps_every_endpoint_below_its_cap)
{
    hashing_test_bounds_all_loads(policy());
}

Test(maglev, sends_what_is_too_much_the_same_way_in_every_client)
{
    hashing_test_overflows_alike(policy());
}

Test(maglev, counts_no_calls_below_none)
{
    hashing_test_counts_no_calls_below_none(policy());
}

/* ---- settings ---- */

Test(maglev, names_the_place_of_a_wrong_setting)
{
    static const char *const sizes[] = {"0",       "1",         "65536",  "4",
                                        "5000013", "\"65537\"", "65537.5"};
    char json[64];

    hashing_test_refuses_common(policy());
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        (void)snprintf(json, sizeof json, "{\"tableSize\": %s}", sizes[i]);
        hashing_test_refuses(policy(), json, "$.tableSize");
    }
}

Test(maglev, takes_the_largest_table_and_by_default_one_of_65537)
{
    muster_testkit_balancer *kit = create_sized(5000011, "");

    policy_test_destroy(kit);
    kit = policy_test_create(policy(), NULL, 1);
    policy_test_ready(kit, NULL, 3);
    cr_expect_eq(table_of(kit)->size, SMALL);
    policy_test_destroy(kit);
}
