/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a function on the control thread and waits for it. */
#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fork.h"
#include "thread.h"

/* On the heap and counted, because either side may be the last to need it: a
 * caller that gives up leaves it to the control thread. */
typedef struct loop_call {
    muster__task task; /* first: the task is the call */
    void (*fn)(void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done; /* guarded by lock */
    _Atomic uint32_t refs;
} loop_call;

static void call_unref(loop_call *call)
{
    /* Release: our use of it happens before; acquire: theirs too. */
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    (void)pthread_cond_destroy(&call->changed);
    (void)pthread_mutex_destroy(&call->lock);
    free(call);
}

static void on_call_task(muster__task *task)
{
    loop_call *call = (loop_call *)task;

    call->fn(call->arg);
    pthread_mutex_lock(&call->lock);
    call->is_done = true;
    pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->lock);
    call_unref(call);
}

static loop_call *call_create(void (*fn)(void *arg), void *arg)
{
    loop_call *call = (loop_call *)calloc(1, sizeof *call);

    if (call == NULL) {
        return NULL;
    }
    if (muster__cond_init(&call->changed) != MUSTER_OK) {
        free(call);
        return NULL;
    }
    (void)pthread_mutex_init(&call->lock, NULL);
    call->task.fn = on_call_task;
    call->fn = fn;
    call->arg = arg;
    atomic_init(&call->refs, 2);
    return call;
}

static bool call_wait(loop_call *call, uint64_t deadline_ns)
{
    bool is_done;
    int error = 0;

    pthread_mutex_lock(&call->lock);
    while (!call->is_done && error != ETIMEDOUT) {
        error =
            muster__cond_wait_until(&call->changed, &call->lock, deadline_ns);
    }
    is_done = call->is_done;
    pthread_mutex_unlock(&call->lock);
    return is_done;
}

muster_status muster__loop_call(void (*fn)(void *arg), void *arg,
                                uint64_t timeout_ms)
{
    loop_call *call;
    bool is_done;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if (muster__loop_is_current()) {
        fn(arg);
        return MUSTER_OK;
    }
    call = call_create(fn, arg);
    if (call == NULL) {
        return MUSTER_NOMEM;
    }
    muster__loop_post(&call->task);
    is_done = call_wait(call, muster__deadline_ns(timeout_ms));
    call_unref(call);
    return is_done ? MUSTER_OK : MUSTER_TIMEOUT;
}
