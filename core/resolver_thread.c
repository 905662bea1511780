/* SPDX-License-Identifier: Apache-2.0 */
/* A thread for the calls of one resolver instance that may block. */
#include "resolver_thread.h"

#include <pthread.h>
#include <stdio.h>

#include "thread.h"

static void *run(void *arg)
{
    muster__resolver_instance *instance = arg;
    muster__call call;

    for (;;) {
        pthread_mutex_lock(&instance->mutex);
        muster__instance_next_locked(instance, &call);
        while (call.kind == MUSTER__CALL_NONE) {
            (void)muster__cond_wait_until(&instance->work, &instance->mutex,
                                          muster__jobs_due_ns(&instance->jobs));
            muster__instance_next_locked(instance, &call);
        }
        pthread_mutex_unlock(&instance->mutex);
        if (call.kind == MUSTER__CALL_END) {
            break;
        }
        muster__instance_call(instance, &call);
    }
    muster__instance_unref(instance);
    return NULL;
}

muster_status muster__resolver_thread_start(muster__resolver_instance *instance,
                                            muster_error *err)
{
    char name[16]; /* what the kernel keeps */
    pthread_t thread;
    muster_status status;

    (void)snprintf(name, sizeof name, "muster-%s", instance->class_->scheme);
    muster__instance_ref(instance);
    status = muster__thread_start(name, run, instance, &thread);
    if (status != MUSTER_OK) {
        muster__instance_unref(instance);
        return muster_error_set(err, status, "%s: no thread for the resolver",
                                instance->env.uri);
    }
    (void)pthread_detach(thread);
    return MUSTER_OK;
}
