/* SPDX-License-Identifier: Apache-2.0 */
/* The policy weighted_round_robin with load reports (gRFC A58), in virtual
 * time. */
#include "policy_test.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "../../balancers/weighted_round_robin/load_weight.h"
#include "loop.h"
#include "orca.h"

const muster_plugin *muster_builtin_weighted_round_robin(void);

#define NO_BLACKOUT "{\"blackoutPeriod\": \"0s\"}"

enum { N_PICKS = 100000 };

static const muster_balancer_class *policy(void)
{
    return muster_builtin_weighted_round_robin()->balancers[0];
}

static muster_testkit_balancer *open_with(const char *settings,
                                          const uint32_t *weights, size_t n)
{
    muster_testkit_balancer *kit = policy_test_create(policy(), settings, 1);

    policy_test_ready(kit, weights, n);
    return kit;
}

/* A call to endpoint i of the list has ended with that report. */
static void end_call(muster_testkit_balancer *kit, size_t i, orca report)
{
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .load_report = report.bytes,
                                    .load_report_size = report.size};

    muster_testkit_balancer_done(
        kit, muster_testkit_balancer_get_backend(kit, i)->id, &outcome);
}

/* Endpoint i says that it could take that many calls per second. */
static void report(muster_testkit_balancer *kit, size_t i, double weight)
{
    end_call(kit, i, orca_report(0.5, weight / 2, 0));
}

/* Whether the picks of a shard are shared in these proportions. */
static void expect_shares(muster_testkit_balancer *kit, size_t n,
                          const double *proportions)
{
    double counts[8] = {0};
    double total = 0;

    for (int i = 0; i < N_PICKS; i++) {
        counts[policy_test_pick(kit, 0)]++;
    }
    for (size_t i = 0; i < n; i++) {
        total += proportions[i];
    }
    for (size_t i = 0; i < n; i++) {
        double due = N_PICKS * proportions[i] / total;

        cr_expect_leq(fabs(counts[i] - due), 4, "%zu: %g, not %g", i, counts[i],
                      due);
    }
}

#define EXPECT_SHARES(kit, ...)                                                \
    expect_shares(kit, sizeof(double[]){__VA_ARGS__} / sizeof(double),         \
                  (double[]){__VA_ARGS__})

static uint64_t n_builds(muster_testkit_balancer *kit)
{
    return muster_testkit_balancer_get(kit)->n_builds;
}

/* ---- weights ---- */

Test(weighted_round_robin_load, follows_the_reports)
{
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, NULL, 2);

    end_call(kit, 0, orca_report(1, 10, 0));
    end_call(kit, 1, orca_report(0.1, 10, 0));
    EXPECT_SHARES(kit, 1, 1);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 1, 10);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, takes_the_cpu_when_the_application_is_silent)
{
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, NULL, 3);
    const double utilizations[] = {0.9, 0.3, 0.3};

    for (size_t i = 0; i < 3; i++) {
        orca message = {.size = 0};

        orca_add(&message, ORCA_CPU, utilizations[i]);
        orca_add(&message, ORCA_RPS, 100);
        end_call(kit, i, message);
    }
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 1, 3, 3);
    policy_test_destroy(kit);
}

static void check_penalty(const char *settings, double second)
{
    muster_testkit_balancer *kit = open_with(settings, NULL, 2);

    end_call(kit, 0, orca_report(1, 10, 0));
    end_call(kit, 1, orca_report(0.1, 10, 10));
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 10, second);
    policy_test_destroy(kit);
}

/* As grpc-go tests it, and the default. */
Test(weighted_round_robin_load, punishes_errors)
{
    check_penalty("{\"blackoutPeriod\": \"0s\","
                  " \"errorUtilizationPenalty\": 0}",
                  100);
    check_penalty("{\"blackoutPeriod\": \"0s\","
                  " \"errorUtilizationPenalty\": 0.9}",
                  10);
    check_penalty(NO_BLACKOUT, 10 / 1.1);
}

Test(weighted_round_robin_load, gives_the_mean_to_those_that_say_nothing)
{
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, NULL, 4);

    report(kit, 0, 10);
    report(kit, 1, 100);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 10, 100, 55, 55);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, goes_round_when_fewer_than_two_report)
{
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, NULL, 3);

    report(kit, 1, 1000);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 1, 1, 1);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, replaces_the_weights_of_the_list)
{
    static const uint32_t weights[] = {1, 3, 6};
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, weights, 3);

    EXPECT_SHARES(kit, 1, 3, 6);
    report(kit, 0, 60);
    report(kit, 1, 20);
    muster_testkit_balancer_advance(kit, 1000);
    /* The third gets its due of the others': 80 / 4 a unit. */
    EXPECT_SHARES(kit, 60, 20, 120);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, heeds_the_list_alone_when_told_so)
{
    static const uint32_t weights[] = {99, 1};
    muster_testkit_balancer *kit =
        open_with("{\"ignoreLoadReports\": true, \"blackoutPeriod\": \"0s\"}",
                  weights, 2);

    report(kit, 0, 10);
    report(kit, 1, 100);
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_timers, 0);
    muster_testkit_balancer_advance(kit, 10000);
    cr_expect_eq(n_builds(kit), 1);
    policy_test_publish(kit);
    EXPECT_SHARES(kit, 99, 1);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, lets_what_is_no_report_pass)
{
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, NULL, 2);
    orca cut = orca_report(0.1, 10, 0);

    cut.size--;
    end_call(kit, 0, orca_report(0, 10, 0));
    end_call(kit, 1, cut);
    muster_testkit_balancer_done(
        kit, muster_testkit_balancer_get_backend(kit, 0)->id, NULL);
    muster_testkit_balancer_advance(kit, 5000);
    cr_expect_eq(n_builds(kit), 1);
    EXPECT_SHARES(kit, 1, 1);
    policy_test_destroy(kit);
}

