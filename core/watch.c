/* SPDX-License-Identifier: Apache-2.0 */
/* A watch: a subscriber that hands its resolution's list to the program. */
#include <muster/watch.h>

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#include "fork.h"
#include "loop.h"
#include "resolution.h"
#include "thread.h"
#include "timing.h"

/* How long one thread waits for another before it looks why. */
#define PATIENCE_MS MUSTER__STUCK_CALL_MS

struct muster_watch {
    muster__subscriber subscriber; /* first: the subscriber is the watch */
    muster_watch_event_fn fn;
    void *arg;

    /* From create to the control thread and back. */
    muster__target *target;
    muster_watch **ret_watch;
    muster_status status;
    muster_error error;

    pthread_mutex_t mutex; /* guards down to the empty line */
    pthread_cond_t changed;
    uint32_t refs; /* the user's, the resolution's, one per task on its way */
    bool is_closing;
    bool is_calling;
    bool is_answered;   /* subscribe() has run */
    bool is_subscribed; /* until ended() */
    bool is_refresh_posted;

    muster__task join_task;
    muster__task refresh_task;
    muster__task leave_task;
};

/* ---- references ---- */

static void release(muster_watch *watch)
{
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->mutex);
    muster__target_destroy(watch->target);
    free(watch);
}

/* Unlocks watch->mutex. */
static void unref_and_unlock(muster_watch *watch)
{
    bool is_last = --watch->refs == 0;

    pthread_mutex_unlock(&watch->mutex);
    if (is_last) {
        release(watch);
    }
}

static void unref(muster_watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    unref_and_unlock(watch);
}

/* ---- events ---- */

static bool begin_call(muster_watch *watch)
{
    bool may_call;

    pthread_mutex_lock(&watch->mutex);
    may_call = !watch->is_closing;
    watch->is_calling = may_call;
    pthread_mutex_unlock(&watch->mutex);
    return may_call;
}

static void end_call(muster_watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    watch->is_calling = false;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}

static void fill_list(muster_watch_event *event, muster__subscriber *self)
{
    muster__resolution *resolution = self->resolution;
    muster_status status = MUSTER_OK;

    event->generation = muster__resolution_generation(resolution);
    event->age_ms = muster__resolution_age_ms(resolution);
    event->service_config = muster__resolution_service_config(resolution);
    event->is_held = muster__resolution_is_held(resolution);
    if (muster__resolution_has_list(resolution)) {
        status = muster__resolution_list(resolution, &event->endpoints,
                                         &event->n_endpoints);
    }
    if (status != MUSTER_OK) {
        event->type = MUSTER_WATCH_ERROR;
        event->status = status;
        event->message = "out of memory for the list";
        muster__resolution_tell_again(self);
    }
}

static void emit(muster__subscriber *self, muster_watch_type type,
                 muster_status status, const char *message)
{
    muster_watch *watch = (muster_watch *)self;
    muster_watch_event event = {
        .struct_size = (uint32_t)sizeof event,
        .type = type,
        .status = status,
        .message = message,
        .endpoint_size = (uint32_t)sizeof *event.endpoints,
    };

    if (!begin_call(watch)) {
        return;
    }
    fill_list(&event, self);
    watch->fn(watch->arg, &event);
    end_call(watch);
}

static void on_changed(muster__subscriber *self, const muster__changes *changes)
{
    (void)changes;
    emit(self, MUSTER_WATCH_LIST, MUSTER_OK, "");
}

static void on_failed(muster__subscriber *self, muster_status status,
                      const char *message)
{
    emit(self, MUSTER_WATCH_ERROR, status, message);
}

static void on_confirmed(muster__subscriber *self)
{
    emit(self, MUSTER_WATCH_FRESH, MUSTER_OK, "");
}

/* ---- the end ---- */

/* The last use of the control thread by this watch: whoever waits may stop it
 * as soon as the mutex is free. */
static void on_ended(muster__subscriber *self, muster_status status)
{
    muster_watch *watch = (muster_watch *)self;

    (void)status;
    muster__loop_release();
    pthread_mutex_lock(&watch->mutex);
    watch->is_subscribed = false;
    pthread_cond_broadcast(&watch->changed);
    unref_and_unlock(watch);
}

static void on_leave_task(muster__task *task)
{
    muster_watch *watch =
        (muster_watch *)((char *)task - offsetof(muster_watch, leave_task));

    muster__resolution_unsubscribe(&watch->subscriber);
}

/* Whether something else than this watch keeps the control thread. */
static bool is_hopeless(const muster_watch *watch)
{
    char who[64];

    return !watch->is_calling && muster__loop_is_stuck(who, sizeof who);
}

/* Until fn is not running, and until the resolver has stopped: unless a plugin
 * has got the control thread stuck. */
static void wait_for_end_locked(muster_watch *watch)
{
    while (watch->is_subscribed) {
        int error = muster__cond_wait_until(
            &watch->changed, &watch->mutex,
            muster__deadline_ns(muster__timing_ms(PATIENCE_MS)));

        if (error == ETIMEDOUT && is_hopeless(watch)) {
            return;
        }
    }
}

void muster_watch_destroy(muster_watch *watch)
{
    if (watch == NULL || muster__is_forked()) {
        return;
    }
    pthread_mutex_lock(&watch->mutex);
    watch->is_closing = true;
    pthread_mutex_unlock(&watch->mutex);
    if (muster__loop_is_current()) {
        muster__resolution_unsubscribe(&watch->subscriber);
        unref(watch);
        return;
    }
    muster__loop_post(&watch->leave_task);
    pthread_mutex_lock(&watch->mutex);
    wait_for_end_locked(watch);
    unref_and_unlock(watch);
}

