/* SPDX-License-Identifier: Apache-2.0 */
/* Who shares a resolution, and what subscribers are told. */
#include "resolution.h"

#include <criterion/criterion.h>

#include "drill.h"

TestSuite(resolution, .init = drill_open, .fini = drill_close, .timeout = 60);

static recorder first;
static recorder second;

static void subscribe(recorder *self, const char *target)
{
    muster_error error;

    cr_assert_eq(recorder_subscribe(self, target, NULL, &error), MUSTER_OK,
                 "%s", error.message);
}

/* A subscriber of a started drill. */
static void start_drill(const char *target)
{
    subscribe(&first, target);
    AWAIT(drill.n_starts == 1);
    drill_settle();
}

Test(resolution, tells_the_first_list)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_report("1,2,3"), MUSTER_OK);
    AWAIT(first.n_changed == 1);
    cr_expect_eq(first.n_changes, 3);
    cr_expect_eq(first.size, 3);
    cr_expect_eq(first.generation, 1);
    recorder_end(&first);
    cr_expect_eq(first.ended_status, MUSTER_OK);
    cr_expect_eq(drill.n_frees, 1);
}

Test(resolution, tells_a_first_list_that_is_empty)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_report(""), MUSTER_OK);
    AWAIT(first.n_changed == 1);
    cr_expect_eq(first.n_changes, 0);
    recorder_end(&first);
}

static void report_one(const muster_resolver_env *env)
{
    muster_endpoint endpoint = {.address = "10.0.0.1:1"};

    cr_assert_eq(muster_report(env, &endpoint, 1), MUSTER_OK);
}

Test(resolution, takes_a_report_from_inside_create)
{
    drill.in_create = report_one;
    start_drill("drill:///a");
    AWAIT(first.n_changed == 1);
    cr_expect_eq(first.n_changes, 1);
    recorder_end(&first);
}

Test(resolution, takes_a_report_from_inside_start)
{
    drill.in_start = report_one;
    start_drill("drill:///a");
    AWAIT(first.n_changed == 1);
    recorder_end(&first);
}

Test(resolution, shares_one_instance_between_equal_targets)
{
    start_drill("drill:///a");
    subscribe(&second, "drill:///a");
    cr_expect_eq(first.subscriber.resolution, second.subscriber.resolution);
    cr_expect_eq(drill.n_creates, 1);
    recorder_end(&first);
    cr_expect_eq(drill.n_stops, 0);
    recorder_end(&second);
    cr_expect_eq(drill.n_stops, 1);
}

Test(resolution, does_not_share_between_different_options)
{
    muster__resolver_options options = {.initial_backoff_ms = 7};

    start_drill("drill:///a");
    cr_assert_eq(recorder_subscribe(&second, "drill:///a", &options, NULL),
                 MUSTER_OK);
    cr_expect_neq(first.subscriber.resolution, second.subscriber.resolution);
    recorder_end(&first);
    recorder_end(&second);
}

Test(resolution, tells_a_later_subscriber_the_whole_list)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    AWAIT(first.n_changed == 1);
    subscribe(&second, "drill:///a");
    AWAIT(second.n_changed == 1);
    cr_expect_eq(second.n_changes, 2);
    cr_expect_eq(first.n_changed, 1);
    recorder_end(&first);
    recorder_end(&second);
}

Test(resolution, tells_a_later_subscriber_the_failure_when_there_is_no_list)
{
    start_drill("drill:///a");
    drill_fail(MUSTER_UNAVAILABLE, "the source is down");
    AWAIT(first.n_failed == 1);
    subscribe(&second, "drill:///a");
    AWAIT(second.n_failed == 1);
    cr_expect_str_eq(second.message, "the source is down");
    cr_expect_eq(second.n_changed, 0);
    recorder_end(&first);
    recorder_end(&second);
}

Test(resolution, tells_a_later_subscriber_that_the_list_is_stale)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    drill_fail(MUSTER_UNAVAILABLE, "the source is down");
    AWAIT(first.n_failed == 1);
    subscribe(&second, "drill:///a");
    AWAIT(second.n_failed == 1);
    cr_expect_eq(second.n_changed, 1);
    recorder_end(&first);
    recorder_end(&second);
}

Test(resolution, keeps_the_list_when_the_source_fails)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    drill_fail(MUSTER_UNAVAILABLE, "the source is down");
    AWAIT(first.n_failed == 1);
    cr_expect_eq(first.size, 2);
    cr_expect_eq(first.status, MUSTER_UNAVAILABLE);
    recorder_end(&first);
}

Test(resolution, calls_nobody_for_an_equal_list)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    cr_assert_eq(drill_report("2,1,2"), MUSTER_OK);
    cr_assert_eq(drill_report("1,2,3"), MUSTER_OK);
    AWAIT(first.size == 3);
    cr_expect_eq(first.n_changed, 2);
    cr_expect_eq(first.n_confirmed, 0);
    cr_expect_eq(first.stats.updates_unchanged, 1);
    recorder_end(&first);
}

