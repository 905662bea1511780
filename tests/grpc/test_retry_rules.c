/* SPDX-License-Identifier: Apache-2.0 */
/* Whether and when a call is tried again: gRFC A6, rule by rule, without calls
 * and without time. */
#include <criterion/criterion.h>
#include <string.h>

#include "retry/retry.h"

#define MS UINT64_C(1000000)

enum { OK = 0, INVALID_ARGUMENT = 3, ABORTED = 10, UNAVAILABLE = 14 };

/* No jitter either way, the least and the most of it. */
#define MIDDLE (UINT64_C(1) << 63)
#define LEAST UINT64_C(0)
#define MOST UINT64_MAX

static muster__retry four_attempts(void)
{
    muster__retry retry = {.rules = {.max_attempts = 4,
                                     .status_codes = 1u << UNAVAILABLE,
                                     .initial_backoff_ns = 100 * MS,
                                     .max_backoff_ns = 300 * MS,
                                     .backoff_multiplier = 2}};

    return retry;
}

static muster__retry_end ended(int status)
{
    const muster__retry_end end = {.status = status};

    return end;
}

static muster__retry_end pushed_back(const char *value)
{
    const muster__retry_end end = {
        .status = UNAVAILABLE,
        .pushback = muster__pushback_parse(value, strlen(value))};

    return end;
}

/* The verdict, of an attempt on endpoint 7 that throttling allows. */
static muster__retry_verdict judge(muster__retry *retry, muster__retry_end end,
                                   uint64_t random, uint64_t *ret_delay_ns)
{
    return muster__retry_judge(retry, &end, 7, true, random, ret_delay_ns);
}

/* The attempt must be followed by another, after so long. */
static void expect_again(muster__retry *retry, muster__retry_end end,
                         uint64_t random, uint64_t delay_ns)
{
    uint64_t found_ns = 0;

    cr_expect_eq(judge(retry, end, random, &found_ns), MUSTER__RETRY_AGAIN);
    cr_expect_leq(found_ns, delay_ns + 10);
    cr_expect_geq(found_ns + 10, delay_ns, "%llu",
                  (unsigned long long)found_ns);
}

static void expect_verdict(muster__retry *retry, muster__retry_end end,
                           muster__retry_verdict verdict)
{
    uint64_t untouched = 42;

    cr_expect_eq(judge(retry, end, MIDDLE, &untouched), verdict);
    cr_expect_eq(untouched, 42);
}

/* ---- which calls ---- */

Test(retry_rules, retry_a_status_that_is_retryable)
{
    muster__retry retry = four_attempts();

    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 100 * MS);
    cr_expect_eq(retry.n_failed, 1);
}

Test(retry_rules, leave_success_alone)
{
    muster__retry retry = four_attempts();

    retry.rules.status_codes |= 1u << OK;
    expect_verdict(&retry, ended(OK), MUSTER__RETRY_OVER);
}

Test(retry_rules, leave_another_status_alone)
{
    muster__retry retry = four_attempts();

    for (int status = -1; status < 40; status++) {
        if (status != UNAVAILABLE) {
            expect_verdict(&retry, ended(status), MUSTER__RETRY_OVER);
        }
    }
}

Test(retry_rules, know_several_codes)
{
    muster__retry retry = four_attempts();

    retry.rules.status_codes |= 1u << ABORTED;
    expect_again(&retry, ended(ABORTED), MIDDLE, 100 * MS);
    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 200 * MS);
}

Test(retry_rules, leave_a_call_alone_that_has_no_policy)
{
    muster__retry retry;

    memset(&retry, 0, sizeof retry);
    expect_verdict(&retry, ended(UNAVAILABLE), MUSTER__RETRY_OVER);
}

Test(retry_rules, stop_at_the_greatest_number_of_attempts)
{
    muster__retry retry = four_attempts();

    for (int i = 0; i < 3; i++) {
        uint64_t delay_ns;

        cr_expect_eq(judge(&retry, ended(UNAVAILABLE), MIDDLE, &delay_ns),
                     MUSTER__RETRY_AGAIN);
    }
    expect_verdict(&retry, ended(UNAVAILABLE), MUSTER__RETRY_EXHAUSTED);
    cr_expect_eq(retry.n_failed, 3);
}

