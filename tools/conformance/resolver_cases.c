/* SPDX-License-Identifier: Apache-2.0 */
/* What every resolver must bear. */
#include <string.h>

#include <muster/service_config.h>

#include "resolver_life.h"
#include "resolver_real.h"
#include "usage.h"

enum { AN_HOUR_MS = 3600000 };

/* ---- life ---- */

static void run_life(trial *self)
{
    target_parts parts;
    resolver_life life;

    if (!resolver_life_target(self, &parts)) {
        return;
    }
    if (resolver_life_begin(&life, self, &parts)) {
        resolver_life_start(&life);
        resolver_life_step(&life);
        resolver_life_refresh(&life);
        resolver_life_step(&life);
        resolver_life_end(&life);
    }
    target_parts_release(&parts);
}

typedef void (*moment_fn)(resolver_life *life);

static void at_once(resolver_life *life)
{
    (void)life;
}

static void before_a_refresh(resolver_life *life)
{
    resolver_life_step(life);
    resolver_life_refresh(life);
}

static void with_an_answer(resolver_life *life)
{
    (void)resolver_life_await(life);
}

static void after_a_minute(resolver_life *life)
{
    resolver_life_advance(life, 60000);
}

/* It may be stopped at any moment. */
static void run_stops(trial *self)
{
    static const moment_fn moments[] = {at_once, before_a_refresh,
                                        resolver_life_step, with_an_answer,
                                        after_a_minute};
    target_parts parts;
    resolver_life life;

    if (!resolver_life_target(self, &parts)) {
        return;
    }
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        if (resolver_life_begin(&life, self, &parts)) {
            resolver_life_start(&life);
            moments[i](&life);
            resolver_life_end(&life);
        }
    }
    target_parts_release(&parts);
}

/* Two targets have an instance each; a plugin's init() is for once. */
static void run_two_at_once(trial *self)
{
    target_parts parts;
    resolver_life first;
    resolver_life second;

    if (self->plugin->init != NULL) {
        trial_skip(self, "init() is called once a process, and by each kit");
        return;
    }
    if (!resolver_life_target(self, &parts)) {
        return;
    }
    if (resolver_life_begin(&first, self, &parts)) {
        resolver_life_start(&first);
        if (resolver_life_begin(&second, self, &parts)) {
            resolver_life_start(&second);
            resolver_life_step(&first);
            resolver_life_end(&second);
        }
        resolver_life_step(&first);
        resolver_life_end(&first);
    }
    target_parts_release(&parts);
}

static void live_once(trial *self, void *arg)
{
    resolver_life_run(self, arg);
}

static void run_leaks(trial *self)
{
    enum { LIVES = 100 };
    target_parts parts;

    if (resolver_life_target(self, &parts)) {
        usage_check(self, "each life", LIVES, live_once, &parts);
        target_parts_release(&parts);
    }
}

/* ---- answers ---- */

static void note_problem(void *arg, const muster_config_problem *problem)
{
    trial_fail(arg, "the service config that it reports is malformed: %s%s%s",
               problem->path, problem->path[0] == '\0' ? "" : ": ",
               problem->text);
}

static void check_service_config(trial *self, const char *text)
{
    muster_error err = {.code = MUSTER_OK};

    if (text != NULL) {
        (void)muster_service_config_check(text, strlen(text), note_problem,
                                          self, &err);
    }
}

static void run_answers(trial *self)
{
    target_parts parts;
    resolver_life life;

    if (!resolver_life_target(self, &parts)) {
        return;
    }
    if (resolver_life_begin(&life, self, &parts)) {
        resolver_life_start(&life);
        if (!resolver_life_await(&life)) {
            trial_fail(self,
                       "it neither reports nor fails, in 2 s of real "
                       "and 2 min of virtual time: callers wait for ever");
        }
        check_service_config(
            self, muster_testkit_resolver_get(life.kit)->service_config);
        resolver_life_end(&life);
    }
    target_parts_release(&parts);
}

