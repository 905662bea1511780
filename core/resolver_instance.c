/* SPDX-License-Identifier: Apache-2.0 */
/* One resolver instance: its life and its row of calls. */
#include "resolver_instance.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "registry.h"
#include "resolver_fds.h"
#include "resolver_handle.h"
#include "resolver_host.h"
#include "resolver_runner.h"
#include "resolver_thread.h"
#include "thread.h"

/* Calls in one turn of the loop: a plugin that posts from its posts must not
 * keep the control thread to itself. */
#define CALLS_PER_TURN 64

/* Reports that wait, each with its endpoints: some hundred MB at most. */
#define REPORTS_WEIGHT_MAX ((size_t)2 << 20)

/* Plugins that would not stop may use these for ever. Touched on the control
 * thread only. */
static muster__resolver_instance *leaked;

/* ---- waking ---- */

void muster__instance_post_locked(muster__resolver_instance *instance)
{
    /* An abandoned one may outlive the control thread. */
    if (!instance->is_posted && !instance->is_abandoned) {
        instance->is_posted = true;
        muster__instance_ref(instance);
        muster__loop_post(&instance->task);
    }
}

void muster__instance_wake_locked(muster__resolver_instance *instance)
{
    if (instance->is_threaded) {
        pthread_cond_signal(&instance->work);
    }
    muster__instance_post_locked(instance);
}

/* ---- on the control thread ---- */

static void arm_timer(muster__resolver_instance *instance)
{
    uint64_t now_ns = muster__now_ns();
    uint64_t due_ns;

    pthread_mutex_lock(&instance->mutex);
    due_ns = muster__jobs_due_ns(&instance->jobs);
    pthread_mutex_unlock(&instance->mutex);
    if (due_ns == UINT64_MAX) {
        muster__timer_stop(instance->timer);
        return;
    }
    muster__timer_start(
        instance->timer,
        due_ns <= now_ns ? 0 : (due_ns - now_ns + 999999) / 1000000);
}

static void make_calls(muster__resolver_instance *instance)
{
    for (int i = 0; i < CALLS_PER_TURN; i++) {
        muster__call call;

        pthread_mutex_lock(&instance->mutex);
        muster__instance_next_locked(instance, &call);
        pthread_mutex_unlock(&instance->mutex);
        if (call.kind == MUSTER__CALL_NONE || call.kind == MUSTER__CALL_END) {
            return;
        }
        muster__instance_call(instance, &call);
    }
    pthread_mutex_lock(&instance->mutex);
    muster__instance_post_locked(instance);
    pthread_mutex_unlock(&instance->mutex);
}

static void attend(muster__resolver_instance *instance)
{
    if (instance->runner == NULL) {
        return;
    }
    if (!instance->is_threaded) {
        make_calls(instance);
        arm_timer(instance);
    }
    muster__runner_attend(instance->runner);
}

static void on_task(muster__task *task)
{
    muster__resolver_instance *instance =
        (muster__resolver_instance *)((char *)task -
                                      offsetof(muster__resolver_instance,
                                               task));

    pthread_mutex_lock(&instance->mutex);
    instance->is_posted = false;
    pthread_mutex_unlock(&instance->mutex);
    attend(instance);
    muster__instance_unref(instance);
}

static void on_timer(void *arg)
{
    muster__resolver_instance *instance = arg;

    muster__instance_ref(instance);
    attend(instance);
    muster__instance_unref(instance);
}

/* ---- life ---- */

static void fill_env(muster__resolver_instance *instance,
                     const muster__target *target, void *shared)
{
    instance->env.struct_size = (uint32_t)sizeof instance->env;
    instance->env.host = &muster__resolver_host;
    instance->env.shared = shared;
    instance->env.uri = target->canonical;
    instance->env.authority =
        target->authority != NULL ? target->authority : "";
    instance->env.path = target->path != NULL ? target->path : "";
    instance->env.options = target->options;
    instance->env.n_options = target->n_options;
}

static void release(muster__resolver_instance *instance)
{
    muster__report_queue_clear(&instance->reports);
    muster__report_queue_clear(&instance->applied);
    muster__jobs_clear(&instance->jobs);
    pthread_cond_destroy(&instance->work);
    pthread_mutex_destroy(&instance->mutex);
    free(instance);
}

