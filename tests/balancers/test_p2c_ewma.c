/* SPDX-License-Identifier: Apache-2.0 */
/* The policy p2c_ewma, in virtual time. */
#include "learning_test.h"

#include <string.h>

const muster_plugin *muster_builtin_p2c_ewma(void);
const muster_plugin *muster_builtin_round_robin(void);

enum { CANCELLED = 1, NOT_FOUND = 5, UNAVAILABLE = 14 };

static const muster_balancer_class *policy(void)
{
    return muster_builtin_p2c_ewma()->balancers[0];
}

/* Two endpoints whose averages are these; 0: nothing was heard of it. */
static muster_testkit_balancer *two(double first_ms, double second_ms)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    policy_test_ready(kit, NULL, 2);
    if (first_ms > 0) {
        learning_end(kit, 0, 0, first_ms);
    }
    if (second_ms > 0) {
        learning_end(kit, 1, 0, second_ms);
    }
    return kit;
}

/* Which of two idle endpoints is preferred. */
static uint32_t preferred(muster_testkit_balancer *kit)
{
    uint32_t index = policy_test_pick(kit, 0);

    learning_end(kit, index, 0, 0);
    cr_assert_eq(policy_test_pick(kit, 0), index);
    learning_end(kit, index, 0, 0);
    return index;
}

/* ---- averages ---- */

Test(p2c_ewma, picks_the_faster_of_two)
{
    static const double latencies_ms[] = {2, 1};
    muster_testkit_balancer *kit = two(2, 1);
    uint64_t counts[2] = {0};

    learning_call(kit, 1000, latencies_ms, counts);
    cr_expect_eq(counts[1], 1000);
    policy_test_destroy(kit);
}

Test(p2c_ewma, takes_a_peak_at_once_and_in_full)
{
    muster_testkit_balancer *kit = two(1, 9);

    learning_end(kit, 0, 0, 9.1);
    cr_expect_eq(preferred(kit), 1);
    policy_test_destroy(kit);
}

/* 10 ms, a decay time later 1 ms: 10 / e + 1 - 1 / e is 4.31 ms. */
Test(p2c_ewma, lets_an_average_fall_by_the_time_that_passed)
{
    static const double others_ms[] = {4.25, 4.37};

    for (uint32_t i = 0; i < 2; i++) {
        muster_testkit_balancer *kit = two(10, 0);

        (void)muster_testkit_balancer_advance(kit, 10000);
        learning_end(kit, 0, 0, 1);
        learning_end(kit, 1, 0, others_ms[i]);
        cr_expect_eq(preferred(kit), i == 0 ? 1 : 0);
        policy_test_destroy(kit);
    }
}

Test(p2c_ewma, decays_as_fast_as_it_is_told)
{
    static const double others_ms[] = {4.25, 4.37};

    for (uint32_t i = 0; i < 2; i++) {
        muster_testkit_balancer *kit =
            policy_test_create(policy(), "{\"decayTime\": \"60s\"}", 1);

        policy_test_ready(kit, NULL, 2);
        learning_end(kit, 0, 0, 10);
        (void)muster_testkit_balancer_advance(kit, 60000);
        learning_end(kit, 0, 0, 1);
        learning_end(kit, 1, 0, others_ms[i]);
        cr_expect_eq(preferred(kit), i == 0 ? 1 : 0);
        policy_test_destroy(kit);
    }
}

/* Calls each millisecond, far less than a tick: their times add up. */
Test(p2c_ewma, lets_an_average_fall_by_many_small_steps)
{
    muster_testkit_balancer *kit = two(10, 0);

    for (int ms = 0; ms < 10000; ms++) {
        (void)muster_testkit_balancer_advance(kit, 1);
        learning_end(kit, 0, 0, 1);
    }
    learning_end(kit, 1, 0, 4.2);
    cr_expect_eq(preferred(kit), 1);
    learning_end(kit, 1, 0, 4.45);
    cr_expect_eq(preferred(kit), 0);
    policy_test_destroy(kit);
}

/* 100 ms falls to 1 ms in 46.05 s, and then one call tries it. */
Test(p2c_ewma, tries_a_slow_one_again_by_one_call)
{
    muster_testkit_balancer *kit = two(1, 100);

    (void)muster_testkit_balancer_advance(kit, 45900);
    learning_end(kit, 0, 0, 1);
    cr_expect_eq(preferred(kit), 0);
    (void)muster_testkit_balancer_advance(kit, 300);
    learning_end(kit, 0, 0, 1);
    cr_expect_eq(policy_test_pick(kit, 0), 1);
    for (int i = 0; i < 90; i++) {
        cr_assert_eq(policy_test_pick(kit, 0), 0, "call %d beside", i);
    }
    policy_test_destroy(kit);
}

