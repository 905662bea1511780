/* SPDX-License-Identifier: Apache-2.0 */
/* Watchers of states come and go on several threads while the states flap: each
 * is told an unbroken sequence, one event at a time, and nothing once it is
 * destroyed. A plain program, for all lanes. */
#include <muster/muster.h>
#include <muster/testkit.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "random_numbers.h"
#include "scale.h"
#include "script_resolver.h"

enum { WATCHERS = 3, WAITERS = 2, ADDRESSES = 6, KNOWN = 64, MAX_EVENTS = 20 };

#define TARGET "flapping"

static void fail_at(int line, const char *what)
{
    (void)fprintf(stderr, "state_watchers: line %d: %s\n", line, what);
    abort();
}

#define MUST(condition)                                                        \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fail_at(__LINE__, #condition);                                     \
        }                                                                      \
    } while (0)

typedef struct world {
    muster_testkit_transport *transport;
    muster_channel *channel;
    unsigned n_lives; /* of watchers, a thread */
    atomic_bool is_stopping;
    _Atomic uint64_t n_events;
} world;

/* What one watcher was told: touched by the control thread alone, and after
 * destroy by its thread. */
typedef struct told {
    world *world;
    muster_state_watcher *watcher;
    atomic_uint n_events;
    unsigned max_events; /* then it destroys itself, or its thread does */
    bool destroys_itself;
    bool has_channel;
    int channel_state;
    uint64_t last_ns;
    atomic_bool is_inside;
    atomic_bool is_destroyed;
    size_t n_known;
    struct {
        uint64_t id;
        int state;
    } known[KNOWN];
} told;

static void take_channel(told *self, const muster_state_event *event)
{
    MUST(event->id == 0 && event->address == NULL);
    MUST(self->has_channel ? (int)event->previous == self->channel_state &&
                                 event->previous != event->state
                           : event->previous == event->state);
    self->has_channel = true;
    self->channel_state = (int)event->state;
}

static size_t find(const told *self, uint64_t id)
{
    size_t i = 0;

    while (i < self->n_known && self->known[i].id != id) {
        i++;
    }
    return i;
}

static void take_subchannel(told *self, const muster_state_event *event)
{
    size_t i = find(self, event->id);

    MUST(event->address != NULL);
    if (i == self->n_known) {
        MUST(event->previous == event->state && i < KNOWN);
        self->known[self->n_known++].id = event->id;
    } else {
        MUST((int)event->previous == self->known[i].state &&
             event->previous != event->state);
    }
    self->known[i].state = (int)event->state;
    if (event->state == MUSTER_SHUTDOWN) {
        self->known[i] = self->known[--self->n_known];
    }
}

static void on_state(void *arg, const muster_state_event *event)
{
    told *self = arg;
    unsigned n = atomic_fetch_add(&self->n_events, 1) + 1;

    MUST(!atomic_exchange(&self->is_inside, true));
    MUST(!atomic_load(&self->is_destroyed));
    MUST(event->time_ns >= self->last_ns);
    self->last_ns = event->time_ns;
    if (event->kind == MUSTER_STATE_CHANNEL) {
        take_channel(self, event);
    } else {
        take_subchannel(self, event);
    }
    atomic_fetch_add(&self->world->n_events, 1);
    if (self->destroys_itself && n >= self->max_events) {
        atomic_store(&self->is_destroyed, true);
        muster_state_watcher_destroy(self->watcher);
    }
    atomic_store(&self->is_inside, false);
}

static bool is_enough(const told *self)
{
    return self->destroys_itself
               ? atomic_load(&self->is_destroyed) &&
                     !atomic_load(&self->is_inside)
               : atomic_load(&self->n_events) >= self->max_events;
}

static void watch_once(world *w, uint64_t *random)
{
    const muster_state_watch_options options = {
        .struct_size = sizeof options,
        .flags = below(random, 4),
    };
    told *self = calloc(1, sizeof *self);

    MUST(self != NULL);
    self->world = w;
    self->max_events = below(random, MAX_EVENTS);
    self->destroys_itself = below(random, 3) == 0;
    MUST(muster_channel_watch_state(w->channel, &options, on_state, self,
                                    &self->watcher) == MUSTER_OK);
    while (!is_enough(self)) {
        (void)sched_yield();
    }
    if (!self->destroys_itself) {
        muster_state_watcher_destroy(self->watcher);
        MUST(!atomic_load(&self->is_inside));
        atomic_store(&self->is_destroyed, true);
    } else { /* it may still be on its way out of the callback */
        muster_channel_stats stats = {.struct_size = sizeof stats};
        MUST(muster_channel_get_stats(w->channel, &stats) == MUSTER_OK);
    }
    free(self);
}

