/* SPDX-License-Identifier: Apache-2.0 */
/* When a resolver is asked again, and where its calls run. */
#include "resolver_runner.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "drill.h"
#include "loop.h"
#include "timing.h"

TestSuite(resolver_runner, .init = drill_open, .fini = drill_close,
          .timeout = 60);

static recorder told;

static void start(const char *target, uint64_t initial_backoff_ms,
                  uint64_t max_backoff_ms)
{
    muster__resolver_options options = {.initial_backoff_ms =
                                            initial_backoff_ms,
                                        .max_backoff_ms = max_backoff_ms};
    muster_error error;

    cr_assert_eq(recorder_subscribe(&told, target, &options, &error), MUSTER_OK,
                 "%s", error.message);
    AWAIT(drill.n_starts == 1);
}

static void hint(void *arg)
{
    (void)arg;
    muster__resolution_refresh(told.subscriber.resolution);
}

/* Refreshes are at least period_ms apart. What the resolver notes may be late,
 * never early, so the time is counted from before the first of them. */
static void expect_apart(uint64_t begun_ms, unsigned n, uint64_t period_ms)
{
    cr_expect_geq(drill.refreshed_ms[n] - begun_ms, n * period_ms);
}

static void report_one(const muster_resolver_env *env)
{
    muster_endpoint endpoint = {.address = "10.0.0.1:1"};

    cr_assert_eq(muster_report(env, &endpoint, 1), MUSTER_OK);
}

/* ---- asking again ---- */

Test(resolver_runner, passes_a_hint_on)
{
    start("drill:///a", 0, 0);
    drill_call(hint, NULL);
    AWAIT(drill.n_refreshes >= 1);
    recorder_end(&told);
}

Test(resolver_runner, merges_hints_while_the_cooldown_runs)
{
    uint64_t begun_ms;

    start("drill:///a", 0, 0);
    begun_ms = muster__now_ms();
    for (int i = 0; i < 10; i++) {
        drill_call(hint, NULL);
    }
    AWAIT(drill.n_refreshes >= 2);
    expect_apart(begun_ms, 1, 50);
    drill_call(hint, NULL);
    AWAIT(drill.n_refreshes >= 3);
    expect_apart(begun_ms, 2, 50);
    recorder_end(&told);
}

Test(resolver_runner, takes_hints_for_a_class_without_refresh)
{
    start("mute:///a", 0, 0);
    drill_call(hint, NULL);
    drill_fail(MUSTER_UNAVAILABLE, "down");
    AWAIT(told.n_failed == 1);
    recorder_end(&told);
    cr_expect_eq(drill.n_refreshes, 0);
    cr_expect_eq(drill.n_frees, 1);
}

static void fail_again(const muster_resolver_env *env)
{
    muster_fail(env, MUSTER_UNAVAILABLE, "still down");
}

Test(resolver_runner, backs_off_after_failures)
{
    uint64_t begun_ms;

    drill.in_refresh = fail_again;
    start("drill:///a", 20, 100);
    begun_ms = muster__now_ms();
    drill_fail(MUSTER_UNAVAILABLE, "down");
    AWAIT(drill.n_refreshes >= 4);
    cr_expect_geq(drill.refreshed_ms[0] - begun_ms, 16);
    cr_expect_geq(drill.refreshed_ms[1] - begun_ms, 16 + 25);
    cr_expect_geq(drill.refreshed_ms[2] - begun_ms, 16 + 25 + 40);
    cr_expect_geq(drill.refreshed_ms[3] - begun_ms, 16 + 25 + 40 + 65);
    cr_expect_geq(told.n_failed, 4);
    recorder_end(&told);
}

/* In one turn, so that the backoff has only begun. */
static void fail_and_hint(void *arg)
{
    drill_fail(MUSTER_UNAVAILABLE, "down");
    hint(arg);
}

