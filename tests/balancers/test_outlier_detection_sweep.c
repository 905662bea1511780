/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithms of gRFC A50 in the policy outlier_detection, in virtual time:
 * a sweep each 10 s. */
#include "outlier_test.h"

#include <math.h>

/* ---- success rate ---- */

/* Five endpoints of 100 calls each: mean 0.9, deviation 0.2, so what is below
 * 0.9 - 1.9 * 0.2 = 0.52 is an outlier. */
Test(outlier_sweep, ejects_a_success_rate_far_below_the_mean)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"successRateEjection\": {}}", 5);

    for (size_t i = 0; i < 5; i++) {
        outlier_test_call(kit, i, 100, i == 3 ? 50 : 0);
    }
    outlier_test_wait(kit, 9.999);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    outlier_test_wait(kit, 0.001);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 3);
    cr_expect_eq(outlier_test_enforced(kit, "success_rate"), 1);
    policy_test_destroy(kit);
}

typedef struct rates {
    const char *rule; /* of successRateEjection */
    int failed[7];    /* of 1000 calls each; -1: the end */
    unsigned ejected;
} rates;

/* One that deviates among n is sqrt(n - 1) deviations off: 2 of five. */
static const rates some_rates[] = {
    {"", {0, 0, 0, 0, 0, -1}, 0},
    {"", {70, 70, 70, 70, 70, -1}, 0},
    {"\"stdevFactor\": 0", {300, 300, 300, 300, 300, 300, -1}, 0},
    {"", {0, 0, 1, 0, 0, -1}, 1 << 2},
    {"", {0, 0, 1000, 0, 0, -1}, 1 << 2},
    {"\"stdevFactor\": 1999", {0, 0, 1000, 0, 0, -1}, 1 << 2},
    {"\"stdevFactor\": 2000", {0, 0, 1000, 0, 0, -1}, 0},
    {"\"stdevFactor\": 2001", {0, 0, 1000, 0, 0, -1}, 0},
    {"\"stdevFactor\": 1732, \"minimumHosts\": 4", {0, 0, 900, 0, -1}, 1 << 2},
    {"\"stdevFactor\": 1733, \"minimumHosts\": 4", {0, 0, 900, 0, -1}, 0},
    {"\"stdevFactor\": 0", {0, 100, 200, 300, 400, -1}, 1 << 3 | 1 << 4},
    {"\"stdevFactor\": 1000", {0, 100, 200, 300, 400, -1}, 1 << 4},
    {"\"stdevFactor\": 1414", {0, 100, 200, 300, 400, -1}, 1 << 4},
    {"\"stdevFactor\": 1415", {0, 100, 200, 300, 400, -1}, 0},
    /* Two bad ones of seven are 1.58 deviations off. */
    {"\"stdevFactor\": 1581", {0, 0, 0, 0, 0, 800, 800}, 3 << 5},
    {"\"stdevFactor\": 1582", {0, 0, 0, 0, 0, 800, 800}, 0},
};

static void check_rates(const rates *given)
{
    muster_testkit_balancer *kit;
    char config[160];
    size_t n = 0;

    (void)snprintf(config, sizeof config,
                   "{\"maxEjectionPercent\": 100, "
                   "\"successRateEjection\": {%s}}",
                   given->rule);
    while (n < 7 && given->failed[n] >= 0) {
        n++;
    }
    kit = outlier_test_ready(config, n);
    for (size_t i = 0; i < n; i++) {
        outlier_test_call(kit, i, 1000, given->failed[i]);
    }
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), given->ejected, "%s %d %d: %lx",
                 config, given->failed[0], given->failed[1],
                 outlier_test_ejected(kit));
    policy_test_destroy(kit);
}

Test(outlier_sweep, judges_success_rates_by_mean_and_deviation)
{
    for (size_t i = 0; i < sizeof some_rates / sizeof *some_rates; i++) {
        check_rates(&some_rates[i]);
    }
}

Test(outlier_sweep, leaves_success_rates_of_too_few_hosts_alone)
{
    static const size_t sizes[] = {4, 5};

    for (size_t k = 0; k < 2; k++) {
        muster_testkit_balancer *kit = outlier_test_ready(
            "{\"successRateEjection\": {\"stdevFactor\": 1000}}", sizes[k]);

        for (size_t i = 0; i < sizes[k]; i++) {
            outlier_test_call(kit, i, 100, i == 0 ? 100 : 0);
        }
        outlier_test_wait(kit, 10);
        cr_expect_eq(outlier_test_ejected(kit), sizes[k] == 5 ? 1 : 0);
        policy_test_destroy(kit);
    }
}

