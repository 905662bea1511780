/* SPDX-License-Identifier: Apache-2.0 */
/* Picks that wait: first come, first served; no wake-up is lost (behaviour
 * rule 15). Thread: any, unless said otherwise. */
#ifndef MUSTER_CORE_PARKING_H
#define MUSTER_CORE_PARKING_H

#include <pthread.h>
#include <stdint.h>

#include <muster/channel.h>

#include "loop.h"
#include "nudge.h"

typedef struct muster__parked muster__parked;

typedef struct muster__parking {
    pthread_mutex_t lock;  /* guards all below */
    muster__parked *first; /* the longest waiting */
    muster__parked *last;
    uint32_t n;
    uint64_t last_id;
    uint64_t n_parked_ever;
    uint64_t n_timed_out;
    uint64_t n_exhausted;
    bool is_closed;
    bool is_watched; /* who begins to wait nudges, until all are served again */
    muster__nudge serve_nudge; /* runs muster__parking_serve() */
    muster__timer *timer;      /* control: deadlines of asynchronous picks */
} muster__parking;

muster_status muster__parking_init(muster__parking *parking,
                                   muster_channel *channel);

/* Nobody waits. Thread: control. */
void muster__parking_fini(muster__parking *parking);

/* Gives every waiting pick another try, in order. Thread: control; after each
 * publication. */
void muster__parking_serve(muster_channel *channel);

/* Whether a pick waits for a picker, and not for its time alone. If none does,
 * one that begins to has muster__publisher_hurry() called. Thread: control. */
bool muster__parking_watch(muster__parking *parking);

#endif
