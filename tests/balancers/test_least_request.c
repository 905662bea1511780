/* SPDX-License-Identifier: Apache-2.0 */
/* The policy least_request, in virtual time. */
#include "learning_test.h"

#include <string.h>

const muster_plugin *muster_builtin_least_request(void);

#define SCAN "{\"selectionMethod\": \"FULL_SCAN\"}"

static const double at_once_ms[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static const muster_balancer_class *policy(void)
{
    return muster_builtin_least_request()->balancers[0];
}

/* ---- load ---- */

Test(least_request, never_picks_the_busier_of_two)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    policy_test_ready(kit, NULL, 2);
    for (int i = 0; i < 1000; i++) {
        uint32_t first = policy_test_pick(kit, 0);

        cr_assert_eq(policy_test_pick(kit, 0), 1 - first);
    }
    policy_test_destroy(kit);
}

Test(least_request, fills_all_evenly_by_full_scan)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), SCAN, 1);
    uint64_t counts[10] = {0};

    policy_test_ready(kit, NULL, 10);
    learning_hold(kit, 1000, counts);
    for (int i = 0; i < 10; i++) {
        cr_expect_eq(counts[i], 100);
    }
    policy_test_destroy(kit);
}

Test(least_request, picks_the_only_endpoint)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    policy_test_ready(kit, NULL, 1);
    cr_expect_eq(policy_test_pick(kit, 0), 0);
    cr_expect_eq(policy_test_pick(kit, 0), 0);
    policy_test_destroy(kit);
}

/* How many calls it takes until all of n endpoints have one. */
static int calls_to_fill(uint32_t n, const char *config)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), config, 1);
    uint64_t counts[40] = {0};
    uint32_t n_filled = 0;
    int n_calls = 0;

    policy_test_ready(kit, NULL, n);
    while (n_filled < n) {
        n_filled += counts[policy_test_pick(kit, 0)]++ == 0;
        n_calls++;
    }
    policy_test_destroy(kit);
    return n_calls;
}

Test(least_request, sees_every_endpoint_once_when_choices_suffice)
{
    cr_expect_eq(calls_to_fill(4, "{\"choiceCount\": 4}"), 4);
    cr_expect_eq(calls_to_fill(9, "{\"choiceCount\": 9}"), 9);
    cr_expect_eq(calls_to_fill(10, "{\"choiceCount\": 10}"), 10);
}

Test(least_request, takes_more_choices_than_10_as_10)
{
    cr_expect_eq(calls_to_fill(10, "{\"choiceCount\": 4294967295}"), 10);
    cr_expect_gt(calls_to_fill(40, "{\"choiceCount\": 40}"), 40);
}

/* ---- even when idle ---- */

/* Pearson's statistic of 20 000 calls to 12 idle endpoints, with a rebuild
 * after every n_calls. 31.3: chance one in a thousand, 11 degrees of freedom.
 */
static double idle_chi_square(const char *config, int n_calls)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), config, 1);
    uint64_t counts[12] = {0};
    double shares[12];

    policy_test_set(kit, NULL, 12, MUSTER_READY);
    for (int i = 0; i < 20000; i += n_calls) {
        policy_test_publish(kit);
        learning_call(kit, n_calls, at_once_ms, counts);
    }
    for (int i = 0; i < 12; i++) {
        shares[i] = 1.0 / 12;
    }
    policy_test_destroy(kit);
    return policy_test_chi_square(counts, shares, 12, 20000);
}

Test(least_request, spreads_calls_evenly_when_all_are_idle)
{
    cr_expect_lt(idle_chi_square(NULL, 20000), 31.3);
    cr_expect_lt(idle_chi_square("{\"choiceCount\": 5}", 20000), 31.3);
    cr_expect_lt(idle_chi_square(SCAN, 20000), 31.3);
}

Test(least_request, spreads_calls_evenly_when_rebuilt_at_every_pick)
{
    cr_expect_lt(idle_chi_square(NULL, 1), 31.3);
    cr_expect_lt(idle_chi_square(SCAN, 1), 31.3);
}

/* One of two neighbours is busy: a scan in order would favour the next. */
Test(least_request, favours_nobody_beside_a_busy_one)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), SCAN, 1);
    uint64_t counts[12] = {0};
    static const double shares[] = {1.0 / 3, 1.0 / 3, 1.0 / 3};
    uint64_t idle[3];
    uint32_t busy;

    policy_test_ready(kit, NULL, 4);
    busy = policy_test_pick(kit, 0);
    learning_call(kit, 9000, at_once_ms, counts);
    cr_expect_eq(counts[busy], 0);
    for (uint32_t i = 0; i < 3; i++) {
        idle[i] = counts[(busy + 1 + i) % 4];
    }
    /* Chance one in a thousand, 2 degrees of freedom. */
    cr_expect_lt(policy_test_chi_square(idle, shares, 3, 9000), 13.8);
    policy_test_destroy(kit);
}

/* ---- weights ---- */

