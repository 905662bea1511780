/* SPDX-License-Identifier: Apache-2.0 */
/* What every policy must bear. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "balancer_life.h"
#include "balancer_threads.h"
#include "call_watch.h"
#include "subject.h"
#include "usage.h"

/* ---- create ---- */

/* "Unknown keys are ignored", so that a config may be of a later version. */
static void try_unknown_key(trial *self)
{
    json_t *config = json_loads(
        self->policy_config == NULL ? "{}" : self->policy_config, 0, NULL);
    char *text;
    balancer_life life;
    muster_error err = {.code = MUSTER_OK};

    (void)json_object_set_new(config, "unknownToThePlugin", json_true());
    text = json_dumps(config, 0);
    if (text != NULL) {
        if (balancer_life_try(&life, self, text, &err) != MUSTER_OK) {
            trial_fail(self,
                       "create() refuses a setting that it does not know, "
                       "which it must ignore: %.400s",
                       err.message);
        }
        balancer_life_end(&life);
    }
    free(text);
    json_decref(config);
}

static void run_create(trial *self)
{
    balancer_life first;
    balancer_life second;

    if (!balancer_life_prepare(self)) {
        return;
    }
    if (balancer_life_begin(&first, self)) {
        /* Two channels have an instance each. */
        if (balancer_life_begin(&second, self)) {
            balancer_life_end(&second);
        }
        balancer_life_end(&first);
        try_unknown_key(self);
    }
    balancer_life_finish(self);
}

/* ---- views ---- */

static void judge_picks(trial *self, size_t n_ready, size_t n_picks,
                        size_t n_picked)
{
    if (n_ready > 0 && n_picked == 0) {
        trial_fail(self, "none of %zu picks takes one of %zu READY endpoints",
                   n_picks, n_ready);
    }
}

static void show_size(balancer_life *life, size_t n)
{
    enum { PICKS = 300 };
    endpoint_list list;
    size_t n_picked;

    if (!endpoint_list_init(&list, n)) {
        trial_skip(life->trial, "out of memory for %zu endpoints", n);
        return;
    }
    balancer_life_show(life, list.endpoints, n, MUSTER_READY);
    n_picked = balancer_life_pick(life, PICKS);
    balancer_life_advance(life, 1000);
    n_picked += balancer_life_pick(life, PICKS);
    trial_take_violations(life->trial,
                          muster_testkit_balancer_violations(life->kit));
    judge_picks(life->trial, n, (size_t)2 * PICKS, n_picked);
    endpoint_list_fini(&list);
}

static void run_views(trial *self)
{
    static const size_t sizes[] = {0, 1, 2, 1000, 100000, 2, 0, 1};
    balancer_life life;

    if (!balancer_life_prepare(self)) {
        return;
    }
    if (balancer_life_begin(&life, self)) {
        for (size_t i = 0;
             i < sizeof sizes / sizeof *sizes && !trial_is_over(self); i++) {
            show_size(&life, sizes[i]);
        }
        balancer_life_end(&life);
    }
    balancer_life_finish(self);
}

/* ---- connecting ---- */

/* Somebody must be connected, or no call is ever placed. */
static bool wants_any(balancer_life *life, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (muster_testkit_balancer_is_wanted(life->kit, i)) {
            return true;
        }
    }
    return false;
}

static void run_connects(trial *self)
{
    enum { ENDPOINTS = 3 };
    endpoint_list list;
    balancer_life life;

    if (!balancer_life_prepare(self)) {
        return;
    }
    if (endpoint_list_init(&list, ENDPOINTS) &&
        balancer_life_begin(&life, self)) {
        balancer_life_show(&life, list.endpoints, list.n, MUSTER_IDLE);
        (void)balancer_life_pick(&life, 100);
        balancer_life_advance(&life, 60000);
        (void)balancer_life_pick(&life, 100);
        if (!wants_any(&life, list.n)) {
            trial_fail(self,
                       "want() wants none of %zu endpoints, all of them IDLE, "
                       "and no pick answers CONNECT: no call is ever placed",
                       list.n);
        }
        balancer_life_end(&life);
    }
    endpoint_list_fini(&list);
    balancer_life_finish(self);
}

/* ---- changing views ---- */

enum { MOST = 50, CHANGES = 400 };

static uint32_t draw(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525u + 1013904223u; /* Numerical Recipes */
    return (*seed >> 8) % n;
}

static void change_states(balancer_life *life, uint32_t *seed, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (draw(seed, 4) == 0) {
            muster_testkit_balancer_set_state(
                life->kit, i,
                (muster_connectivity)draw(seed, MUSTER_TRANSIENT_FAILURE + 1),
                "10.0.0.1:1: connection refused");
            muster_testkit_balancer_set_unhealthy(life->kit, i,
                                                  draw(seed, 5) == 0);
        }
    }
}

/* Places calls that end after the next change, when their endpoint may have
 * left. */
