/* SPDX-License-Identifier: Apache-2.0 */
/* The policy for empty lists. */
#include "resolution.h"

#include <criterion/criterion.h>

#include "drill.h"

TestSuite(resolution_empty, .init = drill_open, .fini = drill_close,
          .timeout = 60);

static recorder told;

static void start(const char *target)
{
    muster_error error;

    cr_assert_eq(recorder_subscribe(&told, target, NULL, &error), MUSTER_OK,
                 "%s", error.message);
    AWAIT(drill.n_starts == 1);
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    AWAIT(told.n_changed == 1);
}

Test(resolution_empty, accepts_by_default)
{
    start("drill:///a");
    cr_assert_eq(drill_report(""), MUSTER_OK);
    AWAIT(told.n_changed == 2);
    cr_expect_eq(told.size, 0);
    recorder_end(&told);
}

Test(resolution_empty, keeps_when_told_to)
{
    start("drill:///a?empty=keep");
    cr_assert_eq(drill_report_flags("", MUSTER_UPDATE_EMPTY_IS_FINAL, NULL),
                 MUSTER_OK);
    AWAIT(told.n_failed == 1);
    cr_expect_eq(told.size, 2);
    cr_expect_not(told.is_held);
    cr_assert_eq(drill_report("2,1"), MUSTER_OK);
    AWAIT(told.n_confirmed == 1);
    cr_expect_eq(told.n_changed, 1);
    recorder_end(&told);
}

Test(resolution_empty, holds_for_a_while)
{
    start("drill:///a?empty=hold:1s"); /* a busy machine sees it, too */
    cr_assert_eq(drill_report(""), MUSTER_OK);
    AWAIT(told.n_failed == 1);
    cr_expect_eq(told.size, 2);
    cr_expect(told.is_held);
    AWAIT(told.n_changed == 2);
    cr_expect_eq(told.size, 0);
    cr_expect_not(told.is_held);
    recorder_end(&told);
}

Test(resolution_empty, ends_a_hold_when_emptiness_is_final)
{
    start("drill:///a?empty=hold:1h");
    cr_assert_eq(drill_report(""), MUSTER_OK);
    cr_assert_eq(drill_report_flags("", MUSTER_UPDATE_EMPTY_IS_FINAL, NULL),
                 MUSTER_OK);
    AWAIT(told.n_changed == 2);
    cr_expect_eq(told.size, 0);
    recorder_end(&told);
}

Test(resolution_empty, ends_a_hold_with_the_next_list)
{
    start("drill:///a?empty=hold:1h");
    cr_assert_eq(drill_report(""), MUSTER_OK);
    cr_assert_eq(drill_report("3"), MUSTER_OK);
    AWAIT(told.n_changed == 2);
    cr_expect_eq(told.size, 1);
    cr_expect_not(told.is_held);
    recorder_end(&told);
}

Test(resolution_empty, holds_against_a_delta_that_removes_the_last)
{
    start("drill:///a?empty=hold:1h");
    cr_assert_eq(drill_delta(NULL, "1,2,3"), MUSTER_OK);
    AWAIT(told.n_failed == 1);
    cr_expect_eq(told.size, 2);
    cr_expect(told.is_held);
    recorder_end(&told);
}

Test(resolution_empty, replaces_what_is_held_by_what_a_delta_adds)
{
    start("drill:///a?empty=hold:1h");
    cr_assert_eq(drill_delta(NULL, "1,2"), MUSTER_OK);
    cr_assert_eq(drill_delta("3", NULL), MUSTER_OK);
    AWAIT(told.n_changed == 2);
    cr_expect_eq(told.size, 1);
    cr_expect_not(told.is_held);
    recorder_end(&told);
}

Test(resolution_empty, lets_a_delta_exchange_all)
{
    start("drill:///a?empty=keep");
    cr_assert_eq(drill_delta("3", "1,2"), MUSTER_OK);
    AWAIT(told.n_changed == 2);
    cr_expect_eq(told.size, 1);
    cr_expect_eq(told.n_failed, 0);
    recorder_end(&told);
}

Test(resolution_empty, delivers_a_first_list_that_is_empty)
{
    cr_assert_eq(recorder_subscribe(&told, "drill:///a?empty=keep", NULL, NULL),
                 MUSTER_OK);
    AWAIT(drill.n_starts == 1);
    cr_assert_eq(drill_report(""), MUSTER_OK);
    AWAIT(told.n_changed == 1);
    recorder_end(&told);
}
