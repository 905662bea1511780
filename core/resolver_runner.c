/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a resolver for one target. */
#include "resolver_runner.h"

#include <stdlib.h>

#include "backoff.h"
#include "log_internal.h"
#include "loop.h"
#include "registry.h"
#include "resolver_instance.h"
#include "timing.h"

#define COOLDOWN_DEFAULT_MS 1000u

/* Reports in one turn of the loop: a plugin that reports without end must not
 * keep the control thread to itself. */
#define REPORTS_PER_TURN 64u

/* What the one timer will do. */
typedef enum next_step {
    STEP_NONE,
    STEP_HINT,  /* refresh(), because somebody asked */
    STEP_RETRY, /* refresh(), because of a failure */
    STEP_REMAKE /* a new instance: the last one failed as such */
} next_step;

struct muster__runner {
    muster__target *target;
    const muster__runner_events *events;
    void *owner;
    void *shared;
    muster__resolver_instance *instance; /* NULL: between two */
    muster__backoff backoff;
    muster__timer *timer;
    next_step step;
    muster__timer *stop_timer;
    uint32_t n_holds;
    bool is_failing;
    bool is_stopping;
    bool has_ended;
    bool has_refreshed;
    bool is_leaked;
    uint64_t outage_start_ms;
    uint64_t last_refresh_ms;
    uint64_t late_reports; /* of former instances */
};

/* ---- asking again ---- */

static void schedule(muster__runner *runner, next_step step, uint64_t delay_ms)
{
    runner->step = step;
    muster__timer_start(runner->timer, delay_ms);
}

static void unschedule(muster__runner *runner)
{
    runner->step = STEP_NONE;
    muster__timer_stop(runner->timer);
}

static uint64_t retry_delay_ms(muster__runner *runner, muster_status status)
{
    uint64_t outage_ms = muster__now_ms() - runner->outage_start_ms;

    if (status == MUSTER_REFUSED &&
        outage_ms < muster__timing_wait_ms(MUSTER__REFUSED_PERIOD_MS)) {
        return muster__timing_wait_ms(MUSTER__REFUSED_RETRY_MS);
    }
    return muster__backoff_next(&runner->backoff, muster__random());
}

/* A failure while the next attempt is due anyway changes nothing. */
static void back_off(muster__runner *runner, muster_status status,
                     next_step step)
{
    if (runner->is_stopping) {
        return;
    }
    if (!runner->is_failing) {
        runner->is_failing = true;
        runner->outage_start_ms = muster__now_ms();
    }
    if (runner->step >= step ||
        (step == STEP_RETRY && runner->target->resolver->refresh == NULL)) {
        return;
    }
    schedule(runner, step, retry_delay_ms(runner, status));
}

static void note_success(muster__runner *runner)
{
    runner->is_failing = false;
    muster__backoff_reset(&runner->backoff);
    if (runner->step == STEP_RETRY) {
        unschedule(runner);
    }
}

static void ask_now(muster__runner *runner)
{
    runner->has_refreshed = true;
    runner->last_refresh_ms = muster__now_ms();
    if (runner->instance != NULL) {
        muster__instance_refresh(runner->instance);
    }
}

static uint64_t cooldown_left_ms(const muster__runner *runner)
{
    uint64_t cooldown_ms = runner->target->resolver->cooldown_ms;
    uint64_t since_ms = muster__now_ms() - runner->last_refresh_ms;

    if (cooldown_ms == 0) {
        cooldown_ms = COOLDOWN_DEFAULT_MS;
    }
    if (!runner->has_refreshed || since_ms >= cooldown_ms) {
        return 0;
    }
    return cooldown_ms - since_ms;
}

void muster__runner_refresh(muster__runner *runner)
{
    uint64_t left_ms;

    if (runner->target->resolver->refresh == NULL || runner->is_stopping ||
        runner->step != STEP_NONE) {
        return;
    }
    left_ms = cooldown_left_ms(runner);
    if (left_ms == 0) {
        ask_now(runner);
    } else {
        schedule(runner, STEP_HINT, left_ms);
    }
}

