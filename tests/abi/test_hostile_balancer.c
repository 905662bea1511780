/* SPDX-License-Identifier: Apache-2.0 */
/* The core survives balancers that do what they must not. */
#include "world.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

TestSuite(hostile_balancer, .init = world_open, .fini = world_close,
          .timeout = 60);

static muster_status channel_create(const char *policy,
                                    muster_channel **ret_channel)
{
    const muster_channel_options options = {
        .struct_size = (uint32_t)sizeof options, .policy = policy};
    muster_error err = {.code = MUSTER_OK, .message = ""};
    muster_status status =
        muster_channel_create("good:///x", &options, ret_channel, &err);

    cr_expect_lt(strnlen(err.message, sizeof err.message), sizeof err.message);
    return status;
}

/* Enough to see that nothing comes; for what comes; for the core to begin. */
enum { BRIEFLY_MS = 200, LONG_MS = 20000, BEGUN_MS = 1000 };

static muster_status pick_within(muster_channel *channel, uint64_t ms)
{
    struct timespec now;
    muster_call_info call = {.struct_size = (uint32_t)sizeof call,
                             .flags = MUSTER_CALL_WAIT_FOR_READY};
    muster_lease lease;
    muster_status status;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    call.deadline_ns = (uint64_t)now.tv_sec * 1000000000u +
                       (uint64_t)now.tv_nsec + ms * 1000000u;
    status = muster_channel_pick_wait(channel, &call, &lease, NULL);
    if (status == MUSTER_OK) {
        muster_lease_finish(&lease, NULL);
    }
    return status;
}

static muster_status pick(muster_channel *channel)
{
    return pick_within(channel, BRIEFLY_MS);
}

/* A pick through policy ends, with another status than MUSTER_OK, and nothing
 * breaks. */
static muster_status status_of_pick(const char *policy, uint64_t within_ms)
{
    muster_channel *channel = NULL;
    muster_status status;

    cr_assert_eq(channel_create(policy, &channel), MUSTER_OK);
    status = pick_within(channel, within_ms);
    cr_expect_neq(status, MUSTER_OK);
    muster_channel_destroy(channel);
    world_expect_works();
    return status;
}

Test(hostile_balancer, an_index_out_of_range_is_survived)
{
    muster_channel *channel = NULL;

    cr_assert_eq(channel_create("hostile_range", &channel), MUSTER_OK);
    (void)pick(channel);
    muster_channel_destroy(channel);
    world_expect_works();
}

Test(hostile_balancer, queueing_for_ever_ends_at_the_deadline)
{
    cr_expect_eq(status_of_pick("hostile_queue", BRIEFLY_MS), MUSTER_TIMEOUT);
}

Test(hostile_balancer, an_unknown_verdict_places_no_call)
{
    (void)status_of_pick("hostile_verdict", BRIEFLY_MS);
}

Test(hostile_balancer, connecting_an_unknown_endpoint_places_no_call)
{
    (void)status_of_pick("hostile_connect", BRIEFLY_MS);
}

Test(hostile_balancer, failing_without_words_fails_the_call)
{
    cr_expect_eq(status_of_pick("hostile_words", LONG_MS), MUSTER_UNAVAILABLE);
}

Test(hostile_balancer, wanting_nothing_places_no_call)
{
    (void)status_of_pick("hostile_want", BRIEFLY_MS);
}

Test(hostile_balancer, failing_to_build_places_no_call)
{
    (void)status_of_pick("hostile_fail_build", BRIEFLY_MS);
}

Test(hostile_balancer, failing_to_create_is_survived)
{
    muster_channel *channel = NULL;

    if (channel_create("hostile_fail_create", &channel) == MUSTER_OK) {
        cr_expect_neq(pick(channel), MUSTER_OK);
        muster_channel_destroy(channel);
    }
    world_expect_works();
}

/* ---- hanging. The core's patience is 0.5 s here. ---- */

Test(hostile_balancer, hanging_in_build_is_survived)
{
    muster_channel *channel = NULL;

    cr_assert_eq(channel_create("hostile_hang_build", &channel), MUSTER_OK);
    cr_expect_eq(pick_within(channel, BEGUN_MS), MUSTER_TIMEOUT);
    cr_expect_eq(muster_channel_close(channel), MUSTER_TIMEOUT);
    world_await_line("does not come back from build");
    world_release_hangs();
    muster_channel_destroy(channel);
    world_expect_works();
}

Test(hostile_balancer, hanging_in_update_is_survived)
{
    muster_channel *channel = NULL;
    muster_status status = channel_create("hostile_hang_update", &channel);

    world_await_line("has been holding the control thread");
    if (status == MUSTER_OK) { /* it hangs from the first list on */
        cr_expect_eq(muster_channel_close(channel), MUSTER_TIMEOUT);
    } else {
        cr_expect_eq(status, MUSTER_TIMEOUT);
    }
    world_release_hangs();
    muster_channel_destroy(channel);
    world_expect_works();
}
