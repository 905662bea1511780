/* SPDX-License-Identifier: Apache-2.0 */
/* What the core does for a resolver. Every function here may be called by a
 * hostile plugin, on any thread, also long after its instance is gone. */
#include "resolver_host.h"

#include "fork.h"
#include "log_internal.h"
#include "loop.h"
#include "resolver_fds.h"
#include "resolver_handle.h"
#include "resolver_instance.h"

/* The plugin said something malformed: its users hear of it too. */
static void submit_refusal(muster__resolver_instance *instance,
                           const muster_error *error)
{
    muster__report *report = muster__report_create_failure(
        MUSTER__REPORT_REFUSAL, error->code, error->message);

    if (report != NULL) {
        (void)muster__instance_submit(instance, report, NULL);
    }
}

static muster_status submit(muster__resolver_instance *instance,
                            muster_status status, muster__report *report,
                            const muster_error *error, uint64_t *ret_sequence)
{
    if (status == MUSTER_OK) {
        return muster__instance_submit(instance, report, ret_sequence);
    }
    submit_refusal(instance, error);
    return status;
}

static muster_status host_report(void *ctx, const muster_update *update,
                                 uint64_t *ret_sequence)
{
    muster__resolver_instance *instance;
    muster__report *report = NULL;
    muster_error error;
    muster_status status;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    instance = muster__handle_ref(ctx);
    if (instance == NULL) {
        return MUSTER_CLOSED;
    }
    status = muster__report_create_list(update, &report, &error);
    status = submit(instance, status, report, &error, ret_sequence);
    muster__instance_unref(instance);
    return status;
}

static muster_status host_report_delta(void *ctx, const muster_delta *delta,
                                       uint64_t *ret_sequence)
{
    muster__resolver_instance *instance;
    muster__report *report = NULL;
    muster_error error;
    muster_status status;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    instance = muster__handle_ref(ctx);
    if (instance == NULL) {
        return MUSTER_CLOSED;
    }
    status = muster__report_create_delta(delta, &report, &error);
    status = submit(instance, status, report, &error, ret_sequence);
    muster__instance_unref(instance);
    return status;
}

static void host_fail(void *ctx, muster_status code, const char *message)
{
    muster__resolver_instance *instance;
    muster__report *report;

    if (muster__is_forked()) {
        return;
    }
    instance = muster__handle_ref(ctx);
    if (instance == NULL) {
        return;
    }
    report =
        muster__report_create_failure(MUSTER__REPORT_FAILURE, code, message);
    if (report != NULL) {
        (void)muster__instance_submit(instance, report, NULL);
    } else {
        muster__instance_lose_failure(instance, MUSTER_NOMEM);
    }
    muster__instance_unref(instance);
}

static uint64_t after_ns(uint64_t now_ns, uint64_t delay_ms)
{
    return delay_ms > (UINT64_MAX - 1 - now_ns) / 1000000
               ? UINT64_MAX - 1
               : now_ns + delay_ms * 1000000;
}

static muster_status add_job(muster__resolver_instance *instance,
                             uint64_t delay_ms, muster_task_fn fn, void *arg,
                             uint64_t *ret_timer)
{
    muster_status status = MUSTER_CLOSED;

    pthread_mutex_lock(&instance->mutex);
    if (!instance->is_closed) {
        status = muster__jobs_add(&instance->jobs,
                                  after_ns(muster__now_ns(), delay_ms), fn, arg,
                                  ret_timer);
        if (status == MUSTER_OK) {
            muster__instance_wake_locked(instance);
        }
    }
    pthread_mutex_unlock(&instance->mutex);
    return status;
}

static muster_status host_call_later(void *ctx, uint64_t delay_ms,
                                     muster_task_fn fn, void *arg,
                                     uint64_t *ret_timer)
{
    muster__resolver_instance *instance;
    muster_status status;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if (fn == NULL) {
        return MUSTER_INVAL;
    }
    instance = muster__handle_ref(ctx);
    if (instance == NULL) {
        return MUSTER_CLOSED;
    }
    status = add_job(instance, delay_ms, fn, arg, ret_timer);
    muster__instance_unref(instance);
    return status;
}

static muster_status host_post(void *ctx, muster_task_fn fn, void *arg)
{
    return host_call_later(ctx, 0, fn, arg, NULL);
}

/* Calls run one at a time where cancel() is allowed, so a job that is not in
 * the heap any more has run. */
static void host_cancel(void *ctx, uint64_t timer)
{
    muster__resolver_instance *instance;

    if (muster__is_forked()) {
        return;
    }
    instance = muster__handle_ref(ctx);
    if (instance == NULL) {
        return;
    }
    pthread_mutex_lock(&instance->mutex);
    muster__jobs_remove(&instance->jobs, timer);
    pthread_mutex_unlock(&instance->mutex);
    muster__instance_unref(instance);
}

static muster_status watch_fd(muster__resolver_instance *instance, int fd,
                              unsigned events, muster_watch_fn fn, void *arg)
{
    bool is_closed;

    if (instance->is_threaded || !muster__loop_is_current()) {
        return MUSTER_UNSUPPORTED;
    }
    pthread_mutex_lock(&instance->mutex);
    is_closed = instance->is_closed;
    pthread_mutex_unlock(&instance->mutex);
    if (is_closed) {
        return MUSTER_CLOSED;
    }
    return muster__resolver_fds_set(instance, fd, events, fn, arg);
}

static muster_status host_watch(void *ctx, int fd, unsigned events,
                                muster_watch_fn fn, void *arg)
{
    muster__resolver_instance *instance;
    muster_status status;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    instance = muster__handle_ref(ctx);
    if (instance == NULL) {
        return MUSTER_CLOSED;
    }
    status = watch_fd(instance, fd, events, fn, arg);
    muster__instance_unref(instance);
    return status;
}

static void host_stopped(void *ctx)
{
    muster__resolver_instance *instance;

    if (muster__is_forked()) {
        return;
    }
    instance = muster__handle_ref(ctx);
    if (instance == NULL) {
        return;
    }
    pthread_mutex_lock(&instance->mutex);
    if (!instance->is_closed) {
        instance->is_closed = true;
        muster__jobs_clear(&instance->jobs);
        muster__instance_wake_locked(instance);
    }
    pthread_mutex_unlock(&instance->mutex);
    if (!instance->is_threaded && muster__loop_is_current()) {
        muster__resolver_fds_clear(instance);
    }
    muster__instance_unref(instance);
}

static void host_log(void *ctx, muster_log_level level, const char *message)
{
    muster__resolver_instance *instance;

    if (muster__is_forked() || message == NULL) {
        return;
    }
    instance = muster__handle_ref(ctx);
    if (instance == NULL) {
        return;
    }
    if ((unsigned)level > MUSTER_LOG_DEBUG) {
        level = MUSTER_LOG_DEBUG;
    }
    muster__log(level, "%s: %s", instance->plugin_name, message);
    muster__instance_unref(instance);
}

static uint64_t host_now_ms(void *ctx)
{
    (void)ctx;
    return muster__now_ms();
}

static uint64_t host_random(void *ctx)
{
    (void)ctx;
    return muster__random();
}

const muster_resolver_host muster__resolver_host = {
    .struct_size = (uint32_t)sizeof(muster_resolver_host),
    .report = host_report,
    .report_delta = host_report_delta,
    .fail = host_fail,
    .call_later = host_call_later,
    .cancel = host_cancel,
    .watch = host_watch,
    .post = host_post,
    .stopped = host_stopped,
    .log = host_log,
    .now_ms = host_now_ms,
    .random = host_random,
};