/* Hosts with fewer calls than that do not count as hosts. */
Test(outlier_sweep, needs_enough_calls_of_enough_hosts_for_success_rates)
{
    static const int n_calls[] = {99, 100};

    for (size_t k = 0; k < 2; k++) {
        muster_testkit_balancer *kit =
            outlier_test_ready("{\"successRateEjection\": {}}", 5);

        for (size_t i = 0; i < 5; i++) {
            outlier_test_call(kit, i, i == 4 ? n_calls[k] : 100,
                              i == 0 ? 100 : 0);
        }
        outlier_test_wait(kit, 10);
        cr_expect_eq(outlier_test_ejected(kit), k);
        policy_test_destroy(kit);
    }
}

/* The sixth has failed all of its few calls: it is not judged, and does not
 * hide the first one by the deviation that it would make. */
Test(outlier_sweep, leaves_hosts_with_few_calls_out_of_the_mean)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"successRateEjection\": {}}", 6);

    for (size_t i = 0; i < 5; i++) {
        outlier_test_call(kit, i, 100, i == 0 ? 20 : 0);
    }
    outlier_test_call(kit, 5, 99, 99);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

/* ---- failure percentage ---- */

typedef struct percentage {
    const char *rule; /* of failurePercentageEjection */
    size_t n;         /* endpoints, of which the last one fails */
    int calls;        /* to each */
    int failed;
    bool is_ejected;
} percentage;

static const percentage some_percentages[] = {
    {"", 5, 100, 85, false},
    {"", 5, 100, 86, true},
    {"", 5, 1000, 850, false},
    {"", 5, 1000, 851, true},
    {"\"threshold\": 0", 5, 100, 0, false},
    {"\"threshold\": 0", 5, 100, 1, true},
    {"\"threshold\": 50", 5, 100, 50, false},
    {"\"threshold\": 50", 5, 100, 51, true},
    {"\"threshold\": 99", 5, 100, 100, true},
    {"\"threshold\": 100", 5, 100, 100, false},
    {"", 5, 49, 49, false},
    {"", 5, 50, 50, true},
    {"\"requestVolume\": 2", 5, 1, 1, false},
    {"\"requestVolume\": 2", 5, 2, 2, true},
    {"\"requestVolume\": 0", 5, 0, 0, false},
    {"\"requestVolume\": 0, \"threshold\": 0", 5, 1, 1, true},
    {"", 4, 100, 100, false},
    {"\"minimumHosts\": 4", 4, 100, 100, true},
    {"\"minimumHosts\": 0", 1, 100, 100, true},
};

Test(outlier_sweep, judges_failure_percentages)
{
    for (size_t i = 0; i < sizeof some_percentages / sizeof *some_percentages;
         i++) {
        const percentage *given = &some_percentages[i];
        muster_testkit_balancer *kit;
        char config[160];

        (void)snprintf(config, sizeof config,
                       "{\"failurePercentageEjection\": {%s}}", given->rule);
        kit = outlier_test_ready(config, given->n);
        for (size_t k = 0; k < given->n; k++) {
            outlier_test_call(kit, k, given->calls,
                              k == given->n - 1 ? given->failed : 0);
        }
        outlier_test_wait(kit, 10);
        cr_expect_eq(outlier_test_ejected(kit),
                     (uint64_t)given->is_ejected << (given->n - 1), "%zu", i);
        cr_expect_eq(outlier_test_enforced(kit, "failure_percentage"),
                     given->is_ejected);
        policy_test_destroy(kit);
    }
}

/* As the text of A50 has it, unlike its implementations. */
Test(outlier_sweep, counts_hosts_without_calls_for_failure_percentages)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"failurePercentageEjection\": {}}", 5);

    outlier_test_call(kit, 1, 50, 50);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 1);
    policy_test_destroy(kit);
}

/* ---- intervals ---- */

Test(outlier_sweep, counts_anew_in_each_interval)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"failurePercentageEjection\": {}}", 5);

    for (int i = 0; i < 4; i++) {
        outlier_test_call(kit, 0, 49, 49);
        outlier_test_wait(kit, 10);
        cr_expect_eq(outlier_test_ejected(kit), 0);
    }
    outlier_test_call(kit, 0, 50, 50);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

Test(outlier_sweep, sweeps_as_often_as_it_is_told)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"interval\": \"2.5s\", "
                           "\"failurePercentageEjection\": {}}",
                           5);

    outlier_test_call(kit, 0, 50, 50);
    outlier_test_wait(kit, 2.499);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    outlier_test_wait(kit, 0.001);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

