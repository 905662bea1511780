/* SPDX-License-Identifier: Apache-2.0 */
/* Failures in a row, as Envoy has them, in the policy outlier_detection. */
#include "outlier_test.h"

#include <pthread.h>

enum { SERVER = MUSTER_OUTCOME_FROM_SERVER, HERE = 0 };

#define ALL_STATUSES                                                           \
    "{\"consecutiveFailureEjection\": {}, "                                    \
    "\"maxEjectionPercent\": 100}"

/* Calls end, and the host does what was asked of it. No time passes. */
static void end(muster_testkit_balancer *kit, size_t index, int n, int status,
                uint32_t flags)
{
    outlier_test_end(kit, index, n, status, flags);
    (void)muster_testkit_balancer_step(kit);
}

Test(outlier_in_a_row, ejects_at_once_after_five_failures)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"consecutiveFailureEjection\": {}}", 3);

    end(kit, 1, 4, UNAVAILABLE, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    end(kit, 1, 1, UNAVAILABLE, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 1);
    cr_expect_eq(outlier_test_enforced(kit, "consecutive_failure"), 1);
    policy_test_destroy(kit);
}

Test(outlier_in_a_row, ejects_after_as_many_as_it_is_told)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"consecutiveFailureEjection\": {\"threshold\": 1}}", 3);

    end(kit, 2, 1, INTERNAL, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 2);
    policy_test_destroy(kit);
}

Test(outlier_in_a_row, begins_anew_with_each_success)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"consecutiveFailureEjection\": {}}", 3);

    for (int i = 0; i < 10; i++) {
        end(kit, 0, 4, UNAVAILABLE, SERVER);
        end(kit, 0, 1, OK, SERVER);
    }
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

Test(outlier_in_a_row, counts_each_endpoint_by_itself)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"consecutiveFailureEjection\": {}}", 3);

    for (int i = 0; i < 5; i++) {
        cr_expect_eq(outlier_test_ejected(kit), 0);
        end(kit, 0, 1, UNAVAILABLE, SERVER);
        end(kit, 1, 1, OK, SERVER);
    }
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

/* Sweeps in between do not matter. */
Test(outlier_in_a_row, counts_beyond_the_interval)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"consecutiveFailureEjection\": {}}", 3);

    for (int i = 0; i < 5; i++) {
        cr_expect_eq(outlier_test_ejected(kit), 0);
        outlier_test_wait(kit, 25);
        end(kit, 0, 1, UNAVAILABLE, SERVER);
    }
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

/* ---- statuses ---- */

/* Bits of the statuses by which 5 calls eject. */
static unsigned ejecting(const char *config)
{
    unsigned bits = 0;

    for (int status = 0; status <= 17; status++) {
        muster_testkit_balancer *kit = outlier_test_ready(config, 3);

        end(kit, 0, 5, status, SERVER);
        bits |= (unsigned)outlier_test_ejected(kit) << status;
        policy_test_destroy(kit);
    }
    return bits;
}

Test(outlier_in_a_row, takes_the_statuses_for_failures_that_envoy_takes_for_5xx)
{
    cr_expect_eq(ejecting(ALL_STATUSES),
                 1u << UNKNOWN | 1u << DEADLINE_EXCEEDED | 1u << UNIMPLEMENTED |
                     1u << INTERNAL | 1u << UNAVAILABLE | 1u << DATA_LOSS);
}

Test(outlier_in_a_row, takes_those_for_the_gateways_that_are_502_to_504)
{
    cr_expect_eq(ejecting("{\"consecutiveGatewayFailureEjection\": {}}"),
                 1u << DEADLINE_EXCEEDED | 1u << UNAVAILABLE);
}

Test(outlier_in_a_row, begins_gateway_failures_anew_with_other_failures)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"consecutiveGatewayFailureEjection\": {}}", 3);

    for (int i = 0; i < 4; i++) {
        end(kit, 0, 4, UNAVAILABLE, SERVER);
        end(kit, 0, 1, INTERNAL, SERVER);
    }
    cr_expect_eq(outlier_test_ejected(kit), 0);
    end(kit, 0, 5, DEADLINE_EXCEEDED, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    cr_expect_eq(outlier_test_enforced(kit, "consecutive_gateway_failure"), 1);
    policy_test_destroy(kit);
}