/* ---- ages ---- */

static void report_both(muster_testkit_balancer *kit)
{
    report(kit, 0, 10);
    report(kit, 1, 30);
}

Test(weighted_round_robin_load, waits_ten_seconds_before_it_believes)
{
    muster_testkit_balancer *kit = open_with(NULL, NULL, 2);

    for (int i = 0; i < 9; i++) {
        report_both(kit);
        muster_testkit_balancer_advance(kit, 1000);
    }
    EXPECT_SHARES(kit, 1, 1);
    report_both(kit);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 10, 30);
    policy_test_destroy(kit);
}

/* Nobody reports when the blackout ends. */
Test(weighted_round_robin_load, believes_at_the_end_of_the_blackout)
{
    muster_testkit_balancer *kit =
        open_with("{\"blackoutPeriod\": \"2s\"}", NULL, 2);

    report_both(kit);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 1, 1);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 10, 30);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, forgets_after_three_minutes)
{
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, NULL, 2);

    report_both(kit);
    muster_testkit_balancer_advance(kit, 179000);
    EXPECT_SHARES(kit, 10, 30);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 1, 1);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, waits_anew_after_it_forgot)
{
    muster_testkit_balancer *kit =
        open_with("{\"blackoutPeriod\": \"5s\","
                  " \"weightExpirationPeriod\": \"8s\"}",
                  NULL, 2);

    report_both(kit);
    muster_testkit_balancer_advance(kit, 5000);
    EXPECT_SHARES(kit, 10, 30);
    muster_testkit_balancer_advance(kit, 3000);
    EXPECT_SHARES(kit, 1, 1);
    report_both(kit);
    muster_testkit_balancer_advance(kit, 4000);
    EXPECT_SHARES(kit, 1, 1);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 10, 30);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, waits_anew_when_an_endpoint_comes_back)
{
    muster_testkit_balancer *kit =
        open_with("{\"blackoutPeriod\": \"5s\"}", NULL, 3);

    report(kit, 0, 10);
    report(kit, 1, 30);
    report(kit, 2, 80);
    muster_testkit_balancer_advance(kit, 5000);
    EXPECT_SHARES(kit, 10, 30, 80);
    muster_testkit_balancer_set_state(kit, 2, MUSTER_IDLE, NULL);
    policy_test_publish(kit);
    EXPECT_SHARES(kit, 10, 30);
    muster_testkit_balancer_set_state(kit, 2, MUSTER_READY, NULL);
    policy_test_publish(kit);
    EXPECT_SHARES(kit, 10, 30, 20);
    report(kit, 2, 80);
    muster_testkit_balancer_advance(kit, 4000);
    EXPECT_SHARES(kit, 10, 30, 20);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 10, 30, 80);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, keeps_weights_through_changes_of_others)
{
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, NULL, 2);

    report_both(kit);
    policy_test_ready(kit, NULL, 3);
    EXPECT_SHARES(kit, 10, 30, 20);
    policy_test_ready(kit, NULL, 2);
    EXPECT_SHARES(kit, 10, 30);
    policy_test_destroy(kit);
}

/* Rounds; when the machine is busy, each waits for its scheduler. */
enum { MIN_RACES = 500, MAX_RACES = 50000, RACE_NS = 1000 };
#define RACING_NS UINT64_C(2000000000)

typedef struct race {
    muster__load_weight weight;
    _Atomic int n_begun; /* rounds; each thread ends one of its own */
    _Atomic int n_ended;
    _Atomic bool is_over; /* the round that begins is none */
} race;

/* Spins a little, for the two are to run side by side; then yields, for there
 * may be one processor only. */
static void await_round(const _Atomic int *counter, int round)
{
    for (int n_spins = 0; atomic_load(counter) < round; n_spins++) {
        if (n_spins >= 1000) {
            (void)sched_yield();
        }
    }
}

static void *report_in_each_round(void *arg)
{
    race *self = arg;

    for (int i = 1;; i++) {
        await_round(&self->n_begun, i);
        if (atomic_load(&self->is_over)) {
            return NULL;
        }
        (void)muster__load_weight_learn(&self->weight, 7, RACE_NS);
        atomic_store(&self->n_ended, i);
    }
}