/* ---- refresh ---- */

static void on_refresh_task(muster__task *task)
{
    muster_watch *watch =
        (muster_watch *)((char *)task - offsetof(muster_watch, refresh_task));
    bool is_wanted;

    pthread_mutex_lock(&watch->mutex);
    watch->is_refresh_posted = false;
    is_wanted = !watch->is_closing;
    pthread_mutex_unlock(&watch->mutex);
    if (is_wanted && watch->subscriber.resolution != NULL) {
        muster__resolution_refresh(watch->subscriber.resolution);
    }
    unref(watch);
}

void muster_watch_refresh(muster_watch *watch)
{
    if (watch == NULL || muster__is_forked()) {
        return;
    }
    pthread_mutex_lock(&watch->mutex);
    if (!watch->is_refresh_posted && !watch->is_closing) {
        watch->is_refresh_posted = true;
        watch->refs++;
        muster__loop_post(&watch->refresh_task);
    }
    pthread_mutex_unlock(&watch->mutex);
}

/* ---- the beginning ---- */

/* The user has the watch before its first event. Says false when the user gave
 * up meanwhile. */
static bool answer(muster_watch *watch)
{
    bool is_wanted;

    pthread_mutex_lock(&watch->mutex);
    is_wanted = !watch->is_closing;
    watch->is_answered = true;
    watch->is_subscribed = watch->status == MUSTER_OK;
    if (is_wanted && watch->is_subscribed) {
        *watch->ret_watch = watch;
    }
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
    return is_wanted;
}

/* On the control thread. */
static void subscribe(muster_watch *watch)
{
    muster__target *target = watch->target;

    watch->target = NULL;
    watch->status = muster__resolution_subscribe(
        target, NULL, &watch->subscriber, &watch->error);
    if (watch->status != MUSTER_OK) {
        muster__loop_release();
        (void)answer(watch);
        unref(watch);
        return;
    }
    if (!answer(watch)) {
        muster__resolution_unsubscribe(&watch->subscriber);
    }
}

static void on_join_task(muster__task *task)
{
    subscribe(
        (muster_watch *)((char *)task - offsetof(muster_watch, join_task)));
}

static muster_watch *allocate(muster__target *target, muster_watch_event_fn fn,
                              void *arg, muster_watch **ret_watch)
{
    muster_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL) {
        return NULL;
    }
    if (muster__cond_init(&watch->changed) != MUSTER_OK) {
        free(watch);
        return NULL;
    }
    pthread_mutex_init(&watch->mutex, NULL);
    watch->subscriber.changed = on_changed;
    watch->subscriber.failed = on_failed;
    watch->subscriber.confirmed = on_confirmed;
    watch->subscriber.ended = on_ended;
    watch->join_task.fn = on_join_task;
    watch->refresh_task.fn = on_refresh_task;
    watch->leave_task.fn = on_leave_task;
    watch->refs = 3; /* the user's, the control thread's, the creator's */
    watch->fn = fn;
    watch->arg = arg;
    watch->target = target;
    watch->ret_watch = ret_watch;
    return watch;
}

/* Until subscribe() has run, or a plugin has got the control thread stuck: then
 * subscribe() undoes itself when it comes to it. */
static bool wait_for_answer(muster_watch *watch)
{
    bool is_answered;
    int error = 0;

    pthread_mutex_lock(&watch->mutex);
    while (!watch->is_answered && !(error == ETIMEDOUT && is_hopeless(watch))) {
        error = muster__cond_wait_until(
            &watch->changed, &watch->mutex,
            muster__deadline_ns(muster__timing_ms(PATIENCE_MS)));
    }
    is_answered = watch->is_answered;
    watch->is_closing = watch->is_closing || !is_answered;
    pthread_mutex_unlock(&watch->mutex);
    return is_answered;
}

/* The user's first events may come meanwhile, and destroy the watch in them: so
 * the creator has a reference of its own. */
static muster_status subscribe_and_wait(muster_watch *watch, muster_error *err)
{
    if (muster__loop_is_current()) {
        subscribe(watch);
    } else {
        muster__loop_post(&watch->join_task);
    }
    if (!wait_for_answer(watch)) {
        return muster_error_set(err, MUSTER_TIMEOUT,
                                "a plugin keeps the control thread");
    }
    if (watch->status != MUSTER_OK) {
        return muster_error_set(err, watch->status, "%s", watch->error.message);
    }
    return MUSTER_OK;
}

muster_status muster_watch_create(const char *target, muster_watch_event_fn fn,
                                  void *arg, muster_watch **ret_watch,
                                  muster_error *err)
{
    muster__target *parsed = NULL;
    muster_watch *watch;
    muster_status status;

    if (muster__is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    if (target == NULL || fn == NULL || ret_watch == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "a watch needs a target, fn and ret_watch");
    }
    status = muster__target_parse(target, &parsed, err);
    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__loop_acquire(err);
    if (status != MUSTER_OK) {
        muster__target_destroy(parsed);
        return status;
    }
    watch = allocate(parsed, fn, arg, ret_watch);
    if (watch == NULL) {
        muster__loop_release();
        muster__target_destroy(parsed);
        return muster_error_set(err, MUSTER_NOMEM, "%s: out of memory", target);
    }
    status = subscribe_and_wait(watch, err);
    if (status != MUSTER_OK) {
        unref(watch); /* the user has none */
    }
    unref(watch);
    return status;
}