/* An answer that is an application's error is an answer. */
Test(outlier_in_a_row, takes_other_statuses_for_successes)
{
    muster_testkit_balancer *kit = outlier_test_ready(ALL_STATUSES, 3);

    end(kit, 0, 4, UNAVAILABLE, SERVER);
    end(kit, 0, 1, NOT_FOUND, SERVER);
    end(kit, 0, 4, UNAVAILABLE, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

Test(outlier_in_a_row, learns_nothing_from_calls_that_the_caller_cancelled)
{
    muster_testkit_balancer *kit = outlier_test_ready(ALL_STATUSES, 3);

    end(kit, 0, 4, UNAVAILABLE, SERVER);
    end(kit, 0, 9, CANCELLED, HERE);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    end(kit, 0, 1, UNAVAILABLE, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

/* ---- where a failure comes from ---- */

Test(outlier_in_a_row, counts_failures_from_here_like_others)
{
    muster_testkit_balancer *kit = outlier_test_ready(ALL_STATUSES, 3);

    end(kit, 0, 3, UNAVAILABLE, HERE);
    end(kit, 0, 2, UNAVAILABLE, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

Test(outlier_in_a_row, counts_failures_from_here_apart_when_it_is_told)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"consecutiveFailureEjection\": {}, "
        "\"consecutiveLocalOriginFailureEjection\": {\"threshold\": 6}, "
        "\"maxEjectionPercent\": 100}",
        3);

    for (int i = 0; i < 4; i++) {
        end(kit, 0, 1, UNAVAILABLE, HERE);
        end(kit, 0, 1, UNAVAILABLE, SERVER);
    }
    cr_expect_eq(outlier_test_ejected(kit), 0);
    end(kit, 0, 5, UNAVAILABLE, HERE);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    end(kit, 0, 1, DEADLINE_EXCEEDED, HERE);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    cr_expect_eq(outlier_test_enforced(kit, "consecutive_local_origin_failure"),
                 1);
    end(kit, 1, 5, UNAVAILABLE, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 3);
    policy_test_destroy(kit);
}

Test(outlier_in_a_row, begins_failures_from_here_anew_with_any_answer)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"consecutiveLocalOriginFailureEjection\": {}}", 3);

    for (int i = 0; i < 4; i++) {
        end(kit, 0, 4, UNAVAILABLE, HERE);
        end(kit, 0, 1, UNAVAILABLE, SERVER);
    }
    cr_expect_eq(outlier_test_ejected(kit), 0);
    end(kit, 0, 5, UNAVAILABLE, HERE);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

/* ---- ejection ---- */

Test(outlier_in_a_row, is_taken_back_by_the_sweep_after_the_base_time)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"consecutiveFailureEjection\": {}}", 3);

    outlier_test_wait(kit, 4);
    end(kit, 0, 5, UNAVAILABLE, SERVER); /* at 4 s: until 34 s */
    outlier_test_wait(kit, 35.999);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    outlier_test_wait(kit, 0.001);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

/* Calls of before that end meanwhile do not count against it afterwards. */
Test(outlier_in_a_row, begins_anew_when_it_is_taken_back)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"consecutiveFailureEjection\": {}}", 3);

    end(kit, 0, 5, UNAVAILABLE, SERVER);
    end(kit, 0, 9, UNAVAILABLE, SERVER);
    outlier_test_wait(kit, 40);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    end(kit, 0, 4, UNAVAILABLE, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    end(kit, 0, 1, UNAVAILABLE, SERVER);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    cr_expect_eq(outlier_test_enforced(kit, NULL), 2);
    policy_test_destroy(kit);
}

/* Each five failures are an outlier found. */
Test(outlier_in_a_row, heeds_the_share_that_may_be_ejected)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"consecutiveFailureEjection\": {}}", 3);

    end(kit, 0, 5, UNAVAILABLE, SERVER);
    for (int i = 0; i < 15; i++) {
        end(kit, 1, 1, UNAVAILABLE, SERVER);
    }
    cr_expect_eq(outlier_test_ejected(kit), 1);
    cr_expect_eq(outlier_test_unenforced(kit, "consecutive_failure",
                                         "max_ejection_overflow"),
                 3);
    policy_test_destroy(kit);
}

