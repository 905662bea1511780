/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of the control thread. */
#include "loop_fixture.h"

TestSuite(loop_timer, .timeout = 30);

typedef struct timed {
    muster__timer *timer;
    uint64_t delay_ms;
    uint64_t started_ns;
    uint64_t fired_ns;
    int n_fired;
    bool was_active;
    sem_t fired;
} timed;

static timed state;

static void on_fired(void *arg)
{
    timed *t = (timed *)arg;

    t->fired_ns = muster__now_ns();
    t->n_fired++;
    t->was_active = muster__timer_is_active(t->timer);
    sem_post(&t->fired);
}

static void create_and_start(void *arg)
{
    timed *t = (timed *)arg;

    sem_init(&t->fired, 0, 0);
    if (muster__timer_create(on_fired, t, &t->timer) == MUSTER_OK) {
        t->started_ns = muster__now_ns();
        muster__timer_start(t->timer, t->delay_ms);
    }
}

static void destroy(void *arg)
{
    timed *t = (timed *)arg;

    muster__timer_destroy(t->timer);
}

Test(loop_timer, is_never_early_and_fires_once)
{
    loop_open();
    for (uint64_t delay_ms = 0; delay_ms < 20; delay_ms++) {
        timed t = {.delay_ms = delay_ms};

        on_control(create_and_start, &t);
        wait_for(&t.fired);
        on_control(destroy, &t);
        cr_expect_eq(t.n_fired, 1);
        cr_expect_not(t.was_active);
        cr_expect_geq(t.fired_ns - t.started_ns, delay_ms * 1000000u);
    }
    loop_close();
}

static void start_just_before_a_tick(void *arg)
{
    while (muster__now_ns() % 1000000u < 900000u) {
    }
    create_and_start(arg);
    while (muster__now_ns() % 1000000u >= 900000u) {
    }
}

Test(loop_timer, is_never_early_for_a_clock_in_milliseconds)
{
    loop_open();
    for (int i = 0; i < 20; i++) {
        timed t = {.delay_ms = 1};

        on_control(start_just_before_a_tick, &t);
        wait_for(&t.fired);
        on_control(destroy, &t);
        cr_expect_geq(t.fired_ns - t.started_ns, 1000000u);
    }
    loop_close();
}

static void busy_then_start(void *arg)
{
    uint64_t until_ns = muster__now_ns() + 30u * 1000000u;

    while (muster__now_ns() < until_ns) {
    }
    create_and_start(arg);
}

Test(loop_timer, counts_from_now_after_a_long_turn)
{
    timed t = {.delay_ms = 10};

    loop_open();
    on_control(busy_then_start, &t);
    wait_for(&t.fired);
    on_control(destroy, &t);
    cr_expect_geq(t.fired_ns - t.started_ns, 10u * 1000000u);
    loop_close();
}

static void look_left(void *arg)
{
    timed *t = (timed *)arg;

    create_and_start(t);
    t->started_ns = muster__timer_left_ms(t->timer);
    t->was_active = muster__timer_is_active(t->timer);
    muster__timer_stop(t->timer);
    t->fired_ns = muster__timer_left_ms(t->timer);
    t->n_fired = muster__timer_is_active(t->timer) ? 1 : 0;
    destroy(t);
}

Test(loop_timer, tells_what_is_left_until_stopped)
{
    timed t = {.delay_ms = 60000};

    loop_open();
    on_control(look_left, &t);
    cr_expect(t.was_active);
    cr_expect_leq(t.started_ns, 60000);
    cr_expect_geq(t.started_ns, 59000);
    cr_expect_eq(t.fired_ns, 0);
    cr_expect_eq(t.n_fired, 0);
    loop_close();
}

static void restart_sooner(void *arg)
{
    timed *t = (timed *)arg;

    create_and_start(t);
    muster__timer_start(t->timer, 1);
}

Test(loop_timer, a_second_start_replaces_the_first)
{
    timed t = {.delay_ms = 3600000};

    loop_open();
    on_control(restart_sooner, &t);
    wait_for(&t.fired);
    on_control(destroy, &t);
    cr_expect_eq(t.n_fired, 1);
    loop_close();
}

Test(loop_timer, forever_does_not_wrap_around)
{
    timed t = {.delay_ms = UINT64_MAX};
    timed soon = {.delay_ms = 5};

    loop_open();
    on_control(create_and_start, &t);
    on_control(create_and_start, &soon);
    wait_for(&soon.fired);
    on_control(destroy, &t);
    on_control(destroy, &soon);
    cr_expect_eq(t.n_fired, 0);
    loop_close();
}

static void destroy_self(void *arg)
{
    timed *t = (timed *)arg;

    muster__timer_destroy(t->timer);
    sem_post(&t->fired);
}

static void start_self_destroying(void *arg)
{
    timed *t = (timed *)arg;

    sem_init(&t->fired, 0, 0);
    if (muster__timer_create(destroy_self, t, &t->timer) == MUSTER_OK) {
        muster__timer_start(t->timer, 1);
    }
}

Test(loop_timer, may_be_destroyed_inside_its_fn)
{
    loop_open();
    on_control(start_self_destroying, &state);
    wait_for(&state.fired);
    loop_close();
}

static timed pair[2];

static void destroy_other(void *arg)
{
    timed *t = (timed *)arg;
    timed *other = t == &pair[0] ? &pair[1] : &pair[0];

    t->n_fired++;
    muster__timer_destroy(other->timer);
    other->timer = NULL;
    sem_post(&pair[0].fired);
}

static void start_pair(void *arg)
{
    (void)arg;
    sem_init(&pair[0].fired, 0, 0);
    for (int i = 0; i < 2; i++) {
        if (muster__timer_create(destroy_other, &pair[i], &pair[i].timer) ==
            MUSTER_OK) {
            muster__timer_start(pair[i].timer, 5);
        }
    }
}

static void destroy_pair(void *arg)
{
    (void)arg;
    destroy(&pair[0]);
    destroy(&pair[1]);
}

Test(loop_timer, does_not_fire_once_destroyed_though_due)
{
    loop_open();
    on_control(start_pair, NULL);
    wait_for(&pair[0].fired);
    on_control(destroy_pair, NULL);
    cr_expect_eq(pair[0].n_fired + pair[1].n_fired, 1);
    loop_close();
}

static timed greedy;
static bool may_stop;

/* Takes longer than its own delay, so that it is due again when it ends. */
static void on_greedy(void *arg)
{
    uint64_t until_ns = muster__now_ns() + 3u * 1000000u;

    muster__timer_start(greedy.timer, may_stop ? UINT64_MAX : 0);
    while (muster__now_ns() < until_ns) {
    }
    muster__timer_start(greedy.timer, may_stop ? UINT64_MAX : 0);
    (void)arg;
}

static void start_greedy(void *arg)
{
    (void)arg;
    if (muster__timer_create(on_greedy, NULL, &greedy.timer) == MUSTER_OK) {
        muster__timer_start(greedy.timer, 0);
    }
}

static void end_greedy(void *arg)
{
    (void)arg;
    may_stop = true;
    destroy(&greedy);
}

Test(loop_timer, a_greedy_timer_does_not_starve_tasks)
{
    loop_open();
    on_control(start_greedy, NULL);
    for (int i = 0; i < 5; i++) {
        on_control(do_nothing, NULL);
    }
    on_control(end_greedy, NULL);
    loop_close();
}

Test(loop_timer, destroying_null_does_nothing)
{
    muster__timer_destroy(NULL);
}