static void change_once(balancer_life *life, const endpoint_list *list,
                        uint32_t *seed)
{
    enum { IN_FLIGHT = 8 };
    muster_testkit_pick picks[IN_FLIGHT];
    size_t first = draw(seed, MOST);
    size_t n = draw(seed, (uint32_t)(MOST - first) + 1);

    for (uint32_t i = 0; i < IN_FLIGHT; i++) {
        trial_step(life->trial, "pick()");
        muster_testkit_balancer_pick(life->kit, NULL, i, &picks[i]);
    }
    balancer_life_show(life, list->endpoints + first, n, MUSTER_READY);
    change_states(life, seed, n);
    balancer_life_publish(life);
    trial_step(life->trial, "done()");
    for (uint32_t i = 0; i < IN_FLIGHT; i++) {
        if (picks[i].verdict == MUSTER_PICK_INDEX) {
            muster_testkit_balancer_done(life->kit, picks[i].id, NULL);
        }
    }
    (void)balancer_life_pick(life, 20);
    balancer_life_advance(life, draw(seed, 2000));
}

static void run_changes(trial *self)
{
    endpoint_list list;
    balancer_life life;
    uint32_t seed = 1;

    if (!balancer_life_prepare(self)) {
        return;
    }
    if (endpoint_list_init(&list, MOST) && balancer_life_begin(&life, self)) {
        for (unsigned i = 0; i < CHANGES && !trial_is_over(self); i++) {
            change_once(&life, &list, &seed);
        }
        balancer_life_end(&life);
    }
    endpoint_list_fini(&list);
    balancer_life_finish(self);
}

/* ---- light picks ---- */

static void pick_lightly(trial *self, balancer_life *life)
{
    enum { PICKS = 200 };

    for (uint32_t i = 0; i < PICKS && !trial_is_over(self); i++) {
        const char *call;

        call_watch_begin();
        (void)balancer_life_pick(life, 7);
        call = call_watch_end();
        if (call != NULL) {
            trial_fail(self,
                       "pick() or done() calls %s(): they must not allocate, "
                       "lock or wait",
                       call);
        }
    }
}

static void run_light(trial *self)
{
    enum { ENDPOINTS = 16 };
    endpoint_list list;
    balancer_life life;

    if (!call_watch_install(subject_handle())) {
        trial_skip(self, "its calls cannot be watched on this machine");
        return;
    }
    if (!balancer_life_prepare(self)) {
        return;
    }
    if (endpoint_list_init(&list, ENDPOINTS) &&
        balancer_life_begin(&life, self)) {
        balancer_life_show(&life, list.endpoints, list.n, MUSTER_READY);
        pick_lightly(self, &life);
        balancer_life_end(&life);
    }
    endpoint_list_fini(&list);
    balancer_life_finish(self);
}

/* ---- time and memory ---- */

static void run_hours(trial *self)
{
    enum { ENDPOINTS = 10, HOURS = 24, MAX_TIMERS = 16 + 4 * ENDPOINTS };
    endpoint_list list;
    balancer_life life;
    uint64_t n_timers;

    if (!balancer_life_prepare(self)) {
        return;
    }
    if (endpoint_list_init(&list, ENDPOINTS) &&
        balancer_life_begin(&life, self)) {
        for (unsigned i = 0; i < HOURS; i++) {
            balancer_life_show(&life, list.endpoints, list.n, MUSTER_READY);
            (void)balancer_life_pick(&life, 100);
            balancer_life_advance(&life, 3600000);
        }
        n_timers = muster_testkit_balancer_get(life.kit)->n_timers;
        if (n_timers > MAX_TIMERS) {
            trial_fail(self, "%llu timers are pending for %zu endpoints",
                       (unsigned long long)n_timers, list.n);
        }
        balancer_life_end(&life);
    }
    endpoint_list_fini(&list);
    balancer_life_finish(self);
}

typedef struct repetition {
    balancer_life *life;
    const endpoint_list *list;
} repetition;

static void publish_once(trial *self, void *arg)
{
    const repetition *again = arg;

    (void)self;
    balancer_life_publish(again->life);
    (void)balancer_life_pick(again->life, 50);
}

static void live_once(trial *self, void *arg)
{
    const repetition *again = arg;
    balancer_life life;

    if (balancer_life_begin(&life, self)) {
        balancer_life_show(&life, again->list->endpoints, again->list->n,
                           MUSTER_READY);
        (void)balancer_life_pick(&life, 10);
        balancer_life_end(&life);
    }
}

static void run_leaks(trial *self)
{
    enum { ENDPOINTS = 20, TIMES = 100 };
    endpoint_list list;
    balancer_life life;
    repetition again = {&life, &list};

    if (!balancer_life_prepare(self)) {
        return;
    }
    if (endpoint_list_init(&list, ENDPOINTS) &&
        balancer_life_begin(&life, self)) {
        balancer_life_show(&life, list.endpoints, list.n, MUSTER_READY);
        usage_check(self, "each new table with its picks", TIMES, publish_once,
                    &again);
        balancer_life_end(&life);
        usage_check(self, "each life", TIMES, live_once, &again);
    }
    endpoint_list_fini(&list);
    balancer_life_finish(self);
}

const trial_case trial_balancer_cases[] = {
    {"create", run_create},
    {"views", run_views},
    {"connects", run_connects},
    {"changes", run_changes},
    {"hours", run_hours},
    {"leaks", run_leaks},
    {"pick-is-light", run_light},
    {"builds-beside-updates", balancer_threads_builds},
    {"picks-at-once", balancer_threads_picks},
    {NULL, NULL},
};
