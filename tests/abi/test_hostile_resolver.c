/* SPDX-License-Identifier: Apache-2.0 */
/* The core survives resolvers that do what they must not. */
#include "world.h"

#include <criterion/criterion.h>

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

/* A watch whose resolver hangs ends in bounded time; when the plugin goes on,
 * the core does too. */
static void expect_hang_survived(const char *target)
{
    world_watch *watch = NULL;

    if (world_watch_create(target, &watch) == MUSTER_OK) {
        world_watch_refresh(watch);
        world_watch_destroy(watch);
    }
    world_release_hangs();
    world_expect_works();
}

Test(hostile_resolver, hanging_in_create_is_survived)
{
    expect_hang_survived("hostile:///hang_create");
}

Test(hostile_resolver, hanging_in_start_is_survived)
{
    expect_hang_survived("hostile:///hang_start");
}

Test(hostile_resolver, hanging_in_refresh_is_survived)
{
    expect_hang_survived("hostile:///hang_refresh");
}

Test(hostile_resolver, hanging_in_applied_is_survived)
{
    expect_hang_survived("hostile:///hang_applied");
}

Test(hostile_resolver, hanging_in_stop_is_survived)
{
    expect_hang_survived("hostile:///hang_stop");
}

Test(hostile_resolver, never_answering_stopped_is_survived)
{
    expect_hang_survived("hostile:///never_stopped");
}
