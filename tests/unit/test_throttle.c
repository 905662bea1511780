/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket of retryThrottling. */
#include <criterion/criterion.h>

#include "throttle.h"

static muster__throttle *bucket_of(uint32_t max_tokens, uint32_t milli_ratio)
{
    muster__throttle *throttle = muster__throttle_ref("test:///of");

    cr_assert_not_null(throttle);
    muster__throttle_set(throttle, max_tokens * 1000, milli_ratio);
    return throttle;
}

/* How many failures it takes until nothing may be retried. */
static uint32_t drain(muster__throttle *throttle)
{
    uint32_t n = 0;

    while (muster__throttle_allows(throttle)) {
        muster__throttle_count_failure(throttle);
        n++;
    }
    return n;
}

Test(throttle, lets_all_be_retried_while_it_has_no_size)
{
    muster__throttle *throttle = muster__throttle_ref("test:///none");

    for (int i = 0; i < 10; i++) {
        muster__throttle_count_failure(throttle);
        cr_expect(muster__throttle_allows(throttle));
    }
    muster__throttle_unref(throttle);
}

Test(throttle, begins_full_and_stops_at_half)
{
    muster__throttle *throttle = bucket_of(10, 100);

    cr_expect_eq(drain(throttle), 5);
    muster__throttle_unref(throttle);
    throttle = bucket_of(1, 100);
    cr_expect_eq(drain(throttle), 1);
    muster__throttle_unref(throttle);
    throttle = bucket_of(5, 100);
    cr_expect_eq(drain(throttle), 3);
    muster__throttle_unref(throttle);
}

Test(throttle, needs_more_than_half)
{
    muster__throttle *throttle = bucket_of(10, 1);

    (void)drain(throttle);
    muster__throttle_count_success(throttle);
    cr_expect(muster__throttle_allows(throttle));
    muster__throttle_unref(throttle);
}

Test(throttle, fills_by_the_ratio)
{
    muster__throttle *throttle = bucket_of(10, 100);

    (void)drain(throttle);
    muster__throttle_count_failure(throttle);
    for (int i = 0; i < 10; i++) {
        cr_expect_not(muster__throttle_allows(throttle));
        muster__throttle_count_success(throttle);
    }
    muster__throttle_count_success(throttle);
    cr_expect(muster__throttle_allows(throttle));
    muster__throttle_unref(throttle);
}

Test(throttle, is_never_more_than_full)
{
    muster__throttle *throttle = bucket_of(10, 4294967);

    muster__throttle_count_failure(throttle);
    for (int i = 0; i < 100; i++) {
        muster__throttle_count_success(throttle);
    }
    cr_expect_eq(drain(throttle), 5);
    muster__throttle_unref(throttle);
}

Test(throttle, is_never_less_than_empty)
{
    muster__throttle *throttle = bucket_of(10, 1000);

    for (int i = 0; i < 100; i++) {
        muster__throttle_count_failure(throttle);
    }
    for (int i = 0; i < 5; i++) {
        muster__throttle_count_success(throttle);
        cr_expect_not(muster__throttle_allows(throttle));
    }
    muster__throttle_count_success(throttle);
    cr_expect(muster__throttle_allows(throttle));
    muster__throttle_unref(throttle);
}

Test(throttle, stays_as_full_as_it_was_when_its_size_changes)
{
    muster__throttle *throttle = bucket_of(10, 1000);

    for (int i = 0; i < 4; i++) {
        muster__throttle_count_failure(throttle);
    }
    muster__throttle_set(throttle, 100000, 1000); /* 60 of 100 */
    cr_expect_eq(drain(throttle), 10);
    muster__throttle_set(throttle, 100000, 500); /* as large as before */
    cr_expect_not(muster__throttle_allows(throttle));
    muster__throttle_unref(throttle);
}

Test(throttle, is_one_for_each_server_name)
{
    muster__throttle *first = muster__throttle_ref("test:///a");
    muster__throttle *same = muster__throttle_ref("test:///a");
    muster__throttle *other = muster__throttle_ref("test:///b");

    cr_expect_eq(first, same);
    cr_expect_neq(first, other);
    muster__throttle_unref(first);
    muster__throttle_set(same, 10000, 100);
    cr_expect_eq(drain(same), 5);
    cr_expect(muster__throttle_allows(other));
    muster__throttle_unref(same);
    muster__throttle_unref(other);
    muster__throttle_unref(NULL);
}

Test(throttle, is_forgotten_with_its_last_user)
{
    muster__throttle *throttle = bucket_of(10, 100);

    (void)drain(throttle);
    muster__throttle_unref(throttle);
    throttle = bucket_of(10, 100);
    cr_expect(muster__throttle_allows(throttle));
    muster__throttle_unref(throttle);
}
