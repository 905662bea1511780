/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel's watcher is told of one endpoint, with the times, for tests
 * to wait for and to measure. Thread: any. */
#ifndef MUSTER_TESTS_STATE_LOG_H
#define MUSTER_TESTS_STATE_LOG_H

#include <muster/connectivity.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More are not kept; who waits for one waits in vain. */
enum { STATE_LOG_MAX = 512 };

#define STATE_LOG_NONE SIZE_MAX

typedef struct state_log_entry {
    muster_connectivity previous;
    muster_connectivity state;
    uint64_t time_ns; /* CLOCK_MONOTONIC, by the control thread as it changes */
    char cause[256];  /* cut when longer; "" for none */
} state_log_entry;

typedef struct state_log {
    const char *address;
    muster_state_watcher *watcher;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    size_t n;
    state_log_entry entries[STATE_LOG_MAX];
} state_log;

/* Of the endpoint with that address, which lives as long as the log. False: the
 * channel cannot be watched. */
bool state_log_begin(state_log *self, muster_channel *channel,
                     const char *address);
void state_log_end(state_log *self);

/* How many there are: the number of the next one. */
size_t state_log_count(state_log *self);

/* Waits for the first change to that state among those from number on. Its
 * number; STATE_LOG_NONE: there was none for 60 s. */
size_t state_log_await(state_log *self, size_t number,
                       muster_connectivity state);

state_log_entry state_log_at(state_log *self, size_t number);

#endif
