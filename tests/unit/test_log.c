/* SPDX-License-Identifier: Apache-2.0 */
/* Where events go, and how many of them. */
#include "log_internal.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "loop.h"

TestSuite(log, .timeout = 30);

static char last[2048];
static char before_last[2048];
static int n_lines;
static muster_log_level last_level;
static void *last_arg;

static void capture(void *arg, muster_log_level level, const char *message)
{
    (void)snprintf(before_last, sizeof before_last, "%s", last);
    (void)snprintf(last, sizeof last, "%s", message);
    last_level = level;
    last_arg = arg;
    n_lines++;
}

static void log_text(const char *text)
{
    muster__log_place place = {0, 0, 0};

    muster__log_write(&place, MUSTER_LOG_ERROR, "%s", text);
}

Test(log, drops_everything_at_first)
{
    cr_expect_not(muster__log_enabled(MUSTER_LOG_ERROR));
    muster__log(MUSTER_LOG_ERROR, "nobody hears it");
}

Test(log, reaches_the_function_with_its_arg_and_level)
{
    muster_log_set(capture, &n_lines, MUSTER_LOG_DEBUG);
    muster__log(MUSTER_LOG_INFO, "%s has %d", "web", 3);
    cr_expect_str_eq(last, "web has 3");
    cr_expect_eq(last_level, MUSTER_LOG_INFO);
    cr_expect_eq(last_arg, &n_lines);
}

static int n_evaluated;

static int evaluate(void)
{
    return ++n_evaluated;
}

Test(log, drops_what_is_above_the_level_before_it_is_formatted)
{
    muster_log_set(capture, NULL, MUSTER_LOG_WARNING);
    muster__log(MUSTER_LOG_INFO, "%d", evaluate());
    cr_expect_eq(n_evaluated, 0);
    muster__log(MUSTER_LOG_WARNING, "%d", evaluate());
    cr_expect_eq(n_lines, 1);
}

Test(log, null_turns_it_off_again)
{
    muster_log_set(capture, NULL, MUSTER_LOG_DEBUG);
    muster_log_set(NULL, NULL, MUSTER_LOG_DEBUG);
    muster__log(MUSTER_LOG_ERROR, "nobody hears it");
    cr_expect_eq(n_lines, 0);
}

Test(log, control_characters_become_question_marks)
{
    muster_log_set(capture, NULL, MUSTER_LOG_DEBUG);
    log_text("a\nb\r\tc\x1b[31m\x7f");
    cr_expect_str_eq(last, "a?b??c?[31m?");
    log_text("C1 \xc2\x9b stays out, \xc3\xa9 stays in\xc2");
    cr_expect_str_eq(last, "C1 ?? stays out, \xc3\xa9 stays in\xc2");
}

Test(log, a_message_has_at_most_1023_bytes)
{
    char text[1500];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    muster_log_set(capture, NULL, MUSTER_LOG_DEBUG);
    log_text(text);
    cr_expect_eq(strlen(last), 1023);
}

Test(log, a_cut_message_ends_with_a_whole_character)
{
    char text[1500];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + 1021, "\xe2\x82\xac", 3); /* the euro sign, over the edge */
    muster_log_set(capture, NULL, MUSTER_LOG_DEBUG);
    log_text(text);
    cr_expect_eq(strlen(last), 1021);
    memcpy(text + 1020, "\xe2\x82\xac", 3); /* just inside */
    log_text(text);
    cr_expect_eq(strlen(last), 1023);
}

static void log_many(muster__log_place *place, int n)
{
    for (int i = 0; i < n; i++) {
        muster__log_write(place, MUSTER_LOG_ERROR, "line %d", i);
    }
}

Test(log, a_place_has_20_lines_a_second)
{
    muster__log_place place = {0, 0, 0};
    muster__log_place other = {0, 0, 0};

    muster_log_set(capture, NULL, MUSTER_LOG_DEBUG);
    /* A window that cannot end while this test runs. */
    log_many(&place, 1);
    place.window_start_ns = muster__now_ns() + 3600000000000u;
    log_many(&place, 99);
    cr_expect_eq(n_lines, 20);
    log_many(&other, 1);
    cr_expect_eq(n_lines, 21);
}

Test(log, tells_afterwards_how_many_it_held_back)
{
    muster__log_place place = {0, 0, 0};

    muster_log_set(capture, NULL, MUSTER_LOG_DEBUG);
    log_many(&place, 1);
    place.window_start_ns = muster__now_ns() + 3600000000000u;
    log_many(&place, 99);
    place.window_start_ns = 0; /* the window is long over */
    n_lines = 0;
    log_many(&place, 1);
    cr_expect_eq(n_lines, 2);
    cr_expect_str_eq(before_last, "80 more like the last");
    cr_expect_str_eq(last, "line 0");
    place.window_start_ns = 0;
    log_many(&place, 1);
    cr_expect_eq(n_lines, 3);
}

Test(log, writes_a_line_to_stderr, .init = cr_redirect_stderr)
{
    muster_log_to_stderr(NULL, MUSTER_LOG_WARNING, "web: gone");
    (void)fflush(stderr);
    cr_expect_stderr_eq_str("muster WARNING web: gone\n");
}