Test(resolution, confirms_an_equal_list_after_a_failure)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    drill_fail(MUSTER_UNAVAILABLE, "down");
    cr_assert_eq(drill_report("2,1"), MUSTER_OK);
    AWAIT(first.n_confirmed == 1);
    cr_expect_eq(first.n_changed, 1);
    recorder_end(&first);
}

Test(resolution, applies_deltas)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_delta("1,2,3", NULL), MUSTER_OK);
    AWAIT(first.n_changed == 1);
    cr_expect_eq(first.size, 3);
    cr_assert_eq(drill_delta("4", "1,2"), MUSTER_OK);
    AWAIT(first.n_changed == 2);
    cr_expect_eq(first.size, 2);
    cr_expect_eq(first.n_changes, 3);
    recorder_end(&first);
}

static bool was_told_inside_report;

static void report_and_look(void *arg)
{
    (void)arg;
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    was_told_inside_report = first.n_changed == 1;
}

Test(resolution, applies_at_once_on_the_control_thread)
{
    start_drill("drill:///a");
    drill_settle();
    drill_call(report_and_look, NULL);
    cr_expect(was_told_inside_report);
    recorder_end(&first);
}

static void report_more(recorder *self)
{
    self->in_changed = NULL;
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    cr_expect_eq(self->n_changed, 1, "told inside another delivery");
    cr_assert_eq(drill_delta("3", NULL), MUSTER_OK);
}

Test(resolution, keeps_the_order_of_reports_made_while_it_delivers)
{
    first.in_changed = report_more;
    start_drill("drill:///a");
    drill_report_on_control("1");
    AWAIT(first.n_changed == 3);
    cr_expect_eq(first.size, 3);
    recorder_end(&first);
}

Test(resolution, tells_the_plugin_what_was_applied)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    cr_assert_eq(drill_delta("2", NULL), MUSTER_OK);
    AWAIT(drill.n_applied == 2);
    cr_expect_eq(drill.applied_sequence, 2);
    cr_expect_eq(drill.applied_status, MUSTER_OK);
    recorder_end(&first);
}

static unsigned n_applied_at_refresh;

static void note_applied(const muster_resolver_env *env)
{
    (void)env;
    drill_lock();
    n_applied_at_refresh = drill.n_applied;
    drill_unlock();
}

static void report_and_ask(void *arg)
{
    (void)arg;
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    muster__resolution_refresh(first.subscriber.resolution);
}

Test(resolution, tells_the_plugin_what_was_applied_before_it_asks_again)
{
    drill.in_refresh = note_applied;
    start_drill("drill:///a");
    drill_call(report_and_ask, NULL);
    AWAIT(drill.n_refreshes == 1);
    cr_expect_eq(n_applied_at_refresh, 1);
    recorder_end(&first);
}

static void leave_both(recorder *self)
{
    (void)self;
    muster__resolution_unsubscribe(&first.subscriber);
    muster__resolution_unsubscribe(&second.subscriber);
}

Test(resolution, lets_a_subscriber_remove_all_while_it_is_told)
{
    start_drill("drill:///a");
    subscribe(&second, "drill:///a");
    drill_settle();
    first.in_changed = leave_both;
    second.in_changed = leave_both;
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    AWAIT(first.n_ended == 1 && second.n_ended == 1);
    cr_expect_eq(first.n_changed + second.n_changed, 1);
    AWAIT(drill.n_frees == 1);
    drill_settle();
}

Test(resolution, starts_anew_while_the_former_one_stops)
{
    drill.stop = STOPS_ON_ANOTHER_THREAD;
    start_drill("drill:///a");
    recorder_end(&first);
    first = (recorder){.n_ended = 0};
    subscribe(&first, "drill:///a");
    AWAIT(drill.n_starts == 2);
    recorder_end(&first);
}

Test(resolution, ends_before_it_was_started)
{
    subscribe(&first, "drill:///a");
    recorder_end(&first);
    cr_expect_eq(drill.n_creates, 1);
    cr_expect_eq(drill.n_frees, 1);
}

Test(resolution, says_why_an_instance_could_not_be_made)
{
    muster_error error;

    drill.n_creates_to_fail = 1;
    cr_assert_eq(recorder_subscribe(&first, "drill:///a", NULL, &error),
                 MUSTER_INVAL);
    cr_expect_str_eq(error.message, "the drill was told to fail");
}

Test(resolution, tells_of_a_new_service_config)
{
    start_drill("drill:///a");
    cr_assert_eq(drill_report_flags("1", 0, "{}"), MUSTER_OK);
    AWAIT(first.n_changed == 1);
    cr_assert_eq(drill_report_flags("1", 0, "{\"a\":1}"), MUSTER_OK);
    AWAIT(first.n_changed == 2);
    cr_expect_eq(first.n_changes, 0);
    cr_assert_eq(drill_report_flags("1", 0, "{\"a\":1}"), MUSTER_OK);
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    AWAIT(first.size == 2);
    cr_expect_eq(first.n_changed, 3);
    recorder_end(&first);
}