Test(resolver_runner, does_not_shorten_a_backoff_for_a_hint)
{
    uint64_t start_ms;

    start("drill:///a", 100, 100);
    start_ms = muster__now_ms();
    drill_call(fail_and_hint, NULL);
    AWAIT(told.n_failed == 1);
    AWAIT(drill.n_refreshes >= 1);
    cr_expect_geq(drill.refreshed_ms[0] - start_ms, 80);
    recorder_end(&told);
    cr_expect_eq(drill.n_refreshes, 1);
}

static bool is_time_over;
static unsigned n_refreshes_in_time;

static void note_refreshes(void *arg)
{
    (void)arg;
    drill_lock();
    n_refreshes_in_time = drill.n_refreshes;
    is_time_over = true;
    drill_unlock();
}

/* Times what follows by a timer of the same thread: on a busy machine both are
 * late, and in their order. */
static void fail_and_time(void *arg)
{
    const muster_resolver_env *env = drill.env;

    drill_fail(MUSTER_UNAVAILABLE, "down");
    cr_assert_eq(
        env->host->call_later(env->ctx, 250, note_refreshes, arg, NULL),
        MUSTER_OK);
}

Test(resolver_runner, starts_from_the_initial_backoff_after_a_success)
{
    unsigned n;

    drill.in_refresh = fail_again;
    start("drill:///a", 20, 1000000);
    drill_fail(MUSTER_UNAVAILABLE, "down");
    AWAIT(drill.n_refreshes >= 6);
    drill_lock();
    drill.in_refresh = NULL;
    drill_unlock();
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    AWAIT(told.n_changed == 1);
    drill_lock();
    n = drill.n_refreshes;
    drill_unlock();
    drill_call(fail_and_time, NULL);
    AWAIT(is_time_over);
    cr_expect_gt(n_refreshes_in_time, n);
    recorder_end(&told);
}

static void refuse_again(const muster_resolver_env *env)
{
    muster_fail(env, MUSTER_REFUSED, "still refused");
}

Test(resolver_runner, asks_a_source_that_refuses_every_250_ms)
{
    uint64_t begun_ms;

    drill.in_refresh = refuse_again;
    start("drill:///a", 60000, 60000);
    begun_ms = muster__now_ms();
    drill_fail(MUSTER_REFUSED, "refused");
    AWAIT(drill.n_refreshes >= 3);
    cr_expect_geq(drill.refreshed_ms[2] - begun_ms, 750);
    cr_expect_lt(drill.refreshed_ms[2] - drill.refreshed_ms[0], 2000);
    recorder_end(&told);
}

/* Scaled: every 25 ms for 500 ms. The failure was at the first refresh at the
 * latest. */
static bool has_refused_for_long(unsigned i)
{
    return drill.refreshed_ms[i] - drill.refreshed_ms[0] >= 500;
}

static bool has_asked_after_that(void)
{
    return drill.n_refreshes >= 2 &&
           has_refused_for_long(drill.n_refreshes - 2);
}

Test(resolver_runner, backs_off_from_a_source_that_refuses_for_5_s)
{
    unsigned last;

    muster__timing_scale_waits_for_test(10);
    drill.in_refresh = refuse_again;
    start("drill:///a", 400, 400);
    drill_fail(MUSTER_REFUSED, "refused");
    AWAIT(has_asked_after_that());
    drill_lock();
    last = drill.n_refreshes - 1;
    cr_expect_geq(drill.refreshed_ms[last] - drill.refreshed_ms[last - 1],
                  400 * 8 / 10);
    drill_unlock();
    recorder_end(&told);
}

/* ---- timers, posts, fds ---- */

static unsigned n_ticks;

static void tick(void *arg)
{
    (void)arg;
    drill_lock();
    n_ticks++;
    drill_unlock();
}

