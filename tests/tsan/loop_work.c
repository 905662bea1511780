/* SPDX-License-Identifier: Apache-2.0 */
/* Work, timers, watches and a stuck plugin, with onlookers. */
#include "loop.h"

#include <muster/call.h>
#include <muster/resolver.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "timing.h"

enum { JOBS = 2000 };

static int results[JOBS]; /* written by a worker, read when it is done */
static int sum;           /* control thread only */
static int n_done;        /* control thread only */
static int n_events;      /* control thread only */
static muster__timer *timer;
static muster__poll *poll_;
static int fds[2];
static sem_t finished;
static _Atomic bool is_over;

static void work(void *arg)
{
    *(int *)arg = 1;
}

static void done(void *arg)
{
    sum += *(int *)arg;
    n_done++;
    if (n_done == JOBS) {
        (void)sem_post(&finished);
    }
}

static void on_timer(void *arg)
{
    (void)arg;
    muster__loop_enter_plugin("ticker", "tick");
    (void)!write(fds[1], "x", 1);
    muster__loop_leave_plugin();
    muster__timer_start(timer, 0);
}

static void on_ready(void *arg, int fd, unsigned events)
{
    char byte;

    (void)arg;
    (void)events;
    n_events += (int)read(fd, &byte, 1);
}

static void begin(void *arg)
{
    *(bool *)arg =
        muster__timer_create(on_timer, NULL, &timer) == MUSTER_OK &&
        muster__poll_create(fds[0], on_ready, NULL, &poll_) == MUSTER_OK &&
        muster__poll_start(poll_, MUSTER_READABLE) == MUSTER_OK;
    if (*(bool *)arg) {
        muster__timer_start(timer, 0);
    }
    for (int i = 0; i < JOBS; i++) {
        if (muster__loop_work(work, done, &results[i]) != MUSTER_OK) {
            *(bool *)arg = false;
        }
    }
}

static void end(void *arg)
{
    (void)arg;
    muster__timer_destroy(timer);
    muster__poll_destroy(poll_);
}

static void *look(void *arg)
{
    while (!atomic_load(&is_over)) {
        char who[8];

        (void)muster__loop_is_stuck(who, sizeof who);
        (void)muster__random();
    }
    return arg;
}

int main(void)
{
    pthread_t onlooker;
    bool is_begun = false;

    muster__timing_scale_for_test(1000);
    (void)sem_init(&finished, 0, 0);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 ||
        muster__loop_acquire(NULL) != MUSTER_OK ||
        pthread_create(&onlooker, NULL, look, NULL) != 0 ||
        muster__loop_call(begin, &is_begun, MUSTER_FOREVER) != MUSTER_OK ||
        !is_begun) {
        return 1;
    }
    while (sem_wait(&finished) != 0) {
    }
    (void)muster__loop_call(end, NULL, MUSTER_FOREVER);
    atomic_store(&is_over, true);
    (void)pthread_join(onlooker, NULL);
    muster__loop_release();
    if (muster__loop_stop(NULL) != MUSTER_OK || sum != JOBS) {
        (void)fprintf(stderr, "%d of %d jobs\n", sum, JOBS);
        return 1;
    }
    return 0;
}