Test(p2c_ewma, tries_a_new_one_by_one_call)
{
    muster_testkit_balancer *kit = two(1, 0);

    cr_expect_eq(policy_test_pick(kit, 0), 1);
    for (int i = 0; i < 19; i++) { /* 20 ms for the second of the new one */
        cr_assert_eq(policy_test_pick(kit, 0), 0, "call %d beside", i);
    }
    policy_test_destroy(kit);
}

Test(p2c_ewma, takes_a_new_one_for_as_slow_as_it_is_told)
{
    muster_testkit_balancer *kit =
        policy_test_create(policy(), "{\"defaultRtt\": \"0.002s\"}", 1);
    uint64_t counts[2] = {0};

    policy_test_ready(kit, NULL, 2);
    learning_end(kit, 0, 0, 1);
    learning_hold(kit, 300, counts);
    cr_expect_geq(counts[1], 99);
    cr_expect_leq(counts[1], 101);
    policy_test_destroy(kit);
}

/* ---- calls in flight ---- */

Test(p2c_ewma, weighs_latency_by_calls_in_flight)
{
    muster_testkit_balancer *kit = two(1, 3);
    uint64_t counts[2] = {0};

    learning_hold(kit, 400, counts);
    cr_expect_geq(counts[1], 99);
    cr_expect_leq(counts[1], 101);
    policy_test_destroy(kit);
}

Test(p2c_ewma, minds_calls_alone_when_nothing_is_measured)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    policy_test_ready(kit, NULL, 2);
    for (int i = 0; i < 1000; i++) {
        uint32_t first = policy_test_pick(kit, 0);

        cr_assert_eq(policy_test_pick(kit, 0), 1 - first);
        learning_end(kit, 0, 0, 0);
        learning_end(kit, 1, 0, 0);
    }
    policy_test_destroy(kit);
}

/* Two of which all calls have ended get the next two. */
Test(p2c_ewma, counts_no_calls_below_none)
{
    muster_testkit_balancer *kit = two(1, 1);
    uint64_t counts[2] = {0};

    learning_hold(kit, 100, counts);
    cr_expect_eq(counts[0], 50);
    for (uint64_t i = 0; i < counts[0]; i++) {
        learning_end(kit, 0, 0, 0);
        learning_end(kit, 1, 0, 0);
    }
    learning_end(kit, 1, 0, 0);
    learning_end(kit, 1, 0, 0);
    learning_hold(kit, 100, counts);
    cr_expect_eq(counts[0], 100);
    policy_test_destroy(kit);
}

Test(p2c_ewma, forgets_one_that_left_and_came_back)
{
    muster_testkit_balancer *kit = two(1, 100);
    uint64_t left = muster_testkit_balancer_get_backend(kit, 1)->id;

    policy_test_ready(kit, NULL, 1);
    policy_test_ready(kit, NULL, 2);
    cr_expect_eq(policy_test_pick(kit, 0), 1, "as new");
    muster_testkit_balancer_done(kit, left, NULL); /* a call of before */
    cr_expect_eq(policy_test_pick(kit, 0), 0, "its one call is counted");
    policy_test_destroy(kit);
}

Test(p2c_ewma, remembers_one_that_was_not_ready)
{
    muster_testkit_balancer *kit = two(1, 100);

    muster_testkit_balancer_set_state(kit, 1, MUSTER_IDLE, NULL);
    policy_test_publish(kit);
    muster_testkit_balancer_set_state(kit, 1, MUSTER_READY, NULL);
    policy_test_publish(kit);
    cr_expect_eq(preferred(kit), 0);
    policy_test_destroy(kit);
}

Test(p2c_ewma, spreads_calls_evenly_when_rebuilt_at_every_pick)
{
    static const double shares[] = {0.25, 0.25, 0.25, 0.25};
    static const double latencies_ms[] = {1, 1, 1, 1};
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);
    uint64_t counts[4] = {0};

    policy_test_set(kit, NULL, 4, MUSTER_READY);
    for (int i = 0; i < 20000; i++) {
        policy_test_publish(kit);
        learning_call(kit, 1, latencies_ms, counts);
    }
    /* Chance one in a thousand, 3 degrees of freedom. */
    cr_expect_lt(policy_test_chi_square(counts, shares, 4, 20000), 16.3);
    policy_test_destroy(kit);
}

Test(p2c_ewma, loses_no_call_among_threads)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);
    uint64_t counts[2] = {0};

    policy_test_ready(kit, NULL, 2);
    learning_call_from_threads(kit);
    learning_hold(kit, 100, counts);
    cr_expect_eq(counts[0], 50);
    policy_test_destroy(kit);
}