Test(resolver_runner, runs_timers_and_posts)
{
    const muster_resolver_env *env;
    uint64_t start_ms;
    uint64_t timer = 0;

    start("drill:///a", 0, 0);
    env = drill.env;
    start_ms = muster__now_ms();
    cr_assert_eq(env->host->call_later(env->ctx, 30, tick, NULL, &timer),
                 MUSTER_OK);
    cr_expect_neq(timer, 0);
    AWAIT(n_ticks == 1);
    cr_expect_geq(muster__now_ms() - start_ms, 30);
    cr_assert_eq(env->host->post(env->ctx, tick, NULL), MUSTER_OK);
    AWAIT(n_ticks == 2);
    cr_expect_eq(env->host->post(env->ctx, NULL, NULL), MUSTER_INVAL);
    recorder_end(&told);
}

static void cancel_tick(void *arg)
{
    const muster_resolver_env *env = drill.env;

    env->host->cancel(env->ctx, *(uint64_t *)arg);
    env->host->cancel(env->ctx, 4711);
}

Test(resolver_runner, does_not_run_a_cancelled_timer)
{
    const muster_resolver_env *env;
    uint64_t timer = 0;

    start("drill:///a", 0, 0);
    env = drill.env;
    cr_assert_eq(env->host->call_later(env->ctx, 20, tick, NULL, &timer),
                 MUSTER_OK);
    cr_assert_eq(env->host->post(env->ctx, cancel_tick, &timer), MUSTER_OK);
    cr_assert_eq(env->host->call_later(env->ctx, 40, tick, NULL, NULL),
                 MUSTER_OK);
    AWAIT(n_ticks > 0);
    cr_expect_eq(n_ticks, 1);
    recorder_end(&told);
}

static void post_again(void *arg)
{
    const muster_resolver_env *env = arg;

    (void)env->host->post(env->ctx, post_again, arg);
}

Test(resolver_runner, shares_the_control_thread_with_a_plugin_that_posts_ever)
{
    start("drill:///a", 0, 0);
    post_again((void *)drill.env);
    drill_settle();
    recorder_end(&told);
    cr_expect_eq(drill.n_frees, 1);
}

Test(resolver_runner, drops_timers_at_the_end)
{
    const muster_resolver_env *env;

    start("drill:///a", 0, 0);
    env = drill.env;
    for (uint64_t i = 0; i < 100; i++) {
        cr_assert_eq(
            env->host->call_later(env->ctx, 60000 - i, tick, NULL, NULL),
            MUSTER_OK);
    }
    recorder_end(&told);
    cr_expect_eq(n_ticks, 0);
}

static int pipe_fds[2];

static void on_readable(void *arg, int fd, unsigned events)
{
    const muster_resolver_env *env = arg;
    char byte;

    cr_expect_eq(fd, pipe_fds[0]);
    cr_expect(events & MUSTER_READABLE);
    cr_expect_eq(read(fd, &byte, 1), 1);
    cr_expect_eq(env->host->watch(env->ctx, fd, 0, NULL, NULL), MUSTER_OK);
    cr_expect_eq(close(fd), 0);
    tick(NULL);
}

static void watch_pipe(const muster_resolver_env *env)
{
    const muster_resolver_host *host = env->host;

    cr_expect_eq(host->watch(env->ctx, -1, MUSTER_READABLE, on_readable, NULL),
                 MUSTER_INVAL);
    cr_expect_eq(host->watch(env->ctx, pipe_fds[0], MUSTER_READABLE,
                             on_readable, (void *)env),
                 MUSTER_OK);
}

Test(resolver_runner, watches_an_fd)
{
    cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    drill.in_start = watch_pipe;
    start("drill:///a", 0, 0);
    cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
    AWAIT(n_ticks == 1);
    recorder_end(&told);
    cr_expect_eq(close(pipe_fds[1]), 0);
}

Test(resolver_runner, watches_no_fd_for_another_thread)
{
    start("drill:///a", 0, 0);
    cr_expect_eq(drill.env->host->watch(drill.env->ctx, 0, MUSTER_READABLE,
                                        on_readable, NULL),
                 MUSTER_UNSUPPORTED);
    recorder_end(&told);
}