void muster__instance_ref(muster__resolver_instance *instance)
{
    /* Relaxed: whoever adds one holds one already. */
    atomic_fetch_add_explicit(&instance->refs, 1, memory_order_relaxed);
}

void muster__instance_unref(muster__resolver_instance *instance)
{
    /* Release what was written, and see what the others wrote. */
    if (atomic_fetch_sub_explicit(&instance->refs, 1, memory_order_acq_rel) ==
        1) {
        release(instance);
    }
}

muster_status muster__instance_create(const muster__target *target,
                                      void *shared,
                                      struct muster__runner *runner,
                                      muster__resolver_instance **ret_instance,
                                      muster_error *err)
{
    muster__resolver_instance *instance = calloc(1, sizeof *instance);

    if (instance == NULL) {
        goto fail;
    }
    if (muster__cond_init(&instance->work) != MUSTER_OK) {
        free(instance);
        goto fail;
    }
    pthread_mutex_init(&instance->mutex, NULL);
    atomic_init(&instance->refs, 1);
    instance->class_ = target->resolver;
    instance->is_threaded =
        (target->resolver->flags & MUSTER_RESOLVER_MAY_BLOCK) != 0;
    instance->plugin_name = muster__plugin_name(target->plugin);
    instance->runner = runner;
    instance->task.fn = on_task;
    fill_env(instance, target, shared);
    if (muster__timer_create(on_timer, instance, &instance->timer) !=
            MUSTER_OK ||
        muster__handle_open(instance, &instance->env.ctx) != MUSTER_OK) {
        muster__timer_destroy(instance->timer);
        release(instance);
        goto fail;
    }
    *ret_instance = instance;
    return MUSTER_OK;

fail:
    return muster_error_set(err, MUSTER_NOMEM, "%s: out of memory",
                            target->canonical);
}

muster_status muster__instance_make(muster__resolver_instance *instance,
                                    muster_error *err)
{
    muster__call call = {.kind = MUSTER__CALL_CREATE};
    muster_status status;

    muster__instance_call(instance, &call);
    pthread_mutex_lock(&instance->mutex);
    status = instance->error.code;
    pthread_mutex_unlock(&instance->mutex);
    if (status != MUSTER_OK) {
        return muster_error_set(err, status, "%s", instance->error.message);
    }
    return MUSTER_OK;
}

muster_status muster__instance_run(muster__resolver_instance *instance,
                                   muster_error *err)
{
    if (instance->is_threaded) {
        return muster__resolver_thread_start(instance, err);
    }
    pthread_mutex_lock(&instance->mutex);
    muster__instance_post_locked(instance);
    pthread_mutex_unlock(&instance->mutex);
    return MUSTER_OK;
}

void muster__instance_refresh(muster__resolver_instance *instance)
{
    pthread_mutex_lock(&instance->mutex);
    instance->wants_refresh = true;
    muster__instance_wake_locked(instance);
    pthread_mutex_unlock(&instance->mutex);
}

void muster__instance_stop(muster__resolver_instance *instance)
{
    pthread_mutex_lock(&instance->mutex);
    instance->wants_stop = true;
    muster__instance_wake_locked(instance);
    pthread_mutex_unlock(&instance->mutex);
}

void muster__instance_leak(muster__resolver_instance *instance,
                           muster__target *target)
{
    pthread_mutex_lock(&instance->mutex);
    instance->is_closed = true;
    instance->is_abandoned = true;
    muster__jobs_clear(&instance->jobs);
    pthread_cond_signal(&instance->work);
    pthread_mutex_unlock(&instance->mutex);
    muster__instance_ref(instance);
    instance->leaked_target = target;
    instance->next_leaked = leaked;
    leaked = instance;
}

void muster__instance_detach(muster__resolver_instance *instance)
{
    muster__handle_close(instance->env.ctx);
    muster__resolver_fds_clear(instance);
    muster__timer_destroy(instance->timer);
    instance->timer = NULL;
    instance->runner = NULL;
    muster__instance_unref(instance);
}

muster__instance_state
muster__instance_state_get(muster__resolver_instance *instance)
{
    muster__instance_state state;

    pthread_mutex_lock(&instance->mutex);
    state = instance->state;
    pthread_mutex_unlock(&instance->mutex);
    return state;
}