/* ---- weights ---- */

Test(p2c_ewma, gives_endpoints_calls_by_weight)
{
    static const uint32_t weights[] = {7, 2, 1};
    static const double shares[] = {0.7, 0.2, 0.1};
    static const double latencies_ms[] = {1, 1, 1};
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);
    uint64_t idle[3] = {0};
    uint64_t busy[3] = {0};

    cr_expect(policy()->flags & MUSTER_BALANCER_USES_WEIGHTS);
    policy_test_ready(kit, weights, 3);
    for (uint32_t i = 0; i < 3; i++) {
        learning_end(kit, i, 0, 1);
    }
    learning_call(kit, 20000, latencies_ms, idle);
    /* Chance one in a thousand, 2 degrees of freedom. */
    cr_expect_lt(policy_test_chi_square(idle, shares, 3, 20000), 13.8);
    learning_hold(kit, 20000, busy);
    cr_expect_lt(policy_test_chi_square(busy, shares, 3, 20000), 0.1);
    policy_test_destroy(kit);
}

/* ---- failures ---- */

Test(p2c_ewma, likes_nobody_for_failing_fast)
{
    muster_testkit_balancer *kit = two(1, 1.9);

    learning_end(kit, 0, UNAVAILABLE, 0.01);
    cr_expect_eq(preferred(kit), 1, "2 ms against 1.9");
    learning_end(kit, 1, 0, 3.9);
    learning_end(kit, 0, UNAVAILABLE, 0.01);
    cr_expect_eq(preferred(kit), 1, "4 ms against 3.9");
    policy_test_destroy(kit);
}

Test(p2c_ewma, takes_a_failed_new_one_for_slow)
{
    muster_testkit_balancer *kit = two(19, 0);

    learning_end(kit, 1, UNAVAILABLE, 0);
    cr_expect_eq(preferred(kit), 0, "20 ms against 19");
    policy_test_destroy(kit);
}

Test(p2c_ewma, punishes_no_more_than_it_is_told)
{
    muster_testkit_balancer *kit =
        policy_test_create(policy(), "{\"maxPenalty\": \"0.1s\"}", 1);

    policy_test_ready(kit, NULL, 2);
    learning_end(kit, 1, 0, 101);
    for (int i = 0; i < 40; i++) {
        learning_end(kit, 0, UNAVAILABLE, 0.01);
    }
    cr_expect_eq(preferred(kit), 0, "100 ms against 101");
    policy_test_destroy(kit);
}

/* Calls one after the other, 10 a second, none of them measured. */
static void call_unmeasured(muster_testkit_balancer *kit, int n,
                            uint64_t *counts)
{
    static const double latencies_ms[] = {0, 0};

    for (int i = 0; i < n; i++) {
        (void)muster_testkit_balancer_advance(kit, 100);
        learning_call(kit, 1, latencies_ms, counts);
    }
}

/* 20 ms, against the 10 ms that unmeasured answers are taken for. */
Test(p2c_ewma, comes_back_to_one_that_failed_when_nothing_is_measured)
{
    muster_testkit_balancer *kit = two(0, 0);
    uint64_t counts[2] = {0};

    call_unmeasured(kit, 10, counts);
    counts[1] = 0;
    learning_end(kit, 1, UNAVAILABLE, 0);
    call_unmeasured(kit, 60, counts);
    cr_expect_eq(counts[1], 0, "it is shunned for 6.9 s");
    call_unmeasured(kit, 600, counts);
    counts[0] = counts[1] = 0;
    call_unmeasured(kit, 600, counts);
    cr_expect_gt(counts[1], 200, "%lu of 600", (unsigned long)counts[1]);
    policy_test_destroy(kit);
}

Test(p2c_ewma, takes_no_unmeasured_answer_for_a_peak)
{
    muster_testkit_balancer *kit = two(1, 1.1);

    (void)muster_testkit_balancer_advance(kit, 1000);
    learning_end(kit, 0, 0, 0);
    learning_end(kit, 1, 0, 1.1);
    cr_expect_eq(preferred(kit), 0);
    policy_test_destroy(kit);
}

Test(p2c_ewma, takes_an_answer_that_is_no_failure_of_the_endpoint)
{
    muster_testkit_balancer *kit = two(1, 1.1);

    learning_end(kit, 0, NOT_FOUND, 0.5);
    cr_expect_eq(preferred(kit), 0);
    policy_test_destroy(kit);
}

