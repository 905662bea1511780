/* SPDX-License-Identifier: Apache-2.0 */
/* Starts muster's own threads. */
#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "loop.h"
#include "signal_mask.h"

muster_status muster__thread_start(const char *name, void *(*fn)(void *arg),
                                   void *arg, pthread_t *ret_thread)
{
    sigset_t before;
    pthread_t thread;
    int error;

    /* A thread inherits the mask of its creator: no signal can come in
     * between. */
    muster__block_signals(&before);
    error = pthread_create(&thread, NULL, fn, arg);
    muster__restore_signals(&before);
    if (error != 0) {
        return error == ENOMEM ? MUSTER_NOMEM : MUSTER_UNAVAILABLE;
    }
    (void)pthread_setname_np(thread, name);
    *ret_thread = thread;
    return MUSTER_OK;
}

muster_status muster__cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int error;

    if (pthread_condattr_init(&attributes) != 0) {
        return MUSTER_NOMEM;
    }
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (error == 0) {
        error = pthread_cond_init(cond, &attributes);
    }
    (void)pthread_condattr_destroy(&attributes);
    return error == 0 ? MUSTER_OK : MUSTER_NOMEM;
}

int muster__cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex,
                            uint64_t deadline_ns)
{
    struct timespec deadline;

    if (deadline_ns == UINT64_MAX) {
        return pthread_cond_wait(cond, mutex);
    }
    deadline.tv_sec = (time_t)(deadline_ns / 1000000000u);
    deadline.tv_nsec = (long)(deadline_ns % 1000000000u);
    return pthread_cond_timedwait(cond, mutex, &deadline);
}

uint64_t muster__deadline_ns(uint64_t timeout_ms)
{
    uint64_t now_ns = muster__now_ns();

    if (timeout_ms > (UINT64_MAX - now_ns) / 1000000u) {
        return UINT64_MAX;
    }
    return now_ns + timeout_ms * 1000000u;
}
