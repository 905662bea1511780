/* SPDX-License-Identifier: Apache-2.0 */
/* Writes down the states of one endpoint. */
#include "state_log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PATIENCE_S = 60 };

static void on_state(void *arg, const muster_state_event *event)
{
    state_log *self = arg;

    if (event->address == NULL || strcmp(event->address, self->address) != 0) {
        return;
    }
    (void)pthread_mutex_lock(&self->mutex);
    if (self->n < STATE_LOG_MAX) {
        state_log_entry *entry = &self->entries[self->n++];

        entry->previous = event->previous;
        entry->state = event->state;
        entry->time_ns = event->time_ns;
        (void)snprintf(entry->cause, sizeof entry->cause, "%s",
                       event->cause == NULL ? "" : event->cause);
    }
    (void)pthread_cond_broadcast(&self->changed);
    (void)pthread_mutex_unlock(&self->mutex);
}

bool state_log_begin(state_log *self, muster_channel *channel,
                     const char *address)
{
    const muster_state_watch_options options = {
        .struct_size = sizeof options, .flags = MUSTER_STATE_SUBCHANNEL};
    pthread_condattr_t attributes;

    memset(self, 0, sizeof *self);
    self->address = address;
    (void)pthread_mutex_init(&self->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->changed, &attributes);
    return muster_channel_watch_state(channel, &options, on_state, self,
                                      &self->watcher) == MUSTER_OK;
}

void state_log_end(state_log *self)
{
    muster_state_watcher_destroy(self->watcher);
    (void)pthread_cond_destroy(&self->changed);
    (void)pthread_mutex_destroy(&self->mutex);
}

size_t state_log_count(state_log *self)
{
    size_t n;

    (void)pthread_mutex_lock(&self->mutex);
    n = self->n;
    (void)pthread_mutex_unlock(&self->mutex);
    return n;
}

/* A change, not a state that is told of for the first time. */
static size_t find_locked(const state_log *self, size_t number,
                          muster_connectivity state)
{
    for (size_t i = number; i < self->n; i++) {
        const state_log_entry *entry = &self->entries[i];

        if (entry->state == state && entry->previous != state) {
            return i;
        }
    }
    return STATE_LOG_NONE;
}

size_t state_log_await(state_log *self, size_t number,
                       muster_connectivity state)
{
    struct timespec end;
    size_t found;
    int failure = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&self->mutex);
    found = find_locked(self, number, state);
    while (found == STATE_LOG_NONE && failure == 0) {
        failure = pthread_cond_timedwait(&self->changed, &self->mutex, &end);
        found = find_locked(self, number, state);
    }
    (void)pthread_mutex_unlock(&self->mutex);
    return found;
}

state_log_entry state_log_at(state_log *self, size_t number)
{
    state_log_entry entry;

    (void)pthread_mutex_lock(&self->mutex);
    entry = self->entries[number];
    (void)pthread_mutex_unlock(&self->mutex);
    return entry;
}
