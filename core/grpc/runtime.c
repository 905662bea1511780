/* SPDX-License-Identifier: Apache-2.0 */
/* Starts C core and what muster runs beside it. */
#include "runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <grpc/support/time.h>

#include "openssl_exit.h"
#include "poller.h"
#include "signal_mask.h"

static pthread_mutex_t start_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool is_started;       /* guarded by start_mutex */
static bool has_fork_handler; /* guarded by start_mutex */
static grpc_completion_queue *watch_queue;
static grpc_channel *lame_channel;
static _Thread_local bool is_control_thread;

/* Relaxed: written in a child while it has one thread. */
static atomic_bool is_forked;

static void on_fork_child(void)
{
    atomic_store_explicit(&is_forked, true, memory_order_relaxed);
}

bool muster__grpc_is_forked(void)
{
    return atomic_load_explicit(&is_forked, memory_order_relaxed);
}

grpc_completion_queue *muster__grpc_watch_queue(void)
{
    return watch_queue;
}

grpc_channel *muster__grpc_lame_channel(void)
{
    return lame_channel;
}

void muster__grpc_mark_control_thread(void)
{
    is_control_thread = true;
}

bool muster__grpc_on_control_thread(void)
{
    return is_control_thread;
}

muster_status muster__grpc_thread_create(const char *name, void *(*run)(void *),
                                         void *arg, pthread_t *ret_thread)
{
    sigset_t before;
    int failed;

    muster__block_signals(&before);
    failed = pthread_create(ret_thread, NULL, run, arg);
    muster__restore_signals(&before);
    if (failed != 0) {
        return MUSTER_NOMEM;
    }
    (void)pthread_setname_np(*ret_thread, name);
    return MUSTER_OK;
}

muster_status muster__grpc_thread(const char *name, void *(*run)(void *))
{
    pthread_t thread;
    muster_status status = muster__grpc_thread_create(name, run, NULL, &thread);

    if (status == MUSTER_OK) {
        (void)pthread_detach(thread);
    }
    return status;
}

gpr_timespec muster__grpc_after_ms(uint64_t delay_ms)
{
    if (delay_ms > INT64_MAX) {
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    }
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis((int64_t)delay_ms, GPR_TIMESPAN));
}

/* Where a polling thread serves only the descriptors of its own queue, the
 * watches' queue has to be polled all the time. Ends with the process. */
static void *poll_watches(void *unused)
{
    const gpr_timespec forever = gpr_inf_future(GPR_CLOCK_MONOTONIC);

    (void)unused;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(watch_queue, forever, NULL);

        if (event.type == GRPC_OP_COMPLETE) {
            grpc_completion_queue_functor *functor = event.tag;

            functor->functor_run(functor, event.success);
        }
    }
    return NULL;
}

/* A queue of callbacks has what watches need and is polled by nobody, which is
 * what is wanted: 1.51.1 aborts on a watch in a GRPC_CQ_NON_POLLING queue. Its
 * shutdown never comes. */
static muster_status start_watches(void)
{
    static grpc_completion_queue_functor never;

    if (muster__grpc_poller_serves_all()) {
        watch_queue = grpc_completion_queue_create_for_callback(&never, NULL);
        return MUSTER_OK;
    }
    watch_queue = grpc_completion_queue_create_for_next(NULL);
    return muster__grpc_thread("muster-watch", poll_watches);
}

static muster_status start_locked(void)
{
    if (!has_fork_handler) {
        has_fork_handler = pthread_atfork(NULL, NULL, on_fork_child) == 0;
    }
    if (!has_fork_handler) {
        return MUSTER_NOMEM;
    }
    if (lame_channel == NULL) {
        muster__openssl_survives_exit();
        grpc_init();
        lame_channel = grpc_lame_client_channel_create(
            "muster", GRPC_STATUS_UNAVAILABLE, "never connected");
    }
    if (watch_queue == NULL) {
        muster_status status = start_watches();

        if (status != MUSTER_OK) {
            grpc_completion_queue_shutdown(watch_queue);
            grpc_completion_queue_destroy(watch_queue);
            watch_queue = NULL;
            return status;
        }
    }
    return muster__grpc_poller_start();
}

/* C core's own threads, which it begins now, inherit the mask of this one, so
 * the program's signal handlers do not run on them either. */
static muster_status start_blocked(void)
{
    muster_status status;
    sigset_t before;

    muster__block_signals(&before);
    status = start_locked();
    muster__restore_signals(&before);
    return status;
}

muster_status muster__grpc_start(muster_error *err)
{
    muster_status status = MUSTER_OK;

    if (muster__grpc_is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    pthread_mutex_lock(&start_mutex);
    if (!is_started) {
        status = start_blocked();
        is_started = status == MUSTER_OK;
    }
    pthread_mutex_unlock(&start_mutex);
    if (status != MUSTER_OK) {
        return muster_error_set(err, status, "muster's gRPC threads: %s",
                                strerror(EAGAIN));
    }
    return MUSTER_OK;
}