Test(outlier_in_a_row, only_counts_what_is_not_enforced)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{\"consecutiveFailureEjection\": "
                           "{\"enforcementPercentage\": 0}}",
                           3);

    for (int i = 0; i < 10; i++) {
        end(kit, 0, 1, UNAVAILABLE, SERVER);
    }
    cr_expect_eq(outlier_test_ejected(kit), 0);
    cr_expect_eq(outlier_test_unenforced(kit, "consecutive_failure",
                                         "enforcement_percentage"),
                 2);
    policy_test_destroy(kit);
}

Test(outlier_in_a_row, leaves_the_only_endpoint_alone)
{
    static const size_t sizes[] = {1, 2};

    for (size_t k = 0; k < 2; k++) {
        muster_testkit_balancer *kit = outlier_test_ready(
            "{\"consecutiveFailureEjection\": {}}", sizes[k]);

        for (int i = 0; i < 20; i++) {
            end(kit, 0, 1, UNAVAILABLE, SERVER);
        }
        cr_expect_eq(outlier_test_ejected(kit), k);
        policy_test_destroy(kit);
    }
}

/* One that struck by two methods at once is ejected once. */
Test(outlier_in_a_row, ejects_once_by_several_methods)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"consecutiveFailureEjection\": {}, "
        "\"consecutiveGatewayFailureEjection\": {}, "
        "\"failurePercentageEjection\": {\"minimumHosts\": 1, "
        "\"requestVolume\": 1}, \"maxEjectionPercent\": 100}",
        3);

    end(kit, 0, 5, UNAVAILABLE, SERVER);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_enforced(kit, NULL), 1);
    cr_expect_eq(outlier_test_enforced(kit, "consecutive_failure"), 1);
    policy_test_destroy(kit);
}

/* ---- many threads ---- */

static void *fail_often(void *arg)
{
    for (int i = 0; i < 10000; i++) {
        outlier_test_end(arg, 0, 1, UNAVAILABLE, SERVER);
        outlier_test_end(arg, 1, 1, OK, SERVER);
    }
    return NULL;
}

static void fail_from_threads(muster_testkit_balancer *kit)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, fail_often, kit), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

/* Exactly as many as it takes. */
Test(outlier_in_a_row, loses_no_failure_among_threads)
{
    static const int thresholds[] = {40000, 40001};

    for (size_t k = 0; k < 2; k++) {
        muster_testkit_balancer *kit;
        char config[160];

        (void)snprintf(config, sizeof config,
                       "{\"consecutiveFailureEjection\": {\"threshold\": %d}}",
                       thresholds[k]);
        kit = outlier_test_ready(config, 3);
        fail_from_threads(kit);
        (void)muster_testkit_balancer_step(kit);
        cr_expect_eq(outlier_test_ejected(kit), 1 - k);
        policy_test_destroy(kit);
    }
}

Test(outlier_in_a_row, loses_no_call_of_an_interval_among_threads)
{
    static const int volumes[] = {40000, 40001};

    for (size_t k = 0; k < 2; k++) {
        muster_testkit_balancer *kit;
        char config[160];

        (void)snprintf(config, sizeof config,
                       "{\"failurePercentageEjection\": {\"minimumHosts\": 1, "
                       "\"requestVolume\": %d}}",
                       volumes[k]);
        kit = outlier_test_ready(config, 3);
        fail_from_threads(kit);
        outlier_test_wait(kit, 10);
        cr_expect_eq(outlier_test_ejected(kit), 1 - k);
        policy_test_destroy(kit);
    }
}
