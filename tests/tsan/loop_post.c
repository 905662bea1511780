/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads post and call while the loop starts and stops. */
#include "loop.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <muster/call.h>

enum { POSTERS = 4, TASKS = 5000, ROUNDS = 5 };

typedef struct poster {
    pthread_t thread;
    int n_posted;
    int last; /* control thread only */
} poster;

typedef struct numbered_task {
    muster__task task;
    poster *from;
    int number;
} numbered_task;

static poster posters[POSTERS];
static int n_run;      /* control thread only */
static int n_disorder; /* control thread only */

static void run_task(muster__task *task)
{
    numbered_task *numbered = (numbered_task *)task;

    if (numbered->number != numbered->from->last + 1) {
        n_disorder++;
    }
    numbered->from->last = numbered->number;
    n_run++;
    free(numbered);
}

static void count(void *arg)
{
    (*(int *)arg)++;
}

static void post_one(poster *from, int number)
{
    numbered_task *numbered = (numbered_task *)malloc(sizeof *numbered);

    if (numbered == NULL) {
        abort();
    }
    numbered->task.fn = run_task;
    numbered->from = from;
    numbered->number = number;
    muster__loop_post(&numbered->task);
}

static void *post_all(void *arg)
{
    poster *self = (poster *)arg;
    int n_called = 0;

    if (muster__loop_acquire(NULL) != MUSTER_OK) {
        abort();
    }
    for (int i = 1; i <= TASKS; i++) {
        post_one(self, i);
        if (i % 500 == 0 &&
            muster__loop_call(count, &n_called, MUSTER_FOREVER) != MUSTER_OK) {
            abort();
        }
    }
    /* At once after the last post: the thread may end while libuv is still
     * being woken. */
    muster__loop_release();
    (void)muster__loop_stop(NULL);
    return NULL;
}

static int run_round(void)
{
    n_run = 0;
    for (int i = 0; i < POSTERS; i++) {
        posters[i].last = 0;
    }
    for (int i = 0; i < POSTERS; i++) {
        if (pthread_create(&posters[i].thread, NULL, post_all, &posters[i]) !=
            0) {
            abort();
        }
    }
    for (int i = 0; i < POSTERS; i++) {
        (void)pthread_join(posters[i].thread, NULL);
    }
    return muster__loop_stop(NULL) == MUSTER_OK && n_run == POSTERS * TASKS &&
           n_disorder == 0;
}

int main(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (!run_round()) {
            (void)fprintf(stderr, "round %d: %d run, %d out of order\n", i,
                          n_run, n_disorder);
            return 1;
        }
    }
    return 0;
}