Test(retry_rules, leave_a_committed_call_alone)
{
    muster__retry retry = four_attempts();
    muster__retry_end end = ended(UNAVAILABLE);

    end.is_committed = true;
    expect_verdict(&retry, end, MUSTER__RETRY_COMMITTED);
}

Test(retry_rules, leave_a_call_alone_whose_request_is_not_kept)
{
    muster__retry retry = four_attempts();
    muster__retry_end end = ended(UNAVAILABLE);

    end.is_too_large = true;
    expect_verdict(&retry, end, MUSTER__RETRY_TOO_LARGE);
}

Test(retry_rules, leave_a_call_alone_while_throttled)
{
    muster__retry retry = four_attempts();
    const muster__retry_end end = ended(UNAVAILABLE);
    uint64_t delay_ns = 42;

    cr_expect_eq(muster__retry_judge(&retry, &end, 7, false, MIDDLE, &delay_ns),
                 MUSTER__RETRY_THROTTLED);
    cr_expect_eq(delay_ns, 42);
}

Test(retry_rules, blame_throttling_only_for_what_it_prevents)
{
    muster__retry retry = four_attempts();
    const muster__retry_end end = ended(UNAVAILABLE);
    uint64_t delay_ns;

    retry.n_failed = 3;
    cr_expect_eq(muster__retry_judge(&retry, &end, 7, false, MIDDLE, &delay_ns),
                 MUSTER__RETRY_EXHAUSTED);
}

/* ---- where ---- */

Test(retry_rules, remember_the_endpoints_in_order)
{
    muster__retry retry = four_attempts();
    const muster__retry_end end = ended(UNAVAILABLE);
    uint64_t delay_ns;

    for (uint64_t endpoint = 1; endpoint <= 3; endpoint++) {
        (void)muster__retry_judge(&retry, &end, endpoint, true, MIDDLE,
                                  &delay_ns);
    }
    cr_expect_eq(retry.n_tried, 3);
    cr_expect_eq(retry.tried[0], 1);
    cr_expect_eq(retry.tried[2], 3);
}

/* ---- when ---- */

Test(retry_rules, wait_longer_each_time_to_a_limit)
{
    muster__retry retry = four_attempts();

    retry.rules.max_attempts = 5;
    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 100 * MS);
    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 200 * MS);
    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 300 * MS);
    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 300 * MS);
}

Test(retry_rules, stray_by_a_fifth)
{
    muster__retry retry = four_attempts();

    expect_again(&retry, ended(UNAVAILABLE), LEAST, 80 * MS);
    expect_again(&retry, ended(UNAVAILABLE), MOST, 240 * MS);
    expect_again(&retry, ended(UNAVAILABLE), MOST, 360 * MS);
}

Test(retry_rules, begin_at_the_limit_when_that_is_less)
{
    muster__retry retry = four_attempts();

    retry.rules.max_backoff_ns = 20 * MS;
    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 20 * MS);
}

Test(retry_rules, wait_less_each_time_when_told_so)
{
    muster__retry retry = four_attempts();

    retry.rules.backoff_multiplier = 0.5;
    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 100 * MS);
    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 50 * MS);
}

Test(retry_rules, survive_the_longest_backoffs)
{
    muster__retry retry = four_attempts();
    uint64_t delay_ns = 0;

    retry.rules.initial_backoff_ns = UINT64_MAX;
    retry.rules.max_backoff_ns = UINT64_MAX;
    retry.rules.backoff_multiplier = 1e300;
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(judge(&retry, ended(UNAVAILABLE), MOST, &delay_ns),
                     MUSTER__RETRY_AGAIN);
        cr_expect_eq(delay_ns, UINT64_C(9000000000000000000));
    }
}

/* ---- pushback ---- */

Test(retry_rules, wait_exactly_as_long_as_the_server_says)
{
    muster__retry retry = four_attempts();

    expect_again(&retry, pushed_back("5"), LEAST, 5 * MS);
    expect_again(&retry, pushed_back("0"), MOST, 0);
    expect_again(&retry, pushed_back("2147483647"), MOST,
                 UINT64_C(2147483647) * MS);
}

Test(retry_rules, begin_anew_after_pushback)
{
    muster__retry retry = four_attempts();

    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 100 * MS);
    expect_again(&retry, pushed_back("7"), MIDDLE, 7 * MS);
    expect_again(&retry, ended(UNAVAILABLE), MIDDLE, 100 * MS);
}