static void expect_held(const char *config, const uint32_t *weights,
                        const uint64_t *expected, uint64_t tolerance)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), config, 1);
    uint64_t counts[3] = {0};

    policy_test_ready(kit, weights, 3);
    learning_hold(kit, (int)(expected[0] + expected[1] + expected[2]), counts);
    for (int i = 0; i < 3; i++) {
        cr_expect_geq(counts[i] + tolerance, expected[i], "%d of %s", i,
                      config);
        cr_expect_leq(counts[i], expected[i] + tolerance, "%d of %s", i,
                      config);
    }
    policy_test_destroy(kit);
}

Test(least_request, holds_calls_in_proportion_to_weights)
{
    static const uint32_t weights[] = {5, 1, 1};
    static const uint64_t expected[] = {5000, 1000, 1000};

    cr_expect(policy()->flags & MUSTER_BALANCER_USES_WEIGHTS);
    expect_held(SCAN, weights, expected, 5);
    expect_held("{\"choiceCount\": 3}", weights, expected, 5);
    expect_held("{\"choiceCount\": 2}", weights, expected, 20);
}

Test(least_request, reads_weight_0_as_1)
{
    static const uint32_t weights[] = {0, 1, 2};
    static const uint64_t expected[] = {100, 100, 200};

    expect_held(SCAN, weights, expected, 1);
}

Test(least_request, minds_calls_more_than_weights_with_a_greater_bias)
{
    static const uint32_t weights[] = {9, 4, 1};
    static const uint64_t at_1[] = {90, 40, 10};
    static const uint64_t at_2[] = {90, 60, 30};
    static const uint64_t at_half[] = {162, 32, 2};

    expect_held(SCAN, weights, at_1, 2);

    expect_held("{\"selectionMethod\": \"FULL_SCAN\","
                " \"activeRequestBias\": 2}",
                weights, at_2, 2);
    expect_held("{\"selectionMethod\": \"FULL_SCAN\","
                " \"activeRequestBias\": 0.5}",
                weights, at_half, 2);
}

static void expect_shares(const char *config, bool ends)
{
    static const uint32_t weights[] = {7, 2, 1};
    static const double shares[] = {0.7, 0.2, 0.1};
    muster_testkit_balancer *kit = policy_test_create(policy(), config, 1);
    uint64_t counts[3] = {0};

    policy_test_ready(kit, weights, 3);
    if (ends) {
        learning_call(kit, 20000, at_once_ms, counts);
    } else {
        learning_hold(kit, 20000, counts);
    }
    /* Chance one in a thousand, 2 degrees of freedom. */
    cr_expect_lt(policy_test_chi_square(counts, shares, 3, 20000), 13.8, "%s",
                 config);
    policy_test_destroy(kit);
}

Test(least_request, gives_idle_endpoints_calls_by_weight)
{
    expect_shares("{\"choiceCount\": 2}", true);
    expect_shares("{\"choiceCount\": 10}", true);
    expect_shares(SCAN, true);
}

Test(least_request, minds_weights_alone_with_a_bias_of_0)
{
    expect_shares("{\"activeRequestBias\": 0}", false);
    expect_shares("{\"activeRequestBias\": 0,"
                  " \"selectionMethod\": \"FULL_SCAN\"}",
                  false);
}

/* ---- counts ---- */

/* That no endpoint of n counts a call: a scan gives each one of the next n. */
static void expect_idle(muster_testkit_balancer *kit, uint32_t n)
{
    uint64_t counts[12] = {0};

    learning_hold(kit, (int)n, counts);
    for (uint32_t i = 0; i < n; i++) {
        cr_expect_eq(counts[i], 1, "endpoint %u", i);
    }
}

Test(least_request, forgets_a_call_that_was_given_back)
{
    const muster_outcome given_back = {.struct_size =
                                           (uint32_t)sizeof given_back,
                                       .flags = MUSTER_OUTCOME_GIVEN_BACK,
                                       .status = 14};
    muster_testkit_balancer *kit = policy_test_create(policy(), SCAN, 1);

    policy_test_ready(kit, NULL, 6);
    for (int i = 0; i < 100; i++) {
        muster_testkit_pick pick;

        muster_testkit_balancer_pick(kit, NULL, 0, &pick);
        muster_testkit_balancer_done(kit, pick.id, &given_back);
    }
    expect_idle(kit, 6);
    policy_test_destroy(kit);
}

Test(least_request, counts_no_calls_below_none)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), SCAN, 1);

    policy_test_ready(kit, NULL, 6);
    learning_end(kit, 2, 0, 1);
    learning_end(kit, 2, 0, 1);
    expect_idle(kit, 6);
    policy_test_destroy(kit);
}

