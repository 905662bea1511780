/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins that hold up the control thread are named. */
#include "loop_fixture.h"

#include <muster/log.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "timing.h"

TestSuite(watchdog, .timeout = 30);

typedef struct captured {
    pthread_mutex_t lock;
    char lines[8][256];
    int n;
    sem_t line;
} captured;

static captured logged = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void capture(void *arg, muster_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    pthread_mutex_lock(&logged.lock);
    if (logged.n < 8) {
        (void)snprintf(logged.lines[logged.n], sizeof logged.lines[0], "%s",
                       message);
        logged.n++;
    }
    pthread_mutex_unlock(&logged.lock);
    sem_post(&logged.line);
}

static void set_up(void)
{
    sem_init(&logged.line, 0, 0);
    muster_log_set(capture, NULL, MUSTER_LOG_DEBUG);
    loop_open();
}

static void set_up_scaled(void)
{
    muster__timing_scale_for_test(10); /* slow: 10 ms, stuck: 500 ms */
    set_up();
}

static void tear_down(void)
{
    loop_close();
    muster_log_set(NULL, NULL, MUSTER_LOG_ERROR);
}

static bool is_line(int i, const char *prefix, const char *suffix)
{
    const char *line = logged.lines[i];
    size_t n = strlen(line);

    return i < logged.n && strncmp(line, prefix, strlen(prefix)) == 0 &&
           n >= strlen(suffix) &&
           strcmp(line + n - strlen(suffix), suffix) == 0;
}

static void spend_ms(uint64_t ms)
{
    uint64_t until_ns = muster__now_ns() + ms * 1000000u;

    while (muster__now_ns() < until_ns) {
    }
}

static void call_quickly(void *arg)
{
    (void)arg;
    muster__loop_enter_plugin("quick", "start");
    muster__loop_leave_plugin();
}

Test(watchdog, says_nothing_of_quick_calls, .init = set_up, .fini = tear_down)
{
    char who[16] = "untouched";

    on_control(call_quickly, NULL);
    cr_expect_eq(logged.n, 0);
    cr_expect_not(muster__loop_is_stuck(who, sizeof who));
    cr_expect_str_eq(who, "untouched");
}

static void call_slowly(void *arg)
{
    (void)arg;
    muster__loop_enter_plugin("slow", "refresh");
    spend_ms(MUSTER__SLOW_CALL_MS + 20);
    muster__loop_leave_plugin();
}

Test(watchdog, names_a_slow_call, .init = set_up, .fini = tear_down)
{
    on_control(call_slowly, NULL);
    cr_expect_eq(logged.n, 1);
    cr_expect(
        is_line(0, "plugin slow: refresh took ", " ms on the control thread"),
        "%s", logged.lines[0]);
}

static void call_nested(void *arg)
{
    (void)arg;
    muster__loop_enter_plugin("outer", "update");
    call_slowly(NULL);
    muster__loop_leave_plugin();
}

Test(watchdog, blames_the_inner_call_only, .init = set_up, .fini = tear_down)
{
    on_control(call_nested, NULL);
    cr_expect_eq(logged.n, 1);
    cr_expect(is_line(0, "plugin slow: ", ""), "%s", logged.lines[0]);
}

static void call_deeply(void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++) {
        muster__loop_enter_plugin("deep", "update");
    }
    for (int i = 0; i < 40; i++) {
        muster__loop_leave_plugin();
    }
    call_slowly(NULL);
}

Test(watchdog, survives_deep_nesting, .init = set_up, .fini = tear_down)
{
    on_control(call_deeply, NULL);
    cr_expect_eq(logged.n, 1);
}

static sem_t may_leave;
static muster__task stuck_task;

static void get_stuck(muster__task *task)
{
    (void)task;
    muster__loop_enter_plugin("outer", "update");
    muster__loop_enter_plugin("tar pit", "stop");
    wait_for(&may_leave);
    muster__loop_leave_plugin();
    muster__loop_leave_plugin();
}

Test(watchdog, reports_a_stuck_call_once, .init = set_up_scaled,
     .fini = tear_down)
{
    char who[16] = "";

    sem_init(&may_leave, 0, 0);
    stuck_task.fn = get_stuck;
    muster__loop_post(&stuck_task);
    wait_for(&logged.line);
    cr_expect(muster__loop_is_stuck(who, sizeof who));
    cr_expect_str_eq(who, "tar pit");
    sem_post(&may_leave);
    on_control(do_nothing, NULL);
    cr_expect_not(muster__loop_is_stuck(who, sizeof who));
    cr_expect_geq(logged.n, 2);
    cr_expect_str_eq(
        logged.lines[0],
        "plugin tar pit: stop has been holding the control thread for 5 s");
    cr_expect(
        is_line(1, "plugin tar pit: stop took ", " ms on the control thread"));
}
