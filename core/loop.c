/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread: its life, and the tasks posted to it. */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "admin/admin.h"
#include "exit.h"
#include "fork.h"
#include "log_internal.h"
#include "loop_internal.h"
#include "thread.h"
#include "watchdog.h"

typedef enum loop_state {
    LOOP_STOPPED,
    LOOP_RUNNING,
    LOOP_STOPPING
} loop_state;

/* Static, so that what a program leaves behind at exit() is reachable, and so
 * that nothing here is ever freed under a thread. No destructor: exit() lets
 * the threads run until the process is gone. */
static pthread_mutex_t loop_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t loop_changed = PTHREAD_COND_INITIALIZER;
static loop_state state;     /* guarded by loop_lock */
static uint32_t n_users;     /* guarded by loop_lock */
static pthread_t thread;     /* of the one that set LOOP_STOPPING, then */
static void (*at_end)(void); /* set before the last task is posted */

static uv_loop_t uv;
static uv_async_t wakeup;

/* The tasks posted since the last turn, newest first. */
static _Atomic(muster__task *) inbox;

/* Threads inside muster__loop_post(). Another thread's task may lead to a stop
 * while they are still about to write to the loop's descriptor. */
static _Atomic uint32_t n_posting;

static _Thread_local bool is_control;

uv_loop_t *muster__loop_uv(void)
{
    assert(is_control);
    return &uv;
}

bool muster__loop_is_current(void)
{
    return is_control;
}

void muster__loop_post(muster__task *task)
{
    muster__task *newest;

    if (muster__is_forked()) {
        return;
    }
    /* n_posting rises before the task can be seen, and falls after all that
     * touches the loop. The task either gets into a batch, or is pushed onto
     * an inbox that the batch left empty: then it acquires what the control
     * thread did before, and libuv sees that the loop must be woken anew. */
    atomic_fetch_add(&n_posting, 1);
    newest = atomic_load_explicit(&inbox, memory_order_relaxed);
    do {
        task->next = newest;
    } while (!atomic_compare_exchange_weak(&inbox, &newest, task));
    (void)uv_async_send(&wakeup);
    atomic_fetch_sub(&n_posting, 1);
}

