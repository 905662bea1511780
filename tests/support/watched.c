/* SPDX-License-Identifier: Apache-2.0 */
/* Records what a watch says. */
#include "watched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t watched_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void append(char *text, const char *separator, const char *key,
                   const char *value)
{
    size_t length = strlen(text);

    (void)snprintf(text + length, WATCHED_TEXT_SIZE - length, "%s%s%s",
                   length > 0 ? separator : "", key, value);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void note_first(watched_state *state, const muster_endpoint *endpoint)
{
    char weight[24];

    (void)snprintf(weight, sizeof weight, "%u", endpoint->weight);
    append(state->first, " ", "weight=", weight);
    append(state->first, " ",
           "zone=", endpoint->zone != NULL ? endpoint->zone : "");
    for (uint32_t i = 0; i < endpoint->n_attributes; i++) {
        append(state->first, " ", endpoint->attributes[i].key, "=");
        append(state->first, "", "", endpoint->attributes[i].value);
    }
}

static void note_list(watched_state *state, const muster_watch_event *event)
{
    const char **addresses = calloc(event->n_endpoints + 1, sizeof *addresses);

    state->n_lists++;
    state->n_endpoints = event->n_endpoints;
    state->list_ns = watched_now_ns();
    state->addresses[0] = '\0';
    state->first[0] = '\0';
    for (size_t i = 0; addresses != NULL && i < event->n_endpoints; i++) {
        addresses[i] = event->endpoints[i].address;
    }
    if (addresses != NULL) {
        qsort(addresses, event->n_endpoints, sizeof *addresses, compare);
    }
    for (size_t i = 0; addresses != NULL && i < event->n_endpoints; i++) {
        append(state->addresses, " ", addresses[i], "");
    }
    if (event->n_endpoints > 0) {
        note_first(state, &event->endpoints[0]);
    }
    free(addresses);
}

static void on_event(void *arg, const muster_watch_event *event)
{
    watched *self = arg;
    watched_state *state = &self->state;

    (void)pthread_mutex_lock(&self->mutex);
    state->is_held = event->is_held != 0;
    if (event->type == MUSTER_WATCH_LIST) {
        note_list(state, event);
    } else if (event->type == MUSTER_WATCH_FRESH) {
        state->n_fresh++;
    } else {
        state->n_errors++;
        state->status = event->status;
        (void)snprintf(state->message, sizeof state->message, "%s",
                       event->message);
    }
    (void)pthread_cond_broadcast(&self->changed);
    (void)pthread_mutex_unlock(&self->mutex);
}

bool watched_begin(watched *ret_watched, const char *target, muster_error *err)
{
    pthread_condattr_t monotonic;

    memset(ret_watched, 0, sizeof *ret_watched);
    (void)pthread_mutex_init(&ret_watched->mutex, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&ret_watched->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return muster_watch_create(target, on_event, ret_watched,
                               &ret_watched->watch, err) == MUSTER_OK;
}

void watched_end(watched *self)
{
    muster_watch_destroy(self->watch);
    self->watch = NULL;
    (void)pthread_cond_destroy(&self->changed);
    (void)pthread_mutex_destroy(&self->mutex);
}

watched_state watched_get(watched *self)
{
    watched_state state;

    (void)pthread_mutex_lock(&self->mutex);
    state = self->state;
    (void)pthread_mutex_unlock(&self->mutex);
    return state;
}

typedef bool (*is_met_fn)(const watched_state *state, const void *arg);

static bool await(watched *self, is_met_fn is_met, const void *arg,
                  int timeout_ms)
{
    uint64_t end_ns = watched_now_ns() + (uint64_t)timeout_ms * 1000000;
    struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000),
                           .tv_nsec = (long)(end_ns % 1000000000)};
    bool is_in_time = true;
    bool is_there;

    (void)pthread_mutex_lock(&self->mutex);
    while (!(is_there = is_met(&self->state, arg)) && is_in_time) {
        is_in_time =
            pthread_cond_timedwait(&self->changed, &self->mutex, &end) == 0;
    }
    (void)pthread_mutex_unlock(&self->mutex);
    return is_there;
}

static bool has_list(const watched_state *state, const void *arg)
{
    return state->n_lists > 0 && strcmp(state->addresses, arg) == 0;
}

static bool has_count(const watched_state *state, const void *arg)
{
    const size_t *n = arg;

    return state->n_lists > 0 && state->n_endpoints == *n;
}

static bool has_error(const watched_state *state, const void *arg)
{
    return state->n_errors > 0 && strstr(state->message, arg) != NULL;
}

static bool has_fresh(const watched_state *state, const void *arg)
{
    const uint64_t *n = arg;

    return state->n_fresh >= *n;
}

bool watched_await_list(watched *self, const char *addresses, int timeout_ms)
{
    return await(self, has_list, addresses, timeout_ms);
}

bool watched_await_count(watched *self, size_t n_endpoints, int timeout_ms)
{
    return await(self, has_count, &n_endpoints, timeout_ms);
}

bool watched_await_error(watched *self, const char *part, int timeout_ms)
{
    return await(self, has_error, part, timeout_ms);
}

bool watched_await_fresh(watched *self, uint64_t n_fresh, int timeout_ms)
{
    return await(self, has_fresh, &n_fresh, timeout_ms);
}
