/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of resolvers that a test drives, and a subscriber that remembers
 * what it was told. One drill a process. */
#ifndef MUSTER_TESTS_DRILL_H
#define MUSTER_TESTS_DRILL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/plugin.h>

#include "resolution.h"

/* How the drilled resolver answers stop(). */
typedef enum stop_manner {
    STOPS_AT_ONCE,
    STOPS_ON_ANOTHER_THREAD,
    STOPS_TWICE,
    STOPS_NEVER
} stop_manner;

/* Schemes: "drill" has every function, "mute" has only those it must have,
 * "block" is drill with MAY_BLOCK. All have a cooldown of 50 ms. */
typedef struct drill_state {
    pthread_mutex_t mutex; /* guards all */
    pthread_cond_t changed;

    /* How to behave. */
    unsigned n_creates_to_fail;
    bool blocks_create;
    stop_manner stop;
    void (*in_create)(const muster_resolver_env *env);
    void (*in_start)(const muster_resolver_env *env);
    void (*in_refresh)(const muster_resolver_env *env);

    /* What happened. */
    const muster_resolver_env *env; /* of the newest instance */
    unsigned n_creates;
    unsigned n_starts;
    unsigned n_refreshes;
    unsigned n_applied;
    unsigned n_stops;
    unsigned n_frees;
    uint64_t refreshed_ms[64];
    uint64_t applied_sequence;
    muster_status applied_status;
    unsigned n_inside; /* calls under way */
    bool was_entered_twice;
    bool was_on_control;  /* some call was */
    bool was_off_control; /* some call was not */
} drill_state;

extern drill_state drill;

/* Registers the plugin and starts the loop; undoes both, and checks that no
 * resolution is left. */
void drill_open(void);
void drill_close(void);

/* Changes of the drill are signalled by whoever makes them. */
void drill_lock(void);
void drill_unlock(void);

/* Waits inside drill_lock() for a change. Ends the process after 20 s. */
void drill_wait_locked(const char *condition);

/* Waits until condition holds; it is read with the drill locked. */
#define AWAIT(condition)                                                       \
    do {                                                                       \
        drill_lock();                                                          \
        while (!(condition)) {                                                 \
            drill_wait_locked(#condition);                                     \
        }                                                                      \
        drill_unlock();                                                        \
    } while (0)

/* Runs fn(arg) on the control thread and waits. */
void drill_call(void (*fn)(void *arg), void *arg);

/* What was posted to the control thread before this has run, and what that
 * posted too. */
void drill_settle(void);

/* Reports from the calling thread. "1,2,3" lists 10.0.0.1:1, 10.0.0.1:2 ... */
muster_status drill_report(const char *ports);
muster_status drill_report_flags(const char *ports, uint32_t flags,
                                 const char *service_config);
muster_status drill_delta(const char *upserted, const char *removed);
void drill_fail(muster_status code, const char *message);

/* The same, from the control thread. */
void drill_report_on_control(const char *ports);

typedef struct recorder {
    muster__subscriber subscriber; /* first */
    unsigned n_changed;
    unsigned n_failed;
    unsigned n_confirmed;
    unsigned n_ended;
    size_t n_changes; /* of the last changed() */
    size_t size;      /* of the set at the last event */
    uint64_t generation;
    bool is_held;
    muster_status status; /* of the last failed() */
    char message[512];
    muster_status ended_status;
    muster__resolver_stats stats; /* at the last event */
    void (*in_changed)(struct recorder *self);
} recorder;

muster_status recorder_subscribe(recorder *self, const char *target,
                                 const muster__resolver_options *options,
                                 muster_error *err);

/* The same, on the control thread; takes over target. */
muster_status recorder_subscribe_to(recorder *self, muster__target *target);

/* Unsubscribes, and waits for ended(). */
void recorder_end(recorder *self);

#endif