/* The core says of each report whether it was accepted; numbers of which the
 * resolver knows nothing are those of an earlier one. */
static void run_applied(trial *self)
{
    static const muster_status answers[] = {MUSTER_OK, MUSTER_INVAL,
                                            MUSTER_NOMEM, MUSTER_EXHAUSTED};
    target_parts parts;
    resolver_life life;

    if (!resolver_life_target(self, &parts)) {
        return;
    }
    if (resolver_life_begin(&life, self, &parts)) {
        resolver_life_start(&life);
        (void)resolver_life_await(&life);
        trial_step(self, "applied()");
        for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
            muster_testkit_resolver_applied(life.kit, life.applied, answers[i]);
            muster_testkit_resolver_applied(life.kit, UINT64_MAX, answers[i]);
        }
        resolver_life_advance(&life, 60000);
        resolver_life_end(&life);
    }
    target_parts_release(&parts);
}

/* ---- load ---- */

/* The core's cooldown is not there; a slow source sees the like of it. */
static void run_refresh_storm(trial *self)
{
    enum { REFRESHES = 1000, MAX_TIMERS = 64 };
    target_parts parts;
    resolver_life life;
    uint64_t n_timers;

    if (!resolver_life_target(self, &parts)) {
        return;
    }
    if (resolver_life_begin(&life, self, &parts)) {
        resolver_life_start(&life);
        (void)resolver_life_await(&life);
        for (unsigned i = 0; i < REFRESHES; i++) {
            resolver_life_refresh(&life);
        }
        resolver_life_step(&life);
        n_timers = muster_testkit_resolver_get(life.kit)->n_timers;
        if (n_timers > MAX_TIMERS) {
            trial_fail(self, "%u times refresh() leave %llu timers pending",
                       (unsigned)REFRESHES, (unsigned long long)n_timers);
        }
        resolver_life_advance(&life, 60000);
        resolver_life_end(&life);
    }
    target_parts_release(&parts);
}

static void run_short_of_memory(trial *self)
{
    enum { MOST = 16 };
    target_parts parts;
    resolver_life life;

    if (!resolver_life_target(self, &parts)) {
        return;
    }
    for (uint64_t n = 1; n <= MOST && !trial_is_over(self); n++) {
        if (resolver_life_begin(&life, self, &parts)) {
            muster_testkit_resolver_break_host(life.kit, MUSTER_NOMEM,
                                               n == MOST ? UINT64_MAX : n);
            resolver_life_start(&life);
            resolver_life_step(&life);
            resolver_life_refresh(&life);
            resolver_life_advance(&life, 10000);
            muster_testkit_resolver_break_host(life.kit, MUSTER_OK, 0);
            resolver_life_advance(&life, 10000);
            resolver_life_end(&life);
        }
    }
    target_parts_release(&parts);
}

static void pass_an_hour(trial *self, void *arg)
{
    resolver_life *life = arg;

    (void)self;
    resolver_life_refresh(life);
    resolver_life_advance(life, AN_HOUR_MS / 50);
}

static void run_hours(trial *self)
{
    enum { TIMES = 50 };
    target_parts parts;
    resolver_life life;

    if (!resolver_life_target(self, &parts)) {
        return;
    }
    if (resolver_life_begin(&life, self, &parts)) {
        resolver_life_start(&life);
        (void)resolver_life_await(&life);
        usage_check(self, "each refresh", TIMES, pass_an_hour, &life);
        resolver_life_end(&life);
    }
    target_parts_release(&parts);
}

const trial_case trial_resolver_cases[] = {
    {"life", run_life},
    {"answers", run_answers},
    {"stops", run_stops},
    {"two-at-once", run_two_at_once},
    {"applied", run_applied},
    {"refresh-storm", run_refresh_storm},
    {"short-of-memory", run_short_of_memory},
    {"hours", run_hours},
    {"leaks", run_leaks},
    {"authority", resolver_real_authority},
    {"real-host", resolver_real_host},
    {NULL, NULL},
};