void muster__instance_lose_failure(muster__resolver_instance *instance,
                                   muster_status status)
{
    pthread_mutex_lock(&instance->mutex);
    if (!instance->is_closed) {
        instance->lost_failure = status;
        muster__instance_post_locked(instance);
    }
    pthread_mutex_unlock(&instance->mutex);
}

muster_status
muster__instance_take_lost_failure(muster__resolver_instance *instance)
{
    muster_status status;

    pthread_mutex_lock(&instance->mutex);
    status = instance->lost_failure;
    instance->lost_failure = MUSTER_OK;
    pthread_mutex_unlock(&instance->mutex);
    return status;
}

uint64_t muster__instance_late_reports(muster__resolver_instance *instance)
{
    uint64_t n;

    pthread_mutex_lock(&instance->mutex);
    n = instance->late_reports;
    pthread_mutex_unlock(&instance->mutex);
    return n;
}

/* ---- reports ---- */

static size_t weight_of(const muster__report *report)
{
    size_t weight = 1;

    weight += report->upserted != NULL ? report->upserted->n : 0;
    weight += report->removed != NULL ? report->removed->n : 0;
    return weight;
}

void muster__instance_take_reports(muster__resolver_instance *instance,
                                   size_t max, muster__report_queue *ret_queue)
{
    muster__report_queue taken = {.first = NULL};

    pthread_mutex_lock(&instance->mutex);
    for (size_t i = 0; i < max && instance->reports.first != NULL; i++) {
        muster__report *report = muster__report_pop(&instance->reports);

        instance->reports_weight -= weight_of(report);
        muster__report_push(&taken, report);
    }
    if (instance->reports.first != NULL) {
        muster__instance_post_locked(instance);
    }
    pthread_mutex_unlock(&instance->mutex);
    *ret_queue = taken;
}

void muster__instance_tell(muster__resolver_instance *instance,
                           muster__report *report)
{
    if (instance->class_->applied == NULL || report->sequence == 0) {
        muster__report_destroy(report);
        return;
    }
    muster__report_clear(report);
    pthread_mutex_lock(&instance->mutex);
    muster__report_push(&instance->applied, report);
    muster__instance_wake_locked(instance);
    pthread_mutex_unlock(&instance->mutex);
}

static bool is_numbered(const muster__report *report)
{
    return report->kind == MUSTER__REPORT_LIST ||
           report->kind == MUSTER__REPORT_DELTA;
}

/* A plugin that reports faster than anybody can listen must not fill memory. */
static bool is_too_much_locked(const muster__resolver_instance *instance,
                               size_t weight)
{
    return instance->reports.first != NULL &&
           instance->reports_weight + weight > REPORTS_WEIGHT_MAX;
}

static muster_status enqueue_locked(muster__resolver_instance *instance,
                                    muster__report *report,
                                    uint64_t *ret_sequence)
{
    size_t weight = weight_of(report);

    if (instance->is_closed) {
        instance->late_reports++;
        return MUSTER_CLOSED;
    }
    if (is_too_much_locked(instance, weight)) {
        return MUSTER_NOMEM;
    }
    if (is_numbered(report)) {
        report->sequence = ++instance->last_sequence;
        *ret_sequence = report->sequence;
    }
    instance->reports_weight += weight;
    muster__report_push(&instance->reports, report);
    return MUSTER_OK;
}

muster_status muster__instance_submit(muster__resolver_instance *instance,
                                      muster__report *report,
                                      uint64_t *ret_sequence)
{
    bool is_direct = muster__loop_is_current() && instance->runner != NULL &&
                     !muster__runner_is_busy(instance->runner) &&
                     !muster__instance_defers_reports();
    uint64_t sequence = 0;
    muster_status status;

    pthread_mutex_lock(&instance->mutex);
    status = enqueue_locked(instance, report, &sequence);
    if (status == MUSTER_OK && !is_direct) {
        muster__instance_post_locked(instance);
    }
    pthread_mutex_unlock(&instance->mutex);
    if (status != MUSTER_OK) {
        muster__report_destroy(report);
        return status;
    }
    if (ret_sequence != NULL) {
        *ret_sequence = sequence;
    }
    if (is_direct) {
        muster__runner_drain(instance->runner, SIZE_MAX);
    }
    return MUSTER_OK;
}
