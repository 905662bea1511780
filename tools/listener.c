/* SPDX-License-Identifier: Apache-2.0 */
/* A queue between muster's control thread and the one that prints. */
#include "listener.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "model.h"

struct listener {
    muster_watch *watch;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t arrived;
    answer *first;
    answer **end;
    bool is_out_of_memory; /* an event could not be copied */
};

static answer *copy_event(const muster_watch_event *event)
{
    answer *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return NULL;
    }
    self->type = event->type;
    self->status = event->status;
    self->is_held = event->is_held != 0;
    self->generation = event->generation;
    self->age_ms = event->age_ms;
    self->endpoints = model_endpoints(event->endpoints, event->n_endpoints);
    self->service_config = model_json(event->service_config);
    self->message = model_text(event->message);
    if (self->endpoints == NULL || self->service_config == NULL ||
        self->message == NULL) {
        answer_destroy(self);
        return NULL;
    }
    return self;
}

void answer_destroy(answer *self)
{
    if (self != NULL) {
        json_decref(self->endpoints);
        json_decref(self->service_config);
        json_decref(self->message);
        free(self);
    }
}

static void on_event(void *arg, const muster_watch_event *event)
{
    listener *self = arg;
    answer *copy = copy_event(event);

    (void)pthread_mutex_lock(&self->mutex);
    if (copy == NULL) {
        self->is_out_of_memory = true;
    } else {
        *self->end = copy;
        self->end = &copy->next;
    }
    (void)pthread_cond_signal(&self->arrived);
    (void)pthread_mutex_unlock(&self->mutex);
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

muster_status listener_create(const char *target, listener **ret_listener,
                              muster_error *err)
{
    listener *self = calloc(1, sizeof *self);
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    (void)pthread_mutex_init(&self->mutex, NULL);
    init_condition(&self->arrived);
    self->end = &self->first;
    status = muster_watch_create(target, on_event, self, &self->watch, err);
    if (status != MUSTER_OK) {
        listener_destroy(self);
        return status;
    }
    *ret_listener = self;
    return MUSTER_OK;
}

void listener_destroy(listener *self)
{
    if (self == NULL) {
        return;
    }
    muster_watch_destroy(self->watch);
    while (self->first != NULL) {
        answer *next = self->first->next;

        answer_destroy(self->first);
        self->first = next;
    }
    (void)pthread_cond_destroy(&self->arrived);
    (void)pthread_mutex_destroy(&self->mutex);
    free(self);
}

static muster_status wait_locked(listener *self, uint64_t deadline_ms)
{
    struct timespec deadline = {
        .tv_sec = (time_t)(deadline_ms / 1000),
        .tv_nsec = (long)(deadline_ms % 1000) * 1000000,
    };

    while (self->first == NULL && !self->is_out_of_memory) {
        if (deadline_ms == UINT64_MAX) {
            (void)pthread_cond_wait(&self->arrived, &self->mutex);
        } else if (pthread_cond_timedwait(&self->arrived, &self->mutex,
                                          &deadline) != 0) {
            return MUSTER_TIMEOUT;
        }
    }
    return self->is_out_of_memory ? MUSTER_NOMEM : MUSTER_OK;
}

muster_status listener_next(listener *self, uint64_t deadline_ms,
                            answer **ret_answer)
{
    muster_status status;

    (void)pthread_mutex_lock(&self->mutex);
    status = wait_locked(self, deadline_ms);
    if (status == MUSTER_OK) {
        answer *first = self->first;

        self->first = first->next;
        if (self->first == NULL) {
            self->end = &self->first;
        }
        first->next = NULL;
        *ret_answer = first;
    }
    (void)pthread_mutex_unlock(&self->mutex);
    return status;
}

uint64_t listener_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t listener_deadline_ms(uint64_t delay_ms)
{
    return delay_ms == UINT64_MAX ? UINT64_MAX : listener_now_ms() + delay_ms;
}