/* From the timer, never inside the caller. */
void muster__runner_reset_backoff(muster__runner *runner)
{
    muster__backoff_reset(&runner->backoff);
    if (runner->step == STEP_RETRY || runner->step == STEP_REMAKE) {
        schedule(runner, runner->step, 0);
    }
}

/* ---- instances ---- */

static muster_status run_instance(muster__runner *runner, muster_error *err)
{
    muster__resolver_instance *instance = NULL;
    muster_status status = muster__instance_create(
        runner->target, runner->shared, runner, &instance, err);

    if (status != MUSTER_OK) {
        return status;
    }
    runner->instance = instance;
    if (!instance->is_threaded && !muster__instance_is_in_call()) {
        status = muster__instance_make(instance, err);
    }
    if (status == MUSTER_OK) {
        status = muster__instance_run(instance, err);
    }
    return status;
}

static void drop_instance(muster__runner *runner)
{
    if (runner->instance == NULL) {
        return;
    }
    runner->late_reports += muster__instance_late_reports(runner->instance);
    muster__instance_detach(runner->instance);
    runner->instance = NULL;
}

static void end(muster__runner *runner, muster_status status)
{
    if (runner->has_ended) {
        return;
    }
    runner->has_ended = true;
    unschedule(runner);
    muster__timer_stop(runner->stop_timer);
    drop_instance(runner);
    runner->events->ended(runner->owner, status);
}

/* The instance is gone by itself: the plugin's failure, so try another. */
static void replace_instance(muster__runner *runner, muster_status status,
                             const char *message)
{
    drop_instance(runner);
    if (runner->is_stopping) {
        end(runner, MUSTER_OK);
        return;
    }
    unschedule(runner);
    back_off(runner, status, STEP_REMAKE);
    runner->events->failed(runner->owner, status, message, false);
}

static void remake(muster__runner *runner)
{
    muster_error error = {.code = MUSTER_OK};
    muster_status status = run_instance(runner, &error);

    if (status != MUSTER_OK) {
        replace_instance(runner, status, error.message);
    }
}

static void on_timer(void *arg)
{
    muster__runner *runner = arg;
    next_step step = runner->step;

    runner->step = STEP_NONE;
    if (step == STEP_REMAKE) {
        remake(runner);
    } else if (step != STEP_NONE) {
        ask_now(runner);
    }
}

/* ---- what the instance says ---- */

static void take(muster__runner *runner, muster__report *report)
{
    muster_status status;

    if (report->kind == MUSTER__REPORT_FAILURE ||
        report->kind == MUSTER__REPORT_REFUSAL) {
        back_off(runner, report->status, STEP_RETRY);
        runner->events->failed(runner->owner, report->status, report->text,
                               report->kind == MUSTER__REPORT_REFUSAL);
        muster__report_destroy(report);
        return;
    }
    status = runner->events->reported(runner->owner, report);
    report->status = status;
    if (status == MUSTER_OK) {
        note_success(runner);
    } else {
        back_off(runner, status, STEP_RETRY);
        runner->events->failed(runner->owner, status,
                               muster_status_text(status), true);
    }
    muster__instance_tell(runner->instance, report);
}

bool muster__runner_is_busy(const muster__runner *runner)
{
    return runner->n_holds > 0;
}

void muster__runner_hold(muster__runner *runner)
{
    runner->n_holds++;
}

void muster__runner_release(muster__runner *runner)
{
    runner->n_holds--;
}

/* One batch: whoever reports meanwhile has posted the instance's task. */
void muster__runner_drain(muster__runner *runner, size_t max)
{
    muster__report_queue batch;
    muster__report *report;

    if (muster__runner_is_busy(runner)) {
        return;
    }
    muster__runner_hold(runner);
    muster__instance_take_reports(runner->instance, max, &batch);
    while (!runner->is_stopping &&
           (report = muster__report_pop(&batch)) != NULL) {
        take(runner, report);
    }
    muster__report_queue_clear(&batch);
    muster__runner_release(runner);
}

static void take_failed_instance(muster__runner *runner)
{
    muster_error error;

    pthread_mutex_lock(&runner->instance->mutex);
    error = runner->instance->error;
    pthread_mutex_unlock(&runner->instance->mutex);
    replace_instance(runner, error.code, error.message);
}

