/* SPDX-License-Identifier: Apache-2.0 */
/* The row of calls into one resolver instance: which is next, and making it. */
#include "resolver_fds.h"
#include "resolver_instance.h"

/* How deep the control thread is in resolvers' code, and in callbacks during
 * which no report is applied. */
static unsigned n_entered;
static unsigned n_deferring;

bool muster__instance_is_in_call(void)
{
    return n_entered > 0;
}

void muster__instance_enter(const muster__resolver_instance *instance,
                            const char *what)
{
    n_entered++;
    muster__loop_enter_plugin(instance->plugin_name, what);
}

void muster__instance_leave(void)
{
    muster__loop_leave_plugin();
    n_entered--;
}

void muster__instance_defer_reports(void)
{
    n_deferring++;
}

void muster__instance_undefer_reports(void)
{
    n_deferring--;
}

/* Resolvers' own calls begin where nothing is under way; a policy's do not. */
bool muster__instance_defers_reports(void)
{
    return n_deferring > 0 || muster__loop_plugin_depth() > n_entered;
}

static bool has_ended(const muster__resolver_instance *instance)
{
    return instance->is_abandoned ||
           instance->state == MUSTER__INSTANCE_FAILED ||
           instance->state == MUSTER__INSTANCE_FREED;
}

/* Before start() there is nothing to stop, and nor is there without stop(). */
static muster__call_kind end_call_locked(muster__resolver_instance *instance)
{
    if (instance->state == MUSTER__INSTANCE_STARTED &&
        instance->class_->stop != NULL) {
        instance->state = MUSTER__INSTANCE_STOPPING;
        return MUSTER__CALL_STOP;
    }
    instance->is_closed = true;
    muster__jobs_clear(&instance->jobs);
    return MUSTER__CALL_FREE;
}

static muster__call_kind
running_call_locked(muster__resolver_instance *instance, muster__call *call)
{
    if (instance->state == MUSTER__INSTANCE_STARTED) {
        /* First: what was refused is what a refresh is to bring again. */
        call->report = muster__report_pop(&instance->applied);
        if (call->report != NULL) {
            return MUSTER__CALL_APPLIED;
        }
        if (instance->wants_refresh) {
            instance->wants_refresh = false;
            return MUSTER__CALL_REFRESH;
        }
    }
    return muster__jobs_take(&instance->jobs, muster__now_ns(), &call->job)
               ? MUSTER__CALL_JOB
               : MUSTER__CALL_NONE;
}

static muster__call_kind next_kind_locked(muster__resolver_instance *instance,
                                          muster__call *call)
{
    if (has_ended(instance)) {
        return MUSTER__CALL_END;
    }
    if (instance->state == MUSTER__INSTANCE_NEW) {
        if (instance->wants_stop) {
            instance->is_closed = true;
            instance->state = MUSTER__INSTANCE_FREED;
            muster__instance_post_locked(instance);
            return MUSTER__CALL_END;
        }
        return MUSTER__CALL_CREATE;
    }
    if (instance->is_closed) {
        return MUSTER__CALL_FREE;
    }
    if (instance->wants_stop && instance->state != MUSTER__INSTANCE_STOPPING) {
        return end_call_locked(instance);
    }
    if (instance->state == MUSTER__INSTANCE_CREATED) {
        instance->state = MUSTER__INSTANCE_STARTED;
        return MUSTER__CALL_START;
    }
    return running_call_locked(instance, call);
}

void muster__instance_next_locked(muster__resolver_instance *instance,
                                  muster__call *ret_call)
{
    ret_call->report = NULL;
    ret_call->kind = next_kind_locked(instance, ret_call);
}

static void set_state(muster__resolver_instance *instance,
                      muster__instance_state state)
{
    pthread_mutex_lock(&instance->mutex);
    instance->state = state;
    muster__instance_post_locked(instance);
    pthread_mutex_unlock(&instance->mutex);
}

static void call_create(muster__resolver_instance *instance)
{
    muster_error error = {.code = MUSTER_OK};
    muster_status status =
        instance->class_->create(&instance->env, &instance->self, &error);

    if (status == MUSTER_OK) {
        set_state(instance, MUSTER__INSTANCE_CREATED);
        return;
    }
    if (error.code == MUSTER_OK) {
        (void)muster_error_set(&error, status, "%s: %s", instance->env.uri,
                               muster_status_text(status));
    }
    error.code = status;
    pthread_mutex_lock(&instance->mutex);
    instance->error = error;
    instance->is_closed = true;
    instance->state = MUSTER__INSTANCE_FAILED;
    muster__jobs_clear(&instance->jobs);
    muster__instance_post_locked(instance);
    pthread_mutex_unlock(&instance->mutex);
}

static void call_free(muster__resolver_instance *instance)
{
    if (!instance->is_threaded) {
        muster__resolver_fds_clear(instance);
    }
    instance->class_->free(instance->self);
    set_state(instance, MUSTER__INSTANCE_FREED);
}

static void call_applied(muster__resolver_instance *instance,
                         muster__report *report)
{
    instance->class_->applied(instance->self, report->sequence, report->status);
    muster__report_destroy(report);
}

static void call_plugin(muster__resolver_instance *instance, muster__call *call)
{
    switch (call->kind) {
    case MUSTER__CALL_CREATE:
        call_create(instance);
        break;
    case MUSTER__CALL_START:
        instance->class_->start(instance->self);
        break;
    case MUSTER__CALL_REFRESH:
        instance->class_->refresh(instance->self);
        break;
    case MUSTER__CALL_APPLIED:
        call_applied(instance, call->report);
        break;
    case MUSTER__CALL_JOB:
        call->job.fn(call->job.arg);
        break;
    case MUSTER__CALL_STOP:
        instance->class_->stop(instance->self);
        break;
    case MUSTER__CALL_FREE:
        call_free(instance);
        break;
    case MUSTER__CALL_NONE:
    case MUSTER__CALL_END:
        break;
    }
}

void muster__instance_call(muster__resolver_instance *instance,
                           muster__call *call)
{
    static const char *const names[] = {
        [MUSTER__CALL_CREATE] = "create",   [MUSTER__CALL_START] = "start",
        [MUSTER__CALL_REFRESH] = "refresh", [MUSTER__CALL_APPLIED] = "applied",
        [MUSTER__CALL_JOB] = "a timer",     [MUSTER__CALL_STOP] = "stop",
        [MUSTER__CALL_FREE] = "free",
    };

    if (instance->is_threaded) {
        call_plugin(instance, call);
        return;
    }
    muster__instance_enter(instance, names[call->kind]);
    call_plugin(instance, call);
    muster__instance_leave();
}