/* A weight expires while the next report comes: that one is not forgotten. */
Test(weighted_round_robin_load, keeps_a_report_that_comes_as_one_expires)
{
    const muster__load_ages ages = {.expiration_ns = 10};
    static race both;
    uint64_t next_change_ns = UINT64_MAX;
    const uint64_t enough_ns = muster__now_ns() + RACING_NS;
    unsigned n_lost = 0;
    pthread_t thread;
    int i;

    cr_assert_eq(pthread_create(&thread, NULL, report_in_each_round, &both), 0);
    for (i = 1;
         i <= MIN_RACES || (i <= MAX_RACES && muster__now_ns() < enough_ns);
         i++) {
        atomic_store(&both.weight.reported_ns, 0);
        atomic_store(&both.weight.since_ns, 1);
        atomic_store(&both.n_begun, i);
        (void)muster__load_weight_get(&both.weight, &ages, RACE_NS,
                                      &next_change_ns);
        await_round(&both.n_ended, i);
        n_lost += atomic_load(&both.weight.since_ns) == 0;
    }
    atomic_store(&both.is_over, true);
    atomic_store(&both.n_begun, i);
    (void)pthread_join(thread, NULL);
    cr_expect_eq(n_lost, 0, "%u of %d", n_lost, i - 1);
}

/* ---- tables ---- */

Test(weighted_round_robin_load, builds_nothing_when_no_weight_changed)
{
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, NULL, 2);

    muster_testkit_balancer_advance(kit, 10000);
    cr_expect_eq(n_builds(kit), 1);
    for (int i = 0; i < 10; i++) {
        report_both(kit);
        muster_testkit_balancer_advance(kit, 1000);
    }
    cr_expect_eq(n_builds(kit), 2);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, builds_once_a_period_when_weights_change)
{
    muster_testkit_balancer *kit = open_with("{\"blackoutPeriod\": \"0s\","
                                             " \"weightUpdatePeriod\": \"2s\"}",
                                             NULL, 2);

    for (int i = 0; i < 100; i++) {
        report(kit, 0, 10 + i);
        muster_testkit_balancer_advance(kit, 100);
    }
    cr_expect_eq(n_builds(kit), 1 + 5);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, builds_ten_times_a_second_at_most)
{
    muster_testkit_balancer *kit =
        open_with("{\"weightUpdatePeriod\": \"0.001s\"}", NULL, 2);

    for (int i = 0; i < 1000; i++) {
        report(kit, 0, 10 + i);
        muster_testkit_balancer_advance(kit, 1);
    }
    cr_expect_eq(n_builds(kit), 1 + 10);
    policy_test_destroy(kit);
}

Test(weighted_round_robin_load, bears_the_extremes)
{
    static const double extremes[] = {1e-15, 1e-9, 1, 1e9, 1e15};
    muster_testkit_balancer *kit = open_with(NO_BLACKOUT, NULL, 5);

    for (size_t i = 0; i < 5; i++) {
        end_call(kit, i, orca_report(1, extremes[i], 0));
    }
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 1e-15, 1e-9, 1, 1e9, 1e15);
    policy_test_destroy(kit);
}

/* ---- settings ---- */

static void expect_refused(const char *settings, const char *place)
{
    muster_error err = policy_test_refuse(policy(), settings);

    cr_expect(strstr(err.message, place), "%s", err.message);
}

Test(weighted_round_robin_load, names_the_place_of_a_wrong_setting)
{
    expect_refused("{\"blackoutPeriod\": 10}", "$.blackoutPeriod");
    expect_refused("{\"weightExpirationPeriod\": \"-1s\"}",
                   "$.weightExpirationPeriod");
    expect_refused("{\"weightUpdatePeriod\": \"1\"}", "$.weightUpdatePeriod");
    expect_refused("{\"oobReportingPeriod\": true}", "$.oobReportingPeriod");
    expect_refused("{\"errorUtilizationPenalty\": -0.1}",
                   "$.errorUtilizationPenalty");
    expect_refused("{\"errorUtilizationPenalty\": \"1\"}",
                   "$.errorUtilizationPenalty");
    expect_refused("{\"enableOobLoadReport\": 1}", "$.enableOobLoadReport");
    expect_refused("{\"ignoreLoadReports\": 0}", "$.ignoreLoadReports");
}

Test(weighted_round_robin_load, says_that_it_asks_for_no_stream_of_reports)
{
    muster_testkit_balancer *kit = open_with(
        "{\"enableOobLoadReport\": true, \"blackoutPeriod\": \"0s\"}", NULL, 2);
    const muster_testkit_balancer_seen *seen = muster_testkit_balancer_get(kit);

    cr_expect_eq(seen->n_logs, 1);
    cr_expect_eq(seen->log_level, MUSTER_LOG_WARNING);
    cr_expect(strstr(seen->log_message, "enableOobLoadReport"));
    report_both(kit);
    muster_testkit_balancer_advance(kit, 1000);
    EXPECT_SHARES(kit, 10, 30);
    policy_test_destroy(kit);
}