static muster__task *reversed(muster__task *newest)
{
    muster__task *oldest = NULL;

    while (newest != NULL) {
        muster__task *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void run_posted(void)
{
    muster__task *task = reversed(atomic_exchange(&inbox, NULL));

    while (task != NULL) {
        muster__task *next = task->next;

        task->fn(task);
        task = next;
    }
}

static void on_wakeup(uv_async_t *handle)
{
    (void)handle;
    run_posted();
}

/* ---- the thread ---- */

/* Runs all that was posted or is being worked on, and what that leads to. */
static void settle(void)
{
    do {
        if (muster__loop_n_works() > 0) {
            (void)uv_run(&uv, UV_RUN_ONCE);
        }
        while (atomic_load(&n_posting) > 0) {
            (void)sched_yield();
        }
        run_posted();
    } while (muster__loop_n_works() > 0 || atomic_load(&inbox) != NULL);
}

/* Whoever owns the handle did not destroy it: its memory stays. */
static void close_leftover(uv_handle_t *handle, void *arg)
{
    unsigned *n_left = (unsigned *)arg;

    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
        *n_left += 1;
    }
}

static void close_handles(void)
{
    unsigned n_left = 0;

    uv_close((uv_handle_t *)&wakeup, NULL);
    uv_walk(&uv, close_leftover, &n_left);
    if (n_left > 0) {
        muster__log(MUSTER_LOG_ERROR,
                    "%u timers or watches were not destroyed before the end",
                    n_left);
    }
    (void)uv_run(&uv, UV_RUN_DEFAULT);
}

static void *control_main(void *unused)
{
    int error;

    (void)unused;
    is_control = true;
    muster__admin_begin();
    (void)uv_run(&uv, UV_RUN_DEFAULT);
    settle();
    if (at_end != NULL) {
        at_end();
        settle();
    }
    muster__admin_end();
    close_handles();
    error = uv_loop_close(&uv);
    assert(error == 0);
    (void)error;
    return NULL;
}

void muster__loop_run_while(bool (*is_wanted)(void))
{
    assert(is_control);
    while (is_wanted()) {
        (void)uv_run(&uv, UV_RUN_ONCE);
    }
}

static void on_stop_task(muster__task *task)
{
    (void)task;
    uv_stop(&uv);
}

/* ---- start and stop ---- */

/* The first uv_loop_init() of a process aborts when it cannot make its pipe.
 * Whether all that a loop needs can be had is found out beforehand. */
static int try_descriptors(void)
{
    enum { N_PIPES = 3 }; /* epoll, eventfd, two pipes: six descriptors */
    int fds[N_PIPES][2];
    int n_made = 0;
    int error = 0;

    while (n_made < N_PIPES && error == 0) {
        if (pipe2(fds[n_made], O_CLOEXEC) == 0) {
            n_made++;
        } else {
            error = uv_translate_sys_error(errno);
        }
    }
    while (n_made > 0) {
        n_made--;
        (void)close(fds[n_made][0]);
        (void)close(fds[n_made][1]);
    }
    return error;
}

static muster_status open_loop(muster_error *err)
{
    int error = try_descriptors();

    if (error == 0) {
        error = uv_loop_init(&uv);
    }
    if (error == 0) {
        error = uv_async_init(&uv, &wakeup, on_wakeup);
        if (error != 0) {
            (void)uv_loop_close(&uv);
        }
    }
    if (error != 0) {
        return muster_error_set(
            err, error == UV_ENOMEM ? MUSTER_NOMEM : MUSTER_UNAVAILABLE,
            "cannot open the event loop: %s", uv_strerror(error));
    }
    return MUSTER_OK;
}

static void close_unused_loop(void)
{
    uv_close((uv_handle_t *)&wakeup, NULL);
    (void)uv_run(&uv, UV_RUN_DEFAULT);
    (void)uv_loop_close(&uv);
}

static muster_status start_locked(muster_error *err)
{
    muster_status status = open_loop(err);

    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__watchdog_start();
    if (status != MUSTER_OK) {
        goto fail;
    }
    muster__admin_prepare();
    muster__exit_prepare();
    status = muster__thread_start("muster", control_main, NULL, &thread);
    if (status != MUSTER_OK) {
        muster__watchdog_stop();
        goto fail;
    }
    state = LOOP_RUNNING;
    return MUSTER_OK;

fail:
    close_unused_loop();
    return muster_error_set(err, status, "cannot start the control thread: %s",
                            muster_status_text(status));
}

muster_status muster__loop_acquire(muster_error *err)
{
    muster_status status = MUSTER_OK;

    muster__fork_init();
    if (muster__is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    pthread_mutex_lock(&loop_lock);
    while (state == LOOP_STOPPING && !is_control) {
        pthread_cond_wait(&loop_changed, &loop_lock);
    }
    if (state == LOOP_STOPPING) {
        status = muster_error_set(err, MUSTER_CLOSED,
                                  "the control thread is shutting down");
    } else if (state == LOOP_STOPPED) {
        status = start_locked(err);
    }
    if (status == MUSTER_OK) {
        n_users++;
    }
    pthread_mutex_unlock(&loop_lock);
    return status;
}

void muster__loop_release(void)
{
    if (muster__is_forked()) {
        return;
    }
    pthread_mutex_lock(&loop_lock);
    assert(n_users > 0);
    n_users--;
    pthread_mutex_unlock(&loop_lock);
}

/* The caller has set LOOP_STOPPING, so nobody else comes here. */
static void end_thread(void (*last)(void))
{
    static muster__task stop_task = {NULL, on_stop_task};

    at_end = last;
    muster__loop_post(&stop_task);
    (void)pthread_join(thread, NULL);
    muster__loop_end_works();
    muster__watchdog_stop();
}

muster_status muster__loop_stop(void (*last)(void))
{
    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if (is_control) {
        return MUSTER_WOULD_DEADLOCK;
    }
    pthread_mutex_lock(&loop_lock);
    while (state == LOOP_STOPPING) {
        pthread_cond_wait(&loop_changed, &loop_lock);
    }
    if (n_users > 0 || state == LOOP_STOPPED) {
        muster_status status = n_users > 0 ? MUSTER_BUSY : MUSTER_OK;

        pthread_mutex_unlock(&loop_lock);
        return status;
    }
    state = LOOP_STOPPING;
    pthread_mutex_unlock(&loop_lock);

    end_thread(last);

    pthread_mutex_lock(&loop_lock);
    state = LOOP_STOPPED;
    pthread_cond_broadcast(&loop_changed);
    pthread_mutex_unlock(&loop_lock);
    return MUSTER_OK;
}