Test(least_request, begins_at_no_calls_with_one_that_left_and_came_back)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), SCAN, 1);
    uint64_t counts[2] = {0};
    uint64_t left;

    policy_test_ready(kit, NULL, 2);
    left = muster_testkit_balancer_get_backend(kit, 1)->id;
    learning_hold(kit, 20, counts);
    policy_test_ready(kit, NULL, 1);
    policy_test_ready(kit, NULL, 2);
    learning_hold(kit, 10, counts);
    cr_expect_eq(counts[1], 20, "the empty one got the next ten");
    for (int i = 0; i < 10; i++) { /* ends of before */
        muster_testkit_balancer_done(kit, left, NULL);
    }
    learning_hold(kit, 10, counts);
    cr_expect_eq(counts[0], 15);
    cr_expect_eq(counts[1], 25);
    policy_test_destroy(kit);
}

Test(least_request, remembers_the_calls_of_one_that_was_not_ready)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), SCAN, 1);
    uint64_t counts[2] = {0};

    policy_test_ready(kit, NULL, 2);
    learning_hold(kit, 20, counts);
    muster_testkit_balancer_set_state(kit, 0, MUSTER_IDLE, NULL);
    policy_test_publish(kit);
    cr_expect_eq(policy_test_pick(kit, 0), 0, "the only one READY");
    muster_testkit_balancer_set_state(kit, 0, MUSTER_READY, NULL);
    policy_test_publish(kit);
    cr_expect_eq(policy_test_pick(kit, 0), 0, "10 calls to 11");
    policy_test_destroy(kit);
}

Test(least_request, loses_no_call_among_threads)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), SCAN, 1);

    policy_test_ready(kit, NULL, 5);
    learning_call_from_threads(kit);
    expect_idle(kit, 5);
    policy_test_destroy(kit);
}

/* ---- retries ---- */

Test(least_request, picks_what_the_call_has_not_tried)
{
    static const uint32_t tried[] = {3, 0, 2, 1};
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    policy_test_ready(kit, NULL, 4);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(learning_retry(kit, tried, 3), 1);
    }
    (void)learning_retry(kit, tried, 4); /* the kit checks the index */
    policy_test_destroy(kit);
}

/* ---- figures ---- */

/* The mean time in the system, in mean service times, of 100 servers with one
 * queue each at nine tenths of what they can do. */
static double mean_at_90_percent(const char *config, double duration_s)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"rate\": 90000, \"durationS\": %g, \"endpoints\": ["
                   "{\"count\": 100, \"serviceMs\": 1, \"slots\": 1,"
                   " \"distribution\": \"exponential\"}]}",
                   duration_s);
    return simulated_play(policy(), config, text).mean_ms;
}

/* 2.646 is what many simulations of 100 servers give; with ever more servers it
 * is 2.614 (Mitzenmacher, "The Power of Two Choices in Randomized Load
 * Balancing"). */
Test(least_request, waits_as_long_as_two_choices_should)
{
    double mean = mean_at_90_percent(NULL, 11);

    cr_expect_gt(mean, 2.646 * 0.98, "%f", mean);
    cr_expect_lt(mean, 2.646 * 1.02, "%f", mean);
}

/* Of the shortest of all queues, likewise: 1.069. */
Test(least_request, waits_as_short_as_can_be_by_full_scan)
{
    double mean = mean_at_90_percent(SCAN, 2.2);

    cr_expect_gt(mean, 1.069 * 0.98, "%f", mean);
    cr_expect_lt(mean, 1.069 * 1.02, "%f", mean);
}

/* Fast by slow latency is 0.3 by 5.3 ms. */
static void expect_little(const simulated *results, size_t server)
{
    cr_expect_leq((double)results->placed[server],
                  1.5 * 0.3 / 5.3 * (double)results->n_calls);
}

Test(least_request, gives_a_slow_endpoint_little)
{
    simulated one_slow = learning_four_endpoints(policy(), NULL, 1);
    simulated two_slow = learning_four_endpoints(policy(), SCAN, 2);

    expect_little(&one_slow, 0);
    expect_little(&two_slow, 0);
    expect_little(&two_slow, 1);
}

/* ---- settings ---- */

Test(least_request, has_the_name_of_grpc_too)
{
    const muster_plugin *plugin = muster_builtin_least_request();

    cr_expect_eq(plugin->n_balancers, 2);
    cr_expect_str_eq(plugin->balancers[0]->name, "least_request");
    cr_expect_str_eq(plugin->balancers[1]->name, "least_request_experimental");
}

Test(least_request, names_the_place_of_a_wrong_setting)
{
    cr_expect(
        strstr(policy_test_refuse(policy(), "{\"choiceCount\": 1}").message,
               "$.choiceCount"));
    cr_expect(
        strstr(policy_test_refuse(policy(), "{\"choiceCount\": 2.5}").message,
               "$.choiceCount"));
    cr_expect(strstr(
        policy_test_refuse(policy(), "{\"activeRequestBias\": -1}").message,
        "$.activeRequestBias"));
    cr_expect(strstr(
        policy_test_refuse(policy(), "{\"selectionMethod\": \"ALL\"}").message,
        "$.selectionMethod: must be N_CHOICES or FULL_SCAN"));
}