/* New lists do not put the end of the interval off. */
Test(outlier_sweep, keeps_its_interval_when_the_list_changes)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"failurePercentageEjection\": {}}", 5);

    outlier_test_call(kit, 0, 50, 50);
    for (size_t i = 0; i < 9; i++) {
        outlier_test_wait(kit, 1);
        policy_test_ready(kit, NULL, 6 + i);
    }
    outlier_test_wait(kit, 0.999);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    outlier_test_wait(kit, 0.001);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_timers, 1);
    policy_test_destroy(kit);
}

Test(outlier_sweep, takes_no_interval_for_the_shortest)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"interval\": \"0s\", \"failurePercentageEjection\": {}}", 5);

    outlier_test_call(kit, 0, 50, 50);
    outlier_test_wait(kit, 0.001);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

/* ---- order, and how many ---- */

/* By success rate only the second of ten is an outlier, by failure percentage
 * the first one, too; and one may be ejected. */
Test(outlier_sweep, judges_success_rates_first)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"successRateEjection\": {}, "
        "\"failurePercentageEjection\": {\"threshold\": 50}}",
        10);

    for (size_t i = 0; i < 10; i++) {
        outlier_test_call(kit, i, 100, i == 0 ? 60 : i == 1 ? 100 : 0);
    }
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 1);
    cr_expect_eq(outlier_test_enforced(kit, "success_rate"), 1);
    cr_expect_eq(outlier_test_enforced(kit, NULL), 1);
    cr_expect_eq(outlier_test_unenforced(kit, "failure_percentage",
                                         "max_ejection_overflow"),
                 1);
    policy_test_destroy(kit);
}

typedef struct share {
    size_t n;
    unsigned max_percent;
    unsigned n_ejected;
} share;

static const share some_shares[] = {
    {10, 10, 1}, {10, 0, 1}, {10, 11, 2}, {10, 20, 2}, {10, 25, 3},
    {10, 50, 5}, {3, 10, 1}, {15, 10, 2}, {4, 50, 2},  {4, 51, 3},
    {4, 100, 4}, {1, 10, 1}, {1, 100, 1}, {20, 10, 2}, {21, 10, 3},
};

/* The share is looked at before each ejection, and one is always allowed. */
Test(outlier_sweep, ejects_at_most_a_share)
{
    for (size_t k = 0; k < sizeof some_shares / sizeof *some_shares; k++) {
        const share *given = &some_shares[k];
        muster_testkit_balancer *kit;
        char config[160];

        (void)snprintf(config, sizeof config,
                       "{\"maxEjectionPercent\": %u, "
                       "\"failurePercentageEjection\": {\"minimumHosts\": 0}}",
                       given->max_percent);
        kit = outlier_test_ready(config, given->n);
        for (size_t i = 0; i < given->n; i++) {
            outlier_test_call(kit, i, 50, 50);
        }
        outlier_test_wait(kit, 10);
        cr_expect_eq(outlier_test_ejected(kit), (1u << given->n_ejected) - 1,
                     "%zu at %u %%", given->n, given->max_percent);
        cr_expect_eq(outlier_test_unenforced(kit, "failure_percentage",
                                             "max_ejection_overflow"),
                     given->n - given->n_ejected);
        policy_test_destroy(kit);
    }
}

Test(outlier_sweep, counts_those_that_are_ejected_already)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"failurePercentageEjection\": {}}", 10);

    outlier_test_call(kit, 4, 50, 50);
    outlier_test_wait(kit, 10);
    outlier_test_call(kit, 5, 50, 50);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 4);
    outlier_test_wait(kit, 30);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    outlier_test_call(kit, 5, 50, 50);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 5);
    policy_test_destroy(kit);
}

/* Calls that began before end afterwards: they do not eject it again. */
Test(outlier_sweep, ejects_nobody_twice)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"maxEjectionPercent\": 100, \"successRateEjection\": {}, "
        "\"failurePercentageEjection\": {}}",
        5);

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 5; i++) {
            outlier_test_call(kit, i, 100, i == 0 ? 100 : 0);
        }
        outlier_test_wait(kit, 10);
        cr_expect_eq(outlier_test_ejected(kit), 1);
    }
    cr_expect_eq(outlier_test_enforced(kit, NULL), 1);
    outlier_test_wait(kit, 20); /* 10 s + 30 s, as for the first time */
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

/* ---- enforcement ---- */

