/* SPDX-License-Identifier: Apache-2.0 */
/* A channel of the command's own, when its endpoints have connected or failed.
 */
#include "settled.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <muster/connectivity.h>

/* Changes of states, as the control thread tells of them. */
typedef struct changes {
    pthread_mutex_t mutex; /* guards n */
    pthread_cond_t changed;
    uint64_t n;
} changes;

static void on_change(void *arg, const muster_state_event *event)
{
    changes *self = arg;

    (void)event;
    (void)pthread_mutex_lock(&self->mutex);
    self->n++;
    (void)pthread_cond_signal(&self->changed);
    (void)pthread_mutex_unlock(&self->mutex);
}

static void changes_init(changes *self)
{
    pthread_condattr_t attributes;

    self->n = 0;
    (void)pthread_mutex_init(&self->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void changes_fini(changes *self)
{
    (void)pthread_cond_destroy(&self->changed);
    (void)pthread_mutex_destroy(&self->mutex);
}

static uint64_t changes_n(changes *self)
{
    uint64_t n;

    (void)pthread_mutex_lock(&self->mutex);
    n = self->n;
    (void)pthread_mutex_unlock(&self->mutex);
    return n;
}

/* Until there are more than n. False: not in time. */
static bool changes_await(changes *self, uint64_t n,
                          const struct timespec *deadline)
{
    int error = 0;
    bool is_more;

    (void)pthread_mutex_lock(&self->mutex);
    while (self->n == n && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&self->changed, &self->mutex, deadline);
    }
    is_more = self->n != n;
    (void)pthread_mutex_unlock(&self->mutex);
    return is_more;
}

/* ---- what a dump tells ---- */

static bool is_state(const json_t *object, const char *state)
{
    const char *value = json_string_value(json_object_get(object, "state"));

    return value != NULL && strcmp(value, state) == 0;
}

/* It connects, or waits for its turn, and has not failed yet. */
static bool is_on_its_way(const json_t *endpoint)
{
    return !json_is_string(json_object_get(endpoint, "last_failure")) &&
           (is_state(endpoint, "CONNECTING") ||
            json_is_true(json_object_get(endpoint, "queued")));
}

/* Picks can get it, and the channel has yet to say that it is READY. */
static bool is_about_to_be_ready(const json_t *dump)
{
    size_t index;
    const json_t *endpoint;

    if (!is_state(dump, "CONNECTING")) {
        return false;
    }
    json_array_foreach(json_object_get(dump, "endpoints"), index, endpoint)
    {
        if (json_is_true(json_object_get(endpoint, "in_view"))) {
            return true;
        }
    }
    return false;
}

static bool is_settled(const json_t *dump)
{
    const json_t *list = json_object_get(dump, "list");
    size_t index;
    const json_t *endpoint;

    if (json_integer_value(json_object_get(list, "generation")) == 0) {
        return is_state(dump, "TRANSIENT_FAILURE");
    }
    json_array_foreach(json_object_get(dump, "endpoints"), index, endpoint)
    {
        if (is_on_its_way(endpoint)) {
            return false;
        }
    }
    return !is_about_to_be_ready(dump);
}

static muster_status dump(muster_channel *channel, json_t **ret_dump)
{
    char *text = NULL;
    muster_status status = muster_channel_dump_json(channel, &text);
    json_t *json = NULL;

    if (status == MUSTER_OK) {
        json = json_loads(text, 0, NULL);
        status = json == NULL ? MUSTER_NOMEM : MUSTER_OK;
    }
    free(text);
    if (status == MUSTER_OK) {
        json_decref(*ret_dump);
        *ret_dump = json;
    }
    return status;
}

static struct timespec in_ms(uint64_t ms)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

muster_status settled_dump(muster_channel *channel, uint64_t timeout_ms,
                           json_t **ret_dump)
{
    const struct timespec deadline = in_ms(timeout_ms);
    muster_state_watcher *watcher = NULL;
    json_t *json = NULL;
    changes seen;
    uint64_t n;
    muster_status status;

    changes_init(&seen);
    status =
        muster_channel_watch_state(channel, NULL, on_change, &seen, &watcher);
    while (status == MUSTER_OK) {
        n = changes_n(&seen);
        status = dump(channel, &json);
        if (status == MUSTER_OK &&
            (is_settled(json) || !changes_await(&seen, n, &deadline))) {
            break;
        }
    }
    muster_state_watcher_destroy(watcher);
    changes_fini(&seen);
    if (status != MUSTER_OK) {
        json_decref(json);
        return status;
    }
    *ret_dump = json;
    return MUSTER_OK;
}