/* ---- classes that may block ---- */

Test(resolver_runner, keeps_what_may_block_off_the_control_thread)
{
    start("block:///a", 0, 0);
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    AWAIT(told.n_changed == 1 && drill.n_applied == 1);
    drill_call(hint, NULL);
    AWAIT(drill.n_refreshes >= 1);
    recorder_end(&told);
    cr_expect_eq(drill.n_frees, 1);
    cr_expect(drill.was_off_control);
    cr_expect_not(drill.was_on_control);
    cr_expect_not(drill.was_entered_twice);
}

Test(resolver_runner, does_not_wait_for_a_create_that_blocks)
{
    drill.blocks_create = true;
    cr_assert_eq(recorder_subscribe(&told, "block:///a", NULL, NULL),
                 MUSTER_OK);
    drill_settle();
    drill_lock();
    drill.blocks_create = false;
    drill_unlock();
    AWAIT(drill.n_starts == 1);
    recorder_end(&told);
}

Test(resolver_runner, ends_while_create_blocks)
{
    drill.blocks_create = true;
    cr_assert_eq(recorder_subscribe(&told, "block:///a", NULL, NULL),
                 MUSTER_OK);
    AWAIT(drill.n_inside == 1);
    drill_lock();
    drill.blocks_create = false;
    drill_unlock();
    recorder_end(&told);
    cr_expect_eq(drill.n_frees, 1);
}

Test(resolver_runner, tries_again_when_a_create_that_may_block_fails)
{
    drill.n_creates_to_fail = 2;
    start("block:///a", 10, 10);
    AWAIT(told.n_failed == 2);
    cr_expect_str_eq(told.message, "the drill was told to fail");
    cr_expect_eq(drill.n_creates, 3);
    recorder_end(&told);
    cr_expect_eq(drill.n_frees, 1);
}

Test(resolver_runner, ends_between_two_instances)
{
    muster__resolver_options options = {.initial_backoff_ms = 60000,
                                        .max_backoff_ms = 60000};

    drill.n_creates_to_fail = 1;
    cr_assert_eq(recorder_subscribe(&told, "block:///a", &options, NULL),
                 MUSTER_OK);
    AWAIT(told.n_failed == 1);
    recorder_end(&told);
    cr_expect_eq(told.ended_status, MUSTER_OK);
}

static sigset_t mask_of_thread;

static void look_at_signals(void *arg)
{
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_of_thread);
    tick(arg);
}

Test(resolver_runner, blocks_signals_on_the_thread_of_an_instance)
{
    start("block:///a", 0, 0);
    cr_assert_eq(drill.env->host->call_later(drill.env->ctx, 5, look_at_signals,
                                             NULL, NULL),
                 MUSTER_OK);
    AWAIT(n_ticks == 1);
    cr_expect(sigismember(&mask_of_thread, SIGTERM));
    cr_expect(sigismember(&mask_of_thread, SIGPROF));
    cr_expect_not(sigismember(&mask_of_thread, SIGSEGV)); /* its own */
    recorder_end(&told);
}

static recorder nested;
static muster__target *nested_target;

static void subscribe_nested(recorder *self)
{
    self->in_changed = NULL;
    cr_expect_eq(recorder_subscribe_to(&nested, nested_target), MUSTER_OK);
}

Test(resolver_runner, does_not_enter_a_resolver_inside_anothers_call)
{
    cr_assert_eq(muster__target_parse("drill:///b", &nested_target, NULL),
                 MUSTER_OK);
    told.in_changed = subscribe_nested;
    drill.in_refresh = report_one;
    start("drill:///a", 0, 0);
    drill_call(hint, NULL);
    AWAIT(drill.n_starts == 2);
    cr_expect_not(drill.was_entered_twice);
    recorder_end(&told);
    recorder_end(&nested);
}
