/* SPDX-License-Identifier: Apache-2.0 */
/* The process scope of one plugin: its init, its fini, and the host between
 * them. */
#ifndef MUSTER_CORE_PLUGIN_HOST_H
#define MUSTER_CORE_PLUGIN_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/plugin.h>

#include "name_lookup.h"

typedef struct muster__host_timer muster__host_timer;
typedef struct muster__host_watch muster__host_watch;

typedef struct muster__plugin_scope {
    const muster_plugin *descriptor;

    /* What post() looks at. epoch counts the times that the host was closed,
     * so that what was posted before is not run after. */
    pthread_mutex_t mutex;
    bool is_open;   /* guarded by mutex */
    uint64_t epoch; /* guarded by mutex; changed on the control thread only */

    /* The rest is the control thread's. */
    muster__host_timer *timers;
    muster__host_watch *watches;
    muster__name_lookup *lookups;
    bool is_ending; /* takes no more lookups until the next init */
    uint64_t last_timer;
    size_t n_users;
    void *shared;
    bool is_initialised;
    bool is_leaked;
} muster__plugin_scope;

/* Thread: any, both; scope is not shared yet, or was not used. */
void muster__plugin_scope_prepare(muster__plugin_scope *scope,
                                  const muster_plugin *descriptor);

void muster__plugin_scope_release(muster__plugin_scope *scope);

/* As muster__plugin_use() and its like say. Thread: control, all of it. */
muster_status muster__plugin_scope_use(muster__plugin_scope *scope,
                                       void **ret_shared, muster_error *err);
void muster__plugin_scope_unuse(muster__plugin_scope *scope);
void muster__plugin_scope_leak(muster__plugin_scope *scope);

/* Cancels the plugin's name lookups, and takes no more of them: it is about to
 * end. */
void muster__plugin_scope_end_lookups(muster__plugin_scope *scope);

/* Runs fini when init was run and nobody uses it, and closes the host. */
void muster__plugin_scope_end(muster__plugin_scope *scope);

#endif