static void *watch_on(void *arg)
{
    static _Atomic uint64_t seed;
    world *w = arg;
    uint64_t random = atomic_fetch_add(&seed, 7919);

    for (unsigned i = 0; i < w->n_lives; i++) {
        watch_once(w, &random);
    }
    return NULL;
}

static void *wait_on(void *arg)
{
    world *w = arg;
    muster_connectivity state = MUSTER_CONNECTING;

    while (!atomic_load(&w->is_stopping)) {
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        uint64_t deadline_ns =
            (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + 500000;
        muster_status status =
            muster_channel_wait_for_change(w->channel, state, deadline_ns);
        MUST(status == MUSTER_OK || status == MUSTER_TIMEOUT);
        status = muster_channel_wait_for_state(w->channel, MUSTER_READY,
                                               deadline_ns);
        MUST(status == MUSTER_OK || status == MUSTER_TIMEOUT);
        state = muster_channel_state(w->channel);
    }
    return NULL;
}

/* ---- flapping ---- */

static void change_list(uint64_t *random)
{
    static const char *const addresses[ADDRESSES] = {
        "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1",
        "10.0.0.4:1", "10.0.0.5:1", "10.0.0.6:1"};
    unsigned first = below(random, ADDRESSES);

    script_report_addresses(TARGET, &addresses[first],
                            below(random, ADDRESSES - first + 1));
}

static void flap(world *w, uint64_t *random)
{
    switch (below(random, 6)) {
    case 0:
        change_list(random);
        break;
    case 1:
        (void)muster_testkit_transport_set_failure(
            w->transport, NULL, below(random, 3) == 0 ? "refused" : NULL);
        break;
    case 2:
        muster_testkit_transport_set_inline(w->transport,
                                            (int)below(random, 2));
        break;
    case 3:
        muster_channel_reset_backoff(w->channel);
        break;
    case 4:
        muster_channel_connect(w->channel);
        break;
    default:
        (void)muster_testkit_transport_disconnect(w->transport, NULL);
        break;
    }
}

static void *flap_on(void *arg)
{
    world *w = arg;
    uint64_t random = 1;

    while (!atomic_load(&w->is_stopping)) {
        flap(w, &random);
        (void)sched_yield();
    }
    return NULL;
}

static void open_world(world *w)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .initial_backoff_ms = 1,
                                      .max_backoff_ms = 2};

    script_register();
    MUST(muster_testkit_transport_create(&w->transport) == MUSTER_OK);
    options.transport = muster_testkit_transport_class();
    options.transport_arg = w->transport;
    MUST(muster_channel_create("script:///" TARGET, &options, &w->channel,
                               NULL) == MUSTER_OK);
}

static void close_world(world *w)
{
    muster_channel_destroy(w->channel);
    while (muster_shutdown() == MUSTER_BUSY) {
        (void)sched_yield();
    }
    MUST(*muster_testkit_transport_violations(w->transport) == '\0');
    muster_testkit_transport_destroy(w->transport);
}

int main(void)
{
    world w = {.n_lives = (unsigned)scale(200, 5000)};
    pthread_t watchers[WATCHERS];
    pthread_t others[WAITERS + 1];

    open_world(&w);
    for (int i = 0; i < WATCHERS; i++) {
        MUST(pthread_create(&watchers[i], NULL, watch_on, &w) == 0);
    }
    for (int i = 0; i < WAITERS; i++) {
        MUST(pthread_create(&others[i], NULL, wait_on, &w) == 0);
    }
    MUST(pthread_create(&others[WAITERS], NULL, flap_on, &w) == 0);
    for (int i = 0; i < WATCHERS; i++) {
        (void)pthread_join(watchers[i], NULL);
    }
    atomic_store(&w.is_stopping, true);
    for (int i = 0; i <= WAITERS; i++) {
        (void)pthread_join(others[i], NULL);
    }
    close_world(&w);
    (void)printf("%u watchers were told %llu events\n", WATCHERS * w.n_lives,
                 (unsigned long long)atomic_load(&w.n_events));
    return 0;
}
