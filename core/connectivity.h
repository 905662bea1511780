/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of a channel's states, and who waits for one. */
#ifndef MUSTER_CORE_CONNECTIVITY_H
#define MUSTER_CORE_CONNECTIVITY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/connectivity.h>

#include "subchannel.h"

struct muster__state_waiter;

typedef struct muster__states {
    pthread_mutex_t lock;                 /* guards waiters */
    struct muster__state_waiter *waiters; /* blocked threads */

    /* Touched only on the control thread. */
    muster_state_watcher *watchers; /* newest first */
    uint32_t n_telling;             /* callbacks that run: none leaves */
    bool has_leavers;               /* they leave after those */
} muster__states;

/* Thread: any. */
void muster__states_init(muster__states *states);
void muster__states_fini(muster__states *states);

/* The state is the new one already; previous may equal it: a subchannel that is
 * new. Calls the watchers, so nothing may be half done that they can see, and
 * no lock held. cause may be NULL. Thread: control. */
void muster__states_tell_channel(muster_channel *channel,
                                 muster_connectivity previous,
                                 const char *cause);
void muster__states_tell_subchannel(muster_channel *channel,
                                    const muster__subchannel *subchannel,
                                    muster_connectivity previous,
                                    const char *cause);

/* Wakes the threads for which that state is the answer. Thread: control. */
void muster__states_wake(muster__states *states, muster_connectivity state);

/* Whether a thread waits for READY. Thread: any. */
bool muster__states_is_ready_awaited(muster__states *states);

#endif