Test(outlier_sweep, ejects_by_chance)
{
    static const unsigned percents[] = {0, 1, 50, 99, 100};
    enum { N = 10000 };

    for (size_t k = 0; k < 5; k++) {
        double chance = percents[k] / 100.0;
        muster_testkit_balancer *kit;
        char config[160];
        uint64_t n;

        (void)snprintf(config, sizeof config,
                       "{\"maxEjectionPercent\": 100, "
                       "\"failurePercentageEjection\": "
                       "{\"enforcementPercentage\": %u, "
                       "\"requestVolume\": 1}}",
                       percents[k]);
        kit = outlier_test_ready(config, N);
        for (size_t i = 0; i < N; i++) {
            outlier_test_call(kit, i, 1, 1);
        }
        outlier_test_wait(kit, 10);
        n = outlier_test_enforced(kit, "failure_percentage");
        /* Five standard deviations. */
        cr_expect_leq(fabs((double)n - N * chance),
                      5 * sqrt(N * chance * (1 - chance)), "%lu at %u %%", n,
                      percents[k]);
        cr_expect_eq(outlier_test_unenforced(kit, "failure_percentage",
                                             "enforcement_percentage"),
                     N - n);
        policy_test_destroy(kit);
    }
}

/* ---- how long ---- */

typedef struct span {
    const char *config;
    double ends_s[4]; /* of the ejections, one after another; 0: the end */
} span;

/* The first is at 10 s. As soon as it is back it fails again, and the next
 * sweep ejects it. It is back at the first sweep after its time. */
static const span some_spans[] = {
    {"", {50, 130, 240, 380}},
    {"\"baseEjectionTime\": \"25s\"", {40, 110, 200, 320}},
    {"\"maxEjectionTime\": \"65s\"", {50, 130, 210, 290}},
    {"\"maxEjectionTime\": \"45s\"", {50, 110, 170, 230}},
    {"\"maxEjectionTime\": \"10s\"", {50, 100, 150, 200}},
    {"\"baseEjectionTime\": \"400s\"", {420, 840, 1260, 0}},
    {"\"baseEjectionTime\": \"400s\", \"maxEjectionTime\": \"900s\"",
     {420, 1240, 2160, 0}},
    {"\"baseEjectionTime\": \"0s\"", {20, 40, 60, 80}},
};

static void check_span(const span *given)
{
    muster_testkit_balancer *kit;
    char config[240];
    double now_s = 0;

    (void)snprintf(config, sizeof config,
                   "{\"failurePercentageEjection\": {}%s%s}",
                   given->config[0] == '\0' ? "" : ", ", given->config);
    kit = outlier_test_ready(config, 5);
    for (int i = 0; i < 4 && given->ends_s[i] > 0; i++) {
        outlier_test_call(kit, 2, 50, 50);
        outlier_test_wait(kit, 10);
        cr_expect_eq(outlier_test_ejected(kit), 1 << 2, "%s", config);
        now_s += 10;
        outlier_test_wait(kit, given->ends_s[i] - now_s - 0.001);
        cr_expect_eq(outlier_test_ejected(kit), 1 << 2, "%s, until %g s",
                     config, given->ends_s[i]);
        outlier_test_wait(kit, 0.001);
        now_s = given->ends_s[i];
        cr_expect_eq(outlier_test_ejected(kit), 0, "%s, at %g s", config,
                     now_s);
    }
    policy_test_destroy(kit);
}

Test(outlier_sweep, ejects_longer_each_time)
{
    for (size_t i = 0; i < sizeof some_spans / sizeof *some_spans; i++) {
        check_span(&some_spans[i]);
    }
}

/* n sweeps without an ejection, and then one that is so many base times long
 * after two in a row. */
static void check_forgiven(int n_sweeps, double expected_s)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"failurePercentageEjection\": {}}", 5);

    outlier_test_call(kit, 0, 50, 50);
    outlier_test_wait(kit, 50);
    outlier_test_call(kit, 0, 50, 50);
    outlier_test_wait(kit, 80);
    cr_assert_eq(outlier_test_ejected(kit), 0);
    outlier_test_wait(kit, n_sweeps * 10);
    outlier_test_call(kit, 0, 50, 50);
    outlier_test_wait(kit, 10);
    cr_assert_eq(outlier_test_ejected(kit), 1);
    outlier_test_wait(kit, expected_s);
    cr_expect_eq(outlier_test_ejected(kit), 1, "%d sweeps", n_sweeps);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 0, "%d sweeps", n_sweeps);
    policy_test_destroy(kit);
}

Test(outlier_sweep, forgives_a_time_with_each_sweep)
{
    check_forgiven(0, 90);
    check_forgiven(1, 60);
    check_forgiven(2, 30);
    check_forgiven(3, 30);
    check_forgiven(9, 30);
}
