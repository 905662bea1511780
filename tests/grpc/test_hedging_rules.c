/* SPDX-License-Identifier: Apache-2.0 */
/* Which attempt ends a hedged call, and when another begins: gRFC A6, rule by
 * rule, without calls and without time. */
#include <criterion/criterion.h>
#include <string.h>

#include "hedging/hedging.h"

#define MS UINT64_C(1000000)

enum { OK = 0, INTERNAL = 13, UNAVAILABLE = 14 };

/* So many are out, of four. */
static muster__hedging with_out(uint32_t n)
{
    muster__hedging hedging = {.rules = {.max_attempts = 4,
                                         .status_codes = 1u << UNAVAILABLE,
                                         .delay_ns = 100 * MS}};

    for (uint32_t i = 0; i < n; i++) {
        muster__hedging_begin(&hedging);
    }
    return hedging;
}

static muster__retry_end ended(int status, const char *pushback)
{
    muster__retry_end end = {.status = status};

    if (pushback != NULL) {
        end.pushback = muster__pushback_parse(pushback, strlen(pushback));
    }
    return end;
}

static void expect(muster__hedging *hedging, muster__retry_end end,
                   bool is_allowed, muster__hedging_verdict verdict)
{
    uint64_t untouched = 42;

    muster__hedging_end(hedging);
    cr_expect_eq(muster__hedging_judge(hedging, &end, is_allowed, &untouched),
                 verdict);
    cr_expect_eq(untouched, 42);
}

static void expect_next(muster__hedging *hedging, muster__retry_end end,
                        uint64_t delay_ns)
{
    uint64_t found_ns = 42;

    muster__hedging_end(hedging);
    cr_expect_eq(muster__hedging_judge(hedging, &end, true, &found_ns),
                 MUSTER__HEDGING_NEXT);
    cr_expect_eq(found_ns, delay_ns);
}

/* ---- which attempt ends the call ---- */

Test(hedging_rules, the_first_success_decides)
{
    muster__hedging hedging = with_out(3);

    expect(&hedging, ended(OK, NULL), true, MUSTER__HEDGING_DECIDED);
}

Test(hedging_rules, a_fatal_status_decides)
{
    muster__hedging hedging = with_out(3);

    expect(&hedging, ended(INTERNAL, NULL), true, MUSTER__HEDGING_DECIDED);
}

Test(hedging_rules, a_status_beyond_all_numbers_decides)
{
    muster__hedging hedging = with_out(1);

    hedging.rules.status_codes = UINT32_MAX;
    expect(&hedging, ended(32, NULL), true, MUSTER__HEDGING_DECIDED);
    hedging = with_out(1);
    expect(&hedging, ended(-1, NULL), true, MUSTER__HEDGING_DECIDED);
}

Test(hedging_rules, what_the_application_may_see_decides)
{
    muster__hedging hedging = with_out(2);
    muster__retry_end end = ended(UNAVAILABLE, NULL);

    end.is_committed = true;
    expect(&hedging, end, true, MUSTER__HEDGING_DECIDED);
}

Test(hedging_rules, a_request_that_was_not_kept_decides)
{
    muster__hedging hedging = with_out(1);
    muster__retry_end end = ended(UNAVAILABLE, NULL);

    end.is_too_large = true;
    expect(&hedging, end, true, MUSTER__HEDGING_DECIDED);
}

/* ---- when another one begins ---- */

Test(hedging_rules, a_failure_that_is_not_fatal_brings_the_next_at_once)
{
    muster__hedging hedging = with_out(1);

    expect_next(&hedging, ended(UNAVAILABLE, NULL), 0);
}

Test(hedging_rules, also_while_others_are_out)
{
    muster__hedging hedging = with_out(3);

    expect_next(&hedging, ended(UNAVAILABLE, NULL), 0);
}

Test(hedging_rules, pushback_says_when)
{
    muster__hedging hedging = with_out(1);

    expect_next(&hedging, ended(UNAVAILABLE, "250"), 250 * MS);
}

Test(hedging_rules, pushback_of_0_is_at_once)
{
    muster__hedging hedging = with_out(2);

    expect_next(&hedging, ended(UNAVAILABLE, "0"), 0);
}

Test(hedging_rules, negative_pushback_ends_hedging_not_the_call)
{
    muster__hedging hedging = with_out(2);

    expect(&hedging, ended(UNAVAILABLE, "-1"), true, MUSTER__HEDGING_WAITS);
    cr_expect(!muster__hedging_may_begin(&hedging));
    expect(&hedging, ended(UNAVAILABLE, NULL), true, MUSTER__HEDGING_REFUSED);
}

Test(hedging_rules, pushback_that_is_no_number_ends_hedging)
{
    muster__hedging hedging = with_out(1);

    expect(&hedging, ended(UNAVAILABLE, "soon"), true, MUSTER__HEDGING_REFUSED);
}

Test(hedging_rules, pushback_of_a_fatal_status_counts_nothing)
{
    muster__hedging hedging = with_out(1);

    expect(&hedging, ended(INTERNAL, "10"), true, MUSTER__HEDGING_DECIDED);
}

/* ---- when none does ---- */

Test(hedging_rules, no_more_than_max_attempts)
{
    muster__hedging hedging = with_out(4);

    cr_expect(!muster__hedging_may_begin(&hedging));
    for (int i = 0; i < 3; i++) {
        expect(&hedging, ended(UNAVAILABLE, NULL), true, MUSTER__HEDGING_WAITS);
    }
    expect(&hedging, ended(UNAVAILABLE, NULL), true, MUSTER__HEDGING_EXHAUSTED);
}

Test(hedging_rules, one_that_never_left_is_no_attempt)
{
    muster__hedging hedging = with_out(4);

    muster__hedging_end(&hedging);
    muster__hedging_take_back(&hedging);
    cr_expect(muster__hedging_may_begin(&hedging));
    cr_expect_eq(hedging.n_out, 3);
}

Test(hedging_rules, throttling_ends_the_call_when_nothing_is_out)
{
    muster__hedging hedging = with_out(2);

    expect(&hedging, ended(UNAVAILABLE, NULL), false, MUSTER__HEDGING_WAITS);
    expect(&hedging, ended(UNAVAILABLE, NULL), false,
           MUSTER__HEDGING_THROTTLED);
}

Test(hedging_rules, max_attempts_of_1_hedges_nothing)
{
    muster__hedging hedging = with_out(1);

    hedging.rules.max_attempts = 1;
    cr_expect(!muster__hedging_may_begin(&hedging));
    expect(&hedging, ended(UNAVAILABLE, NULL), true, MUSTER__HEDGING_EXHAUSTED);
}

/* ---- what throttling counts ---- */

static muster__retry_class class_of(int status, const char *pushback)
{
    const muster__hedging hedging = with_out(1);
    const muster__retry_end end = ended(status, pushback);

    return muster__hedging_classify(&hedging, &end);
}

Test(hedging_rules, what_throttling_counts)
{
    cr_expect_eq(class_of(OK, NULL), MUSTER__RETRY_SUCCESS);
    cr_expect_eq(class_of(UNAVAILABLE, NULL), MUSTER__RETRY_FAILURE);
    cr_expect_eq(class_of(UNAVAILABLE, "5"), MUSTER__RETRY_FAILURE);
    cr_expect_eq(class_of(INTERNAL, NULL), MUSTER__RETRY_NEUTRAL);
    cr_expect_eq(class_of(INTERNAL, "5"), MUSTER__RETRY_NEUTRAL);
    cr_expect_eq(class_of(INTERNAL, "-1"), MUSTER__RETRY_FAILURE);
}