Test(p2c_ewma, learns_nothing_from_a_pick_given_back)
{
    const muster_outcome given_back = {.struct_size =
                                           (uint32_t)sizeof given_back,
                                       .flags = MUSTER_OUTCOME_GIVEN_BACK,
                                       .status = UNAVAILABLE};
    muster_testkit_balancer *kit = two(1, 1.1);

    muster_testkit_balancer_done(
        kit, muster_testkit_balancer_get_backend(kit, 0)->id, &given_back);
    cr_expect_eq(preferred(kit), 0);
    policy_test_destroy(kit);
}

Test(p2c_ewma, learns_of_a_cancelled_call_that_it_was_not_faster)
{
    muster_testkit_balancer *kit = two(10, 9);

    (void)muster_testkit_balancer_advance(kit, 10000);
    learning_end(kit, 0, CANCELLED, 0.1);
    learning_end(kit, 1, 0, 9);
    cr_expect_eq(preferred(kit), 0, "decayed by the time, no more");
    learning_end(kit, 0, CANCELLED, 11);
    cr_expect_eq(preferred(kit), 1);
    policy_test_destroy(kit);
}

/* ---- retries ---- */

Test(p2c_ewma, picks_what_the_call_has_not_tried)
{
    static const uint32_t tried[] = {3, 0, 2, 1};
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);

    policy_test_ready(kit, NULL, 4);
    learning_end(kit, 1, 0, 1000);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(learning_retry(kit, tried, 3), 1);
    }
    (void)learning_retry(kit, tried, 4); /* the kit checks the index */
    policy_test_destroy(kit);
}

/* ---- figures ---- */

Test(p2c_ewma, shuns_one_slow_endpoint_of_four)
{
    const muster_balancer_class *round_robin =
        muster_builtin_round_robin()->balancers[0];
    simulated slow = learning_four_endpoints(round_robin, NULL, 1);
    simulated ours = learning_four_endpoints(policy(), NULL, 1);

    cr_expect_leq(ours.p99_ms, slow.p99_ms / 10);
    cr_expect_leq(ours.placed[0], ours.n_calls / 1000);
}

Test(p2c_ewma, shuns_two_slow_endpoints_of_four)
{
    simulated one_slow = learning_four_endpoints(policy(), NULL, 1);
    simulated two_slow = learning_four_endpoints(policy(), NULL, 2);
    simulated no_redraw =
        learning_four_endpoints(policy(), "{\"redraws\": 0}", 2);

    cr_expect_leq(two_slow.p99_ms, 1.2 * one_slow.p99_ms);
    /* One in six pairs is of slow ones only: this is what redraws are for. */
    cr_expect_geq(no_redraw.p99_ms, 10 * one_slow.p99_ms);
}

/* 90 slow of 100: some of the first pairs are slow ones, and no redraw sees all
 * endpoints. */
Test(p2c_ewma, redraws_when_most_are_slow)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), NULL, 1);
    uint64_t counts[100] = {0};
    double latencies_ms[100];
    uint64_t n_fast = 0;

    for (uint32_t i = 0; i < 100; i++) {
        latencies_ms[i] = i % 10 == 0 ? 1 : 50;
    }
    policy_test_ready(kit, NULL, 100);
    learning_call(kit, 2000, latencies_ms, counts);
    memset(counts, 0, sizeof counts);
    learning_call(kit, 10000, latencies_ms, counts);
    for (uint32_t i = 0; i < 100; i += 10) {
        n_fast += counts[i];
    }
    /* 19 % without a redraw, about 65 % of ten draws. */
    cr_expect_gt(n_fast, 5500);
    policy_test_destroy(kit);
}

/* ---- settings ---- */

Test(p2c_ewma, has_the_name_of_envoy_too)
{
    const muster_plugin *plugin = muster_builtin_p2c_ewma();

    cr_expect_eq(plugin->n_balancers, 2);
    cr_expect_str_eq(plugin->balancers[0]->name, "p2c_ewma");
    cr_expect_str_eq(plugin->balancers[1]->name, "peak_ewma");
}

static void expect_refusal(const char *config, const char *message)
{
    const muster_error err = policy_test_refuse(policy(), config);

    cr_expect(strstr(err.message, message), "%s: %s", config, err.message);
}

Test(p2c_ewma, names_the_place_of_a_wrong_setting)
{
    expect_refusal("{\"decayTime\": 10}", "$.decayTime");
    expect_refusal("{\"decayTime\": \"0.0009s\"}",
                   "$.decayTime: must be \"0.001s\" or more");
    expect_refusal("{\"defaultRtt\": \"0s\"}", "$.defaultRtt");
    expect_refusal("{\"maxPenalty\": \"-1s\"}", "$.maxPenalty");
    expect_refusal("{\"redraws\": 17}", "$.redraws");
    expect_refusal("{\"redraws\": 17, \"decayTime\": \"0s\"}", "$.decayTime");
}