Test(retry_rules, do_not_retry_when_the_server_says_so)
{
    static const char *const refusals[] = {"-1",
                                           "-2147483648",
                                           "",
                                           "abc",
                                           "1.5",
                                           "5 ",
                                           " 5",
                                           "+5",
                                           "0x5",
                                           "007",
                                           "00",
                                           "2147483648",
                                           "1e3",
                                           "-",
                                           "5ms",
                                           "-9223372036854775808",
                                           "99999999999999999999"};

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        muster__retry retry = four_attempts();

        expect_verdict(&retry, pushed_back(refusals[i]), MUSTER__RETRY_REFUSED);
    }
}

Test(retry_rules, do_not_let_pushback_raise_the_number_of_attempts)
{
    muster__retry retry = four_attempts();

    retry.n_failed = 3;
    expect_verdict(&retry, pushed_back("5"), MUSTER__RETRY_EXHAUSTED);
}

Test(retry_rules, do_not_let_pushback_make_a_status_retryable)
{
    muster__retry retry = four_attempts();
    muster__retry_end end = pushed_back("5");

    end.status = INVALID_ARGUMENT;
    expect_verdict(&retry, end, MUSTER__RETRY_OVER);
}

/* ---- throttling ---- */

static muster__retry_class classify(const muster__retry *retry,
                                    muster__retry_end end)
{
    return muster__retry_classify(retry, &end);
}

Test(retry_rules, count_success_and_what_is_retryable)
{
    const muster__retry retry = four_attempts();

    cr_expect_eq(classify(&retry, ended(OK)), MUSTER__RETRY_SUCCESS);
    cr_expect_eq(classify(&retry, ended(UNAVAILABLE)), MUSTER__RETRY_FAILURE);
    cr_expect_eq(classify(&retry, ended(INVALID_ARGUMENT)),
                 MUSTER__RETRY_NEUTRAL);
}

Test(retry_rules, count_a_refusal_whatever_the_status)
{
    const muster__retry retry = four_attempts();
    muster__retry_end end = pushed_back("-1");

    end.status = INVALID_ARGUMENT;
    cr_expect_eq(classify(&retry, end), MUSTER__RETRY_FAILURE);
    end.pushback = muster__pushback_parse("1", 1);
    cr_expect_eq(classify(&retry, end), MUSTER__RETRY_NEUTRAL);
}

Test(retry_rules, count_a_failure_even_when_it_is_the_last)
{
    muster__retry retry = four_attempts();
    muster__retry_end end = ended(UNAVAILABLE);

    retry.n_failed = 3;
    end.is_committed = true;
    cr_expect_eq(classify(&retry, end), MUSTER__RETRY_FAILURE);
}

Test(retry_rules, count_success_without_a_policy)
{
    muster__retry retry;

    memset(&retry, 0, sizeof retry);
    cr_expect_eq(classify(&retry, ended(OK)), MUSTER__RETRY_SUCCESS);
    cr_expect_eq(classify(&retry, ended(UNAVAILABLE)), MUSTER__RETRY_NEUTRAL);
}

/* ---- picks that fail ---- */

Test(retry_rules, pick_again_as_often_as_attempts_are_allowed)
{
    muster__retry retry = four_attempts();
    uint64_t delay_ns = 0;

    for (int i = 0; i < 3; i++) {
        cr_expect_eq(
            muster__retry_judge_pick(&retry, UNAVAILABLE, MIDDLE, &delay_ns),
            MUSTER__RETRY_AGAIN);
        cr_expect_geq(delay_ns, 99 * MS);
    }
    cr_expect_eq(
        muster__retry_judge_pick(&retry, UNAVAILABLE, MIDDLE, &delay_ns),
        MUSTER__RETRY_EXHAUSTED);
    cr_expect_eq(retry.n_failed, 0, "no attempt was made");
}

Test(retry_rules, leave_a_pick_alone_whose_status_is_not_retryable)
{
    muster__retry retry = four_attempts();
    uint64_t delay_ns;

    retry.rules.status_codes = 1u << ABORTED;
    cr_expect_eq(
        muster__retry_judge_pick(&retry, UNAVAILABLE, MIDDLE, &delay_ns),
        MUSTER__RETRY_OVER);
}
