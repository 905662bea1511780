/* SPDX-License-Identifier: Apache-2.0 */
/* The core survives resolvers that do what they must not. */
#include "world.h"

#include <criterion/criterion.h>

#include "loop.h"

TestSuite(hostile_resolver, .init = world_open, .fini = world_close,
          .timeout = 60);

/* Watches target until the resolver did what its path says. */
static world_watch *watch_until_done(const char *target)
{
    world_watch *watch = NULL;

    cr_assert_eq(world_watch_create(target, &watch), MUSTER_OK);
    world_await_line("did answered 0");
    return watch;
}

/* Each report was refused: answers is how many there were. */
static void expect_reports_refused(const char *target, size_t n_reports)
{
    world_watch *watch = watch_until_done(target);

    cr_expect_eq(world_count_lines("report answered"), n_reports);
    cr_expect_eq(world_count_lines("report answered 0"), 0);
    cr_expect_eq(world_count_lists(watch), 0);
    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, reporting_twice_is_one_list)
{
    world_watch *watch = watch_until_done("hostile:///twice");

    world_await_list(watch, 1);
    world_expect_works();
    cr_expect_eq(world_count_lists(watch), 1);
    world_watch_destroy(watch);
}

Test(hostile_resolver, reporting_late_is_a_list)
{
    world_watch *watch = watch_until_done("hostile:///late");

    world_await_list(watch, 1);
    world_watch_destroy(watch);
}

Test(hostile_resolver, reporting_after_the_watch_ended_is_ignored)
{
    world_watch *watch = watch_until_done("hostile:///late");

    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, may_call_everything_after_stopped)
{
    world_watch *watch = watch_until_done("hostile:///after_stop");

    world_await_list(watch, 1);
    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, may_call_everything_after_free)
{
    world_watch *watch = watch_until_done("hostile:///use_dead");

    world_watch_destroy(watch);
    cr_assert_eq(world_watch_create("hostile:///use_dead?empty=keep", &watch),
                 MUSTER_OK);
    world_await_list(watch, 1);
    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, may_call_everything_on_a_wrong_thread)
{
    world_watch *watch = NULL;

    cr_assert_eq(world_watch_create("hostile:///thread", &watch), MUSTER_OK);
    world_await_list(watch, 1);
    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, that_calls_nothing_is_refused)
{
    world_watch *watch = watch_until_done("hostile:///call_nothing");

    cr_expect_eq(world_count_lines("call_later answered 2"), 1);
    cr_expect_eq(world_count_lines("post answered 2"), 1);
    cr_expect_eq(world_count_lines("watch answered 2"), 1);
    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, that_says_stopped_unasked_does_not_crash)
{
    world_watch *watch = NULL;

    cr_assert_eq(world_watch_create("hostile:///stop_unasked", &watch),
                 MUSTER_OK);
    world_await_line("report answered");
    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, null_array_is_refused)
{
    expect_reports_refused("hostile:///null_array", 2);
}

Test(hostile_resolver, wrong_sizes_are_refused)
{
    expect_reports_refused("hostile:///wrong_sizes", 3);
}

Test(hostile_resolver, countless_endpoints_are_refused)
{
    expect_reports_refused("hostile:///countless", 2);
}

Test(hostile_resolver, malformed_addresses_are_refused)
{
    expect_reports_refused("hostile:///malformed", 16);
}

Test(hostile_resolver, null_members_are_refused)
{
    expect_reports_refused("hostile:///null_members", 4);
}

Test(hostile_resolver, wrong_deltas_change_nothing)
{
    world_watch *watch = watch_until_done("hostile:///wrong_deltas");

    cr_expect_eq(world_count_lines("delta answered"), 4);
    cr_expect_eq(world_count_lines("delta answered 0"), 0);
    cr_expect_eq(world_count_lists(watch), 0);
    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, failing_without_words_does_not_crash)
{
    world_watch *watch = watch_until_done("hostile:///fail_wrongly");

    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, duplicates_are_one_endpoint)
{
    world_watch *watch = watch_until_done("hostile:///duplicates");

    world_await_list(watch, 1);
    world_watch_destroy(watch);
}

Test(hostile_resolver, a_million_endpoints_are_a_list)
{
    world_watch *watch = watch_until_done("hostile:///million");

    world_await_list(watch, 1000000);
    world_watch_destroy(watch);
    world_expect_works();
}

Test(hostile_resolver, failing_create_does_not_crash)
{
    world_watch *watch = NULL;

    if (world_watch_create("hostile:///fail_create", &watch) == MUSTER_OK) {
        world_watch_destroy(watch);
    }
    world_expect_works();
}

/* ---- hanging. The core's patience is 0.5 s here. ---- */

/* Ends watch, in bounded time. */
static void expect_ends(world_watch *watch)
{
    const uint64_t began_ns = muster__now_ns();

    world_watch_destroy(watch);
    world_expect_ended_in_time(began_ns);
}

/* The resolver is seen to hang in slot, at the end or before; a watch of it
 * ends all the same; and when the plugin goes on, the core does too. */
static void expect_hang_survived(const char *target, const char *slot,
                                 bool is_at_end)
{
    const uint64_t began_ns = muster__now_ns();
    world_watch *watch = NULL;
    muster_status status = world_watch_create(target, &watch);

    world_expect_ended_in_time(began_ns);
    if (status == MUSTER_OK) {
        world_watch_refresh(watch);
        if (!is_at_end) {
            world_await_stuck("hostile", slot);
        }
        expect_ends(watch);
    }
    world_await_stuck("hostile", slot);
    world_release_hangs();
    world_expect_works();
}

Test(hostile_resolver, hanging_in_create_is_survived)
{
    expect_hang_survived("hostile:///hang_create", "create", false);
}

Test(hostile_resolver, hanging_in_start_is_survived)
{
    expect_hang_survived("hostile:///hang_start", "start", false);
}

Test(hostile_resolver, hanging_in_refresh_is_survived)
{
    expect_hang_survived("hostile:///hang_refresh", "refresh", false);
}

Test(hostile_resolver, hanging_in_applied_is_survived)
{
    expect_hang_survived("hostile:///hang_applied", "applied", false);
}

Test(hostile_resolver, hanging_in_stop_is_survived)
{
    expect_hang_survived("hostile:///hang_stop", "stop", true);
}

Test(hostile_resolver, hanging_in_free_is_survived)
{
    expect_hang_survived("hostile:///hang_free", "free", true);
}

Test(hostile_resolver, hanging_in_authority_is_survived)
{
    const uint64_t began_ns = muster__now_ns();
    muster_channel *channel = NULL;

    cr_expect_eq(muster_channel_create("hostile:///hang_authority", NULL,
                                       &channel, NULL),
                 MUSTER_TIMEOUT);
    world_expect_ended_in_time(began_ns);
    world_await_stuck("hostile", "authority()");
    world_release_hangs();
    world_expect_works();
}

/* The control thread goes on meanwhile, so nobody is found to hang. */
Test(hostile_resolver, never_answering_stopped_is_survived)
{
    expect_ends(watch_until_done("hostile:///never_stopped"));
    world_await_line("the resolver would not stop; its instance is left "
                     "behind");
    world_expect_works();
}
