/* SPDX-License-Identifier: Apache-2.0 */
/* Work beside the control thread, on a few threads of our own.
 *
 * Not libuv's pool: its destructor joins the pool's threads, so that exit()
 * waits for whatever runs there and exit() in a fork child crashes (libuv
 * 1.44), and the program's own use of that pool could keep us waiting. */
#include "loop.h"

#include <pthread.h>
#include <stdlib.h>

#include "loop_internal.h"
#include "thread.h"

#define WORK_MAX_THREADS 4u

typedef struct loop_work {
    muster__task task; /* first: the task says that the work is done */
    struct loop_work *next;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
} loop_work;

/* Guards all but n_works. */
static pthread_mutex_t work_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_wake = PTHREAD_COND_INITIALIZER;
static loop_work *first;                    /* to be begun */
static loop_work **last_next = &first;      /* where the next one goes */
static size_t n_queued;                     /* from first on */
static size_t n_idle;                       /* threads that wait for work */
static pthread_t threads[WORK_MAX_THREADS]; /* n_threads of them */
static size_t n_threads;
static bool is_ending;

static size_t n_works; /* not done yet; control thread only */

size_t muster__loop_n_works(void)
{
    return n_works;
}

static void on_done(muster__task *task)
{
    loop_work *work = (loop_work *)task;
    void (*done)(void *arg) = work->done;
    void *arg = work->arg;

    free(work);
    n_works--;
    done(arg);
}

static void push_locked(loop_work *work)
{
    work->next = NULL;
    *last_next = work;
    last_next = &work->next;
    n_queued++;
}

static loop_work *pop_locked(void)
{
    loop_work *work = first;

    if (work != NULL) {
        first = work->next;
        if (first == NULL) {
            last_next = &first;
        }
        n_queued--;
    }
    return work;
}

/* The next work, waiting for it; NULL at the end. */
static loop_work *take(void)
{
    loop_work *work;

    pthread_mutex_lock(&work_lock);
    for (work = pop_locked(); work == NULL && !is_ending; work = pop_locked()) {
        n_idle++;
        pthread_cond_wait(&work_wake, &work_lock);
        n_idle--;
    }
    pthread_mutex_unlock(&work_lock);
    return work;
}

static void *worker_main(void *unused)
{
    loop_work *work;

    (void)unused;
    while ((work = take()) != NULL) {
        work->work(work->arg);
        muster__loop_post(&work->task);
    }
    return NULL;
}

/* A thread for one more work, unless one is idle or there are enough. */
static muster_status reserve_thread_locked(void)
{
    muster_status status;

    if (n_idle > n_queued || n_threads == WORK_MAX_THREADS) {
        return MUSTER_OK;
    }
    status = muster__thread_start("muster-work", worker_main, NULL,
                                  &threads[n_threads]);
    if (status == MUSTER_OK) {
        n_threads++;
    }
    return n_threads > 0 ? MUSTER_OK : status;
}

muster_status muster__loop_work(void (*work)(void *arg),
                                void (*done)(void *arg), void *arg)
{
    loop_work *request = (loop_work *)calloc(1, sizeof *request);
    muster_status status;

    if (request == NULL) {
        return MUSTER_NOMEM;
    }
    request->task.fn = on_done;
    request->work = work;
    request->done = done;
    request->arg = arg;

    pthread_mutex_lock(&work_lock);
    status = reserve_thread_locked();
    if (status == MUSTER_OK) {
        push_locked(request);
        pthread_cond_signal(&work_wake);
    }
    pthread_mutex_unlock(&work_lock);
    if (status != MUSTER_OK) {
        free(request);
        return status;
    }
    n_works++;
    return MUSTER_OK;
}

void muster__loop_end_works(void)
{
    pthread_mutex_lock(&work_lock);
    is_ending = true;
    pthread_cond_broadcast(&work_wake);
    pthread_mutex_unlock(&work_lock);
    for (size_t i = 0; i < n_threads; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    n_threads = 0;
    is_ending = false; /* nobody is left to race with */
}