static void take_lost_failure(muster__runner *runner)
{
    muster_status status = muster__instance_take_lost_failure(runner->instance);

    if (status != MUSTER_OK && !runner->is_stopping) {
        back_off(runner, status, STEP_RETRY);
        runner->events->failed(runner->owner, status,
                               muster_status_text(status), false);
    }
}

void muster__runner_attend(muster__runner *runner)
{
    muster__instance_state state;

    state = muster__instance_state_get(runner->instance);
    muster__runner_drain(
        runner, state == MUSTER__INSTANCE_FREED ? SIZE_MAX : REPORTS_PER_TURN);
    take_lost_failure(runner);
    if (state == MUSTER__INSTANCE_FAILED) {
        take_failed_instance(runner);
    } else if (state == MUSTER__INSTANCE_FREED) {
        replace_instance(runner, MUSTER_UNAVAILABLE,
                         "the resolver stopped by itself");
    }
}

/* ---- life ---- */

static void on_stop_timer(void *arg)
{
    muster__runner *runner = arg;

    muster__log(MUSTER_LOG_ERROR,
                "%s: the resolver would not stop; its instance is left behind",
                runner->target->canonical);
    muster__instance_leak(runner->instance, runner->target);
    muster__plugin_leak(runner->target->plugin);
    runner->is_leaked = true;
    end(runner, MUSTER_TIMEOUT);
}

void muster__runner_stop(muster__runner *runner)
{
    if (runner->is_stopping) {
        return;
    }
    runner->is_stopping = true;
    unschedule(runner);
    if (runner->instance == NULL) {
        end(runner, MUSTER_OK);
        return;
    }
    muster__timer_start(runner->stop_timer,
                        muster__timing_ms(MUSTER__RESOLVER_STOP_MS));
    muster__instance_stop(runner->instance);
}

void muster__runner_destroy(muster__runner *runner)
{
    if (runner == NULL) {
        return;
    }
    drop_instance(runner);
    muster__timer_destroy(runner->stop_timer);
    muster__timer_destroy(runner->timer);
    muster__plugin_unuse(runner->target->plugin);
    if (!runner->is_leaked) {
        muster__target_destroy(runner->target);
    }
    free(runner);
}

static muster_status init_runner(muster__runner *runner, muster_error *err)
{
    if (muster__timer_create(on_timer, runner, &runner->timer) != MUSTER_OK ||
        muster__timer_create(on_stop_timer, runner, &runner->stop_timer) !=
            MUSTER_OK) {
        return muster_error_set(err, MUSTER_NOMEM, "%s: out of memory",
                                runner->target->canonical);
    }
    return muster__plugin_use(runner->target->plugin, &runner->shared, err);
}

muster_status muster__runner_create(muster__target *target,
                                    uint64_t initial_backoff_ms,
                                    uint64_t max_backoff_ms,
                                    const muster__runner_events *events,
                                    void *owner, muster__runner **ret_runner,
                                    muster_error *err)
{
    muster__runner *runner = calloc(1, sizeof *runner);
    muster_status status;

    if (runner == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "%s: out of memory",
                                target->canonical);
    }
    runner->target = target;
    runner->events = events;
    runner->owner = owner;
    muster__backoff_init(&runner->backoff, initial_backoff_ms, max_backoff_ms);
    status = init_runner(runner, err);
    if (status != MUSTER_OK) {
        goto fail;
    }
    /* The owner is not ready to hear of it yet. */
    muster__runner_hold(runner);
    status = run_instance(runner, err);
    muster__runner_release(runner);
    if (status != MUSTER_OK) {
        drop_instance(runner);
        muster__plugin_unuse(target->plugin);
        goto fail;
    }
    *ret_runner = runner;
    return MUSTER_OK;

fail:
    muster__timer_destroy(runner->stop_timer);
    muster__timer_destroy(runner->timer);
    free(runner);
    return status;
}

uint64_t muster__runner_late_reports(const muster__runner *runner)
{
    uint64_t n = runner->late_reports;

    if (runner->instance != NULL) {
        n += muster__instance_late_reports(runner->instance);
    }
    return n;
}
