/* SPDX-License-Identifier: Apache-2.0 */
/* Work beside the control thread. */
#include "loop_fixture.h"

#include <stdatomic.h>

TestSuite(loop_work, .timeout = 30);

enum { N_JOBS = 200 };

static _Atomic int n_worked;
static _Atomic int n_worked_on_control;
static int n_done;
static int n_done_off_control;
static sem_t finished;

static void work(void *arg)
{
    (void)arg;
    atomic_fetch_add(&n_worked, 1);
    if (muster__loop_is_current()) {
        atomic_fetch_add(&n_worked_on_control, 1);
    }
}

static void done(void *arg)
{
    (void)arg;
    n_done++;
    if (!muster__loop_is_current()) {
        n_done_off_control++;
    }
    if (n_done == N_JOBS) {
        sem_post(&finished);
    }
}

static void queue_all(void *arg)
{
    for (int i = 0; i < N_JOBS; i++) {
        if (muster__loop_work(work, done, arg) != MUSTER_OK) {
            n_done_off_control++;
        }
    }
}

Test(loop_work, works_elsewhere_and_is_done_on_the_control_thread)
{
    sem_init(&finished, 0, 0);
    loop_open();
    on_control(queue_all, NULL);
    wait_for(&finished);
    cr_expect_eq(n_worked, N_JOBS);
    cr_expect_eq(n_worked_on_control, 0);
    cr_expect_eq(n_done_off_control, 0);
    loop_close();
}

enum { N_LONG = 5 };

static int n_long_done;

/* Works of different lengths, so that they are done in different turns. */
static void work_long(void *arg)
{
    uint64_t until_ns = muster__now_ns() + *(uint64_t *)arg * 1000000u;

    while (muster__now_ns() < until_ns) {
    }
}

static void count_long(void *arg)
{
    (void)arg;
    n_long_done++;
}

static void queue_long(void *arg)
{
    static uint64_t lengths_ms[N_LONG] = {1, 5, 10, 20, 30};

    (void)arg;
    for (int i = 0; i < N_LONG; i++) {
        (void)muster__loop_work(work_long, count_long, &lengths_ms[i]);
    }
}

Test(loop_work, stop_waits_until_all_is_done)
{
    for (int round = 1; round <= 3; round++) {
        loop_open();
        on_control(queue_long, NULL);
        loop_close();
        cr_expect_eq(n_long_done, round * N_LONG);
    }
}

static sem_t may_finish;
static sem_t is_blocked;

static void block(void *arg)
{
    (void)arg;
    sem_post(&is_blocked);
    wait_for(&may_finish);
}

static void unblock(void *arg)
{
    (void)arg;
    sem_post(&may_finish);
}

static void queue_blocked(void *arg)
{
    (void)muster__loop_work(block, do_nothing, arg);
}

static void queue_unblock(void *arg)
{
    (void)muster__loop_work(unblock, do_nothing, arg);
}

Test(loop_work, a_work_that_takes_long_does_not_hold_up_another)
{
    sem_init(&may_finish, 0, 0);
    sem_init(&is_blocked, 0, 0);
    loop_open();
    on_control(queue_blocked, NULL);
    wait_for(&is_blocked);
    on_control(queue_unblock, NULL);
    loop_close();
}
