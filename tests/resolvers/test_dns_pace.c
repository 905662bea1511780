/* SPDX-License-Identifier: Apache-2.0 */
/* When a question is asked again. */
#include <criterion/criterion.h>

#include <pace.h>

#define NOW_MS UINT64_C(1000000)

static muster__dns_options options;
static muster__dns_pace pace;
static muster__dns_answer answer;
static muster__dns_known known;

static void set_up(void)
{
    options = (muster__dns_options){
        .ttl_min_ms = 1000, .ttl_max_ms = 300000, .jitter_percent = 0};
    pace = (muster__dns_pace){.options = &options};
    answer = (muster__dns_answer){.outcome = MUSTER__DNS_ANSWER, .ttl_s = 60};
    known = (muster__dns_known){.answer = &answer,
                                .answered_ms = NOW_MS,
                                .tried_ms = NOW_MS,
                                .tried_event = 10};
}

TestSuite(dns_pace, .init = set_up);

/* How long after the last time it is asked again. */
static uint64_t wait_ms(void)
{
    uint64_t due_ms = muster__dns_pace_due_ms(&pace, &known);

    cr_assert_geq(due_ms, NOW_MS);
    return due_ms - NOW_MS;
}

static void deny(uint64_t ttl_s)
{
    answer.outcome = MUSTER__DNS_NO_SUCH_NAME;
    answer.ttl_s = ttl_s;
}

/* It has gone wrong n times in a row, for lasting_ms. */
static void fail(muster__dns_trouble trouble, uint32_t n, uint64_t lasting_ms)
{
    known.trouble = trouble;
    known.n_troubles = n;
    known.trouble_since_ms = NOW_MS - lasting_ms;
}

Test(dns_pace, asks_at_once_what_was_never_asked)
{
    known = (muster__dns_known){.answer = NULL};
    cr_expect_eq(muster__dns_pace_due_ms(&pace, &known), 0);
}

Test(dns_pace, asks_at_once_what_other_servers_said)
{
    known.is_inherited = true;
    cr_expect_eq(muster__dns_pace_due_ms(&pace, &known), 0);
}

Test(dns_pace, goes_by_the_time_to_live)
{
    cr_expect_eq(wait_ms(), 60000);
    answer.ttl_s = 0;
    cr_expect_eq(wait_ms(), 1000);
    answer.ttl_s = INT32_MAX;
    cr_expect_eq(wait_ms(), 300000);
}

Test(dns_pace, goes_by_a_fixed_interval_instead)
{
    options.refresh_ms = 200;
    cr_expect_eq(wait_ms(), 200, "below the floor, as it was asked for");
    options.refresh_ms = 3600000;
    cr_expect_eq(wait_ms(), 3600000);
    deny(1);
    cr_expect_eq(wait_ms(), 3600000);
}

Test(dns_pace, takes_jitter_off_only)
{
    uint64_t least_ms = UINT64_MAX;
    uint64_t most_ms = 0;

    options.jitter_percent = 10;
    for (uint64_t random = 0; random < 1000; random++) {
        uint64_t ms;

        muster__dns_pace_draw(&pace, random);
        ms = wait_ms();
        least_ms = ms < least_ms ? ms : least_ms;
        most_ms = ms > most_ms ? ms : most_ms;
    }
    cr_expect_eq(least_ms, 54000);
    cr_expect_eq(most_ms, 60000);
}

Test(dns_pace, believes_a_denial_for_30_s_at_most)
{
    deny(10);
    cr_expect_eq(wait_ms(), 10000);
    deny(86400);
    cr_expect_eq(wait_ms(), 30000);
    deny(0);
    cr_expect_eq(wait_ms(), 1000);
    deny(UINT64_MAX);
    cr_expect_eq(wait_ms(), 5000, "it does not say how long");
}

Test(dns_pace, tries_again_every_3_s_at_last)
{
    static const uint64_t expected[] = {1000, 2000, 3000, 3000};

    for (uint32_t n = 1; n <= 4; n++) {
        fail(MUSTER__DNS_TIMEOUT, n, 2000 * n);
        cr_expect_eq(wait_ms(), expected[n - 1], "%u", n);
    }
    fail(MUSTER__DNS_SERVFAIL, UINT32_MAX, NOW_MS);
    cr_expect_eq(wait_ms(), 3000);
}

Test(dns_pace, tries_a_server_that_restarts_every_250_ms_for_5_s)
{
    fail(MUSTER__DNS_UNREACHABLE, 1, 0);
    cr_expect_eq(wait_ms(), 250);
    fail(MUSTER__DNS_UNREACHABLE, 19, 4999);
    cr_expect_eq(wait_ms(), 250);
    fail(MUSTER__DNS_UNREACHABLE, 20, 5000);
    cr_expect_eq(wait_ms(), 3000);
}

Test(dns_pace, goes_by_a_hint_down_to_the_floor)
{
    pace.hinted_event = 11;
    cr_expect_eq(wait_ms(), 1000);
    answer.ttl_s = 0;
    cr_expect_eq(wait_ms(), 1000);
    fail(MUSTER__DNS_SERVFAIL, 5, 0);
    cr_expect_eq(wait_ms(), 250);
}

Test(dns_pace, has_done_with_a_hint_that_is_older)
{
    pace.hinted_event = 9;
    cr_expect_eq(wait_ms(), 60000);
}
