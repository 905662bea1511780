/* SPDX-License-Identifier: Apache-2.0 */
/* The core survives balancers that do what they must not. */
#include "world.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "loop.h"
#include "plugin_files.h"

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

/* Waits until policy is seen to hang in slot. Then nobody waits for it any
 * longer, whatever the channel is; when it goes on, the core does too. Channels
 * are destroyed. */
static void expect_survived(const char *policy, const char *slot,
                            muster_channel *bystander, muster_channel *channel)
{
    uint64_t began_ns;

    world_await_stuck(policy, slot);
    began_ns = muster__now_ns();
    cr_expect_eq(muster_channel_close(bystander), MUSTER_TIMEOUT);
    if (channel != NULL) {
        (void)muster_channel_close(channel);
    }
    world_expect_ended_in_time(began_ns);
    world_release_hangs();
    muster_channel_destroy(channel);
    muster_channel_destroy(bystander);
    world_expect_works();
}

/* The same of a policy that hangs when lead() was called. A channel that cannot
 * be made for that ends in time, too. */
static void expect_hang_survived(const char *policy, const char *slot,
                                 void (*lead)(muster_channel *channel))
{
    const uint64_t began_ns = muster__now_ns();
    muster_channel *bystander = NULL;
    muster_channel *channel = NULL;
    muster_status status;

    cr_assert_eq(channel_create("round_robin", &bystander), MUSTER_OK);
    status = channel_create(policy, &channel);
    if (status == MUSTER_OK) {
        lead(channel);
    } else {
        cr_expect_eq(status, MUSTER_TIMEOUT);
    }
    world_expect_ended_in_time(began_ns);
    expect_survived(policy, slot, bystander, channel);
}

static void do_nothing(muster_channel *channel)
{
    (void)channel;
}

Test(hostile_balancer, hanging_in_create_is_survived)
{
    expect_hang_survived("hostile_hang_create", "create", do_nothing);
}

Test(hostile_balancer, hanging_in_update_is_survived)
{
    expect_hang_survived("hostile_hang_update", "update", do_nothing);
}

Test(hostile_balancer, hanging_in_want_is_survived)
{
    expect_hang_survived("hostile_hang_want", "want", do_nothing);
}

/* A thread that picks hangs in the policy itself. A pick that waits does not
 * take one with it. */
static void on_picked(void *arg, muster_status status, muster_lease *lease,
                      const muster_error *err)
{
    (void)arg;
    (void)err;
    if (status == MUSTER_OK) {
        muster_lease own = *lease;

        muster_lease_finish(&own, NULL);
    }
}

static uint64_t cancelled_pick;
static muster_channel *cancelling_channel; /* NULL: nothing is cancelled */

static void pick_later(muster_channel *channel)
{
    const muster_call_info call = {.struct_size = (uint32_t)sizeof call,
                                   .flags = MUSTER_CALL_WAIT_FOR_READY};

    cr_assert_eq(muster_channel_pick_async(channel, &call, on_picked, NULL,
                                           &cancelled_pick),
                 MUSTER_OK);
}

Test(hostile_balancer, hanging_in_pick_is_survived)
{
    expect_hang_survived("hostile_hang_pick", "pick", pick_later);
}

/* Called by the policy's pick, so that what it picks is given back. */
__attribute__((visibility("default"))) void test_called_by_pick(void);

void test_called_by_pick(void)
{
    if (cancelling_channel != NULL) {
        (void)muster_channel_pick_cancel(cancelling_channel, cancelled_pick);
    }
}

static void pick_and_cancel(muster_channel *channel)
{
    cancelling_channel = channel;
    pick_later(channel);
}

Test(hostile_balancer, hanging_in_done_is_survived)
{
    expect_hang_survived("hostile_hang_done", "done", pick_and_cancel);
}

Test(hostile_balancer, hanging_in_done_of_a_callbacks_lease_is_survived)
{
    expect_hang_survived("hostile_hang_done", "done", pick_later);
}

/* Closing may be over before the table goes. */
static void close_channel(muster_channel *channel)
{
    cr_expect_eq(pick_within(channel, LONG_MS), MUSTER_OK);
    (void)muster_channel_close(channel);
}

Test(hostile_balancer, hanging_in_table_destroy_is_survived)
{
    expect_hang_survived("hostile_hang_table_destroy", "table_destroy",
                         close_channel);
}

Test(hostile_balancer, hanging_in_destroy_is_survived)
{
    expect_hang_survived("hostile_hang_destroy", "destroy", close_channel);
}

/* ---- hanging while it is loaded, on the control thread ---- */

Test(hostile_balancer, hanging_in_a_constructor_is_survived)
{
    expect_hang_survived("hang_constructor", "loading", do_nothing);
}

static muster_status status_in_constructor;

/* Called by muster_reentrant.so's constructor: it waits for the control thread,
 * which waits for it. */
__attribute__((visibility("default"))) void test_called_by_constructor(void);

void test_called_by_constructor(void)
{
    muster_channel *channel = NULL;

    status_in_constructor = channel_create("hostile_range", &channel);
    muster_channel_destroy(channel);
}

Test(hostile_balancer, a_constructor_that_waits_for_another_load_is_survived)
{
    const uint64_t began_ns = muster__now_ns();

    cr_assert_eq(muster_plugin_load(built_plugin("muster_good.so"), NULL),
                 MUSTER_OK);
    cr_expect_eq(muster_plugin_load(built_plugin("muster_reentrant.so"), NULL),
                 MUSTER_OK);
    cr_expect_eq(status_in_constructor, MUSTER_TIMEOUT);
    world_expect_ended_in_time(began_ns);
    world_await_line("plugin hostile_range: loading took");
    world_expect_works();
}

/* ---- hanging when the plugin is started or ended ---- */

Test(hostile_balancer, hanging_in_init_is_survived)
{
    expect_hang_survived("hang_init", "init", do_nothing);
}

static void *shut_down(void *arg)
{
    muster_status *status = arg;

    do { /* the channel may not be quite gone */
        *status = muster_shutdown();
        (void)sched_yield();
    } while (*status == MUSTER_BUSY);
    return NULL;
}

/* Ending muster waits for it; but the plugin is named. */
Test(hostile_balancer, hanging_in_fini_is_reported)
{
    muster_status status = MUSTER_BUSY;
    muster_channel *channel = NULL;
    pthread_t thread;

    cr_assert_eq(channel_create("hang_fini", &channel), MUSTER_OK);
    muster_channel_destroy(channel);
    cr_assert_eq(pthread_create(&thread, NULL, shut_down, &status), 0);
    world_await_stuck("hang_fini", "fini");
    world_release_hangs();
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_expect_eq(status, MUSTER_OK);
    world_expect_works();
}
