/* SPDX-License-Identifier: Apache-2.0 */
/* Something asked of the control thread by a thread that waits. */
#include "request.h"

#include <errno.h>

#include "thread.h"
#include "timing.h"

static void request_on_control(muster__task *task)
{
    muster__request *request = (muster__request *)task;
    bool is_abandoned;

    request->fn(request);
    pthread_mutex_lock(&request->lock);
    request->is_done = true;
    is_abandoned = request->is_abandoned;
    pthread_cond_signal(&request->changed);
    pthread_mutex_unlock(&request->lock);
    if (is_abandoned) {
        request->abandon(request);
    }
}

muster_status muster__request_init(muster__request *request,
                                   void (*fn)(muster__request *request),
                                   void (*abandon)(muster__request *request))
{
    muster_status status = muster__cond_init(&request->changed);

    if (status != MUSTER_OK) {
        return status;
    }
    (void)pthread_mutex_init(&request->lock, NULL);
    request->task.fn = request_on_control;
    request->fn = fn;
    request->abandon = abandon;
    request->is_done = false;
    request->is_abandoned = false;
    return MUSTER_OK;
}

/* The lock is held. Whether the answer came; *who hangs when it did not. */
static bool wait_locked(muster__request *request, char *who, size_t who_size)
{
    while (!request->is_done) {
        uint64_t check_ms = muster__timing_ms(MUSTER__CLOSE_CHECK_MS);
        if (muster__cond_wait_until(&request->changed, &request->lock,
                                    muster__deadline_ns(check_ms)) ==
                ETIMEDOUT &&
            !request->is_done && muster__loop_is_stuck(who, who_size)) {
            return false;
        }
    }
    return true;
}

muster_status muster__request_run(muster__request *request, muster_error *err)
{
    char who[64];
    bool is_done;

    if (muster__loop_is_current()) {
        request->fn(request);
        return MUSTER_OK;
    }
    muster__loop_post(&request->task);
    pthread_mutex_lock(&request->lock);
    is_done = wait_locked(request, who, sizeof who);
    request->is_abandoned = !is_done;
    pthread_mutex_unlock(&request->lock);
    if (!is_done) {
        return muster_error_set(
            err, MUSTER_TIMEOUT,
            "plugin %s has been holding the control thread for 5 s", who);
    }
    return MUSTER_OK;
}

bool muster__request_is_wanted(muster__request *request)
{
    bool is_wanted;

    pthread_mutex_lock(&request->lock);
    is_wanted = !request->is_abandoned;
    pthread_mutex_unlock(&request->lock);
    return is_wanted;
}

void muster__request_fini(muster__request *request)
{
    (void)pthread_cond_destroy(&request->changed);
    (void)pthread_mutex_destroy(&request->lock);
}
