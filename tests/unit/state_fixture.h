/* SPDX-License-Identifier: Apache-2.0 */
/* A channel over the fake transport, and a watcher that writes down what it is
 * told, a line an event: "WHO PREVIOUS>STATE CAUSE". */
#ifndef MUSTER_TESTS_STATE_FIXTURE_H
#define MUSTER_TESTS_STATE_FIXTURE_H

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <muster/muster.h>
#include <muster/testkit.h>

#include "script_resolver.h"

#define TARGET "states"
#define ADDRESS "10.0.0.1:1"
#define LONG_MS 10000

typedef struct bench {
    muster_testkit_transport *transport;
    muster_channel *channel;
} bench;

static inline uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           ms * 1000000u;
}

/* Connections wait for the test's word, and backoff for a minute. */
static inline bench bench_open_with(const muster_channel_options *given)
{
    bench b = {NULL, NULL};
    muster_channel_options options = {.initial_backoff_ms = 60000};
    muster_error err = {.code = MUSTER_OK};

    script_register();
    if (given != NULL) {
        options = *given;
    }
    options.struct_size = sizeof options;
    cr_assert_eq(muster_testkit_transport_create(&b.transport), MUSTER_OK);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    options.transport = muster_testkit_transport_class();
    options.transport_arg = b.transport;
    options.connect_timeout_ms = MUSTER_FOREVER;
    cr_assert_eq(
        muster_channel_create("script:///" TARGET, &options, &b.channel, &err),
        MUSTER_OK, "%s", err.message);
    return b;
}

static inline bench bench_open(void)
{
    return bench_open_with(NULL);
}

static inline void bench_close(bench *b)
{
    muster_channel_destroy(b->channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    cr_assert_str_empty(muster_testkit_transport_violations(b->transport));
    muster_testkit_transport_destroy(b->transport);
}

/* What was posted before has been done. */
static inline void settle(const bench *b)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(b->channel, &stats), MUSTER_OK);
}

static inline void report(size_t n)
{
    static const char *const addresses[] = {ADDRESS, "10.0.0.2:1"};

    script_report_addresses(TARGET, addresses, n);
}

static inline void await_state(const bench *b, muster_connectivity state)
{
    cr_assert_eq(
        muster_channel_wait_for_state(b->channel, state, in_ms(LONG_MS)),
        MUSTER_OK);
}

static inline int has_attempt(void *arg,
                              const muster_testkit_transport_counts *counts)
{
    (void)arg;
    return counts->connecting > 0;
}

/* The one attempt there is, or will be, becomes READY; or fails. */
static inline void await_attempt(const bench *b)
{
    cr_assert_eq(muster_testkit_transport_await(b->transport, ADDRESS,
                                                has_attempt, NULL, LONG_MS),
                 MUSTER_OK);
}

static inline void let_connect(const bench *b)
{
    await_attempt(b);
    cr_assert_eq(muster_testkit_transport_connect(b->transport, ADDRESS), 1);
}

static inline void let_fail(const bench *b, const char *reason)
{
    await_attempt(b);
    cr_assert_eq(muster_testkit_transport_fail(b->transport, ADDRESS, reason),
                 1);
}

/* ---- what is told ---- */

typedef struct recorder {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    muster_state_watcher *watcher;
    char text[4096]; /* guarded by mutex, as what is below */
    unsigned n;
    uint64_t last_ns;
    bool is_ordered;
    bool is_inside;
    bool blocks;
    void (*inside)(struct recorder *self, const muster_state_event *event);
    bench *bench;
} recorder;

#define RECORDER                                                               \
    {                                                                          \
        .mutex = PTHREAD_MUTEX_INITIALIZER,                                    \
        .changed = PTHREAD_COND_INITIALIZER, .is_ordered = true                \
    }

static inline const char *state_name(muster_connectivity state)
{
    static const char *const names[] = {"IDLE", "CONNECTING", "READY",
                                        "TRANSIENT_FAILURE", "SHUTDOWN"};

    return names[state];
}

static inline void write_down(recorder *self, const muster_state_event *event)
{
    size_t used = strlen(self->text);

    (void)snprintf(self->text + used, sizeof self->text - used,
                   "%s %s>%s%s%s\n",
                   event->address != NULL ? event->address : "channel",
                   state_name(event->previous), state_name(event->state),
                   event->cause != NULL ? " " : "",
                   event->cause != NULL ? event->cause : "");
    self->is_ordered &= event->time_ns >= self->last_ns;
    self->last_ns = event->time_ns;
    self->n++;
}

static inline void on_state(void *arg, const muster_state_event *event)
{
    recorder *self = arg;

    pthread_mutex_lock(&self->mutex);
    write_down(self, event);
    self->is_inside = true;
    pthread_cond_broadcast(&self->changed);
    while (self->blocks) {
        pthread_cond_wait(&self->changed, &self->mutex);
    }
    pthread_mutex_unlock(&self->mutex);
    if (self->inside != NULL) {
        self->inside(self, event);
    }
    pthread_mutex_lock(&self->mutex);
    self->is_inside = false;
    pthread_mutex_unlock(&self->mutex);
}

static inline void watch_flags(recorder *self, bench *b, uint32_t flags)
{
    const muster_state_watch_options options = {
        .struct_size = sizeof options,
        .flags = flags,
    };

    self->bench = b;
    cr_assert_eq(muster_channel_watch_state(b->channel, &options, on_state,
                                            self, &self->watcher),
                 MUSTER_OK);
}

static inline void watch(recorder *self, bench *b)
{
    watch_flags(self, b, 0);
}

static inline void await_told(recorder *self, const char *line)
{
    pthread_mutex_lock(&self->mutex);
    while (strstr(self->text, line) == NULL) {
        pthread_cond_wait(&self->changed, &self->mutex);
    }
    pthread_mutex_unlock(&self->mutex);
}

/* All that came until now, once there are n events. */
static inline void expect_told(recorder *self, unsigned n, const char *text)
{
    pthread_mutex_lock(&self->mutex);
    while (self->n < n) {
        pthread_cond_wait(&self->changed, &self->mutex);
    }
    cr_expect_str_eq(self->text, text);
    cr_expect(self->is_ordered);
    self->text[0] = '\0';
    self->n = 0;
    pthread_mutex_unlock(&self->mutex);
}

#endif
