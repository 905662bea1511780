/* SPDX-License-Identifier: Apache-2.0 */
/* Graceful shutdown, of one channel and of all. */
#ifndef MUSTER_CORE_SHUTDOWN_H
#define MUSTER_CORE_SHUTDOWN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/shutdown.h>

#include "loop.h"
#include "nudge.h"

/* A channel's. Touched only on the control thread, but for what says otherwise.
 */
typedef struct muster__shutdown {
    muster_channel *next; /* of all that are open or draining */
    muster_channel **link;
    uint64_t number;     /* later channels have greater ones */
    muster__nudge nudge; /* it is asked for: any thread */
    muster__timer *timer;
    uint64_t patience_ms; /* until what is left is cancelled once more */
    uint64_t n_begun;     /* calls in flight when it began */
    uint64_t n_parked;    /* waiting picks when the channel was closed */
    bool is_begun;
    bool is_counted; /* by those who shut all channels down */

    /* Guarded by the channel's close_lock; only the control thread writes the
     * last two. */
    uint64_t deadline_ns; /* the earliest that was asked for */
    bool is_over;         /* the calls have ended, or were told to */
    muster_shutdown_numbers numbers;
} muster__shutdown;

/* Shutting down all channels there are when it begins. Whoever waits for it
 * sets the last two. Guarded by a lock of its own. */
typedef struct muster__shutdown_run {
    struct muster__shutdown_run *next;
    uint64_t last_number; /* channels up to it belong to it */
    uint64_t n_pending;
    muster_status status;
    muster_shutdown_numbers numbers;
    pthread_cond_t *changed; /* signalled when it is done; or NULL */
    muster__nudge *done;     /* posted then; or NULL */
} muster__shutdown_run;

/* ---- one channel ---- */

/* Thread: control. MUSTER_NOMEM. */
muster_status muster__channel_init_shutdown(muster_channel *channel);

/* Asks for it, and returns at once. Thread: any. */
void muster__channel_ask_shutdown(muster_channel *channel,
                                  uint64_t deadline_ns);

/* The closing channel has no connection left. Thread: control. */
void muster__channel_drained(muster_channel *channel);

/* Fills *ret_numbers, unless it is NULL, up to its struct_size. */
void muster__shutdown_give(const muster_shutdown_numbers *numbers,
                           muster_shutdown_numbers *ret_numbers);

/* ---- all channels. Thread: control ---- */

/* The channel is open; it has no connection left. */
void muster__shutdown_enrol(muster_channel *channel);
void muster__shutdown_dismiss(muster_channel *channel);

/* The first of all that are enrolled, the youngest; shutdown.next leads to the
 * others. NULL: there is none. */
const muster_channel *muster__shutdown_first(void);

/* Asks it of all. run counts those that are not complete, until
 * muster__shutdown_leave(); NULL: nobody counts. */
void muster__shutdown_begin_all(muster__shutdown_run *run,
                                uint64_t deadline_ns);
void muster__shutdown_leave(const muster__shutdown_run *run); /* any thread */

/* Tells those who count when the channel's shutdown is complete. */
void muster__shutdown_check(muster_channel *channel);

#endif
