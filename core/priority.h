/* SPDX-License-Identifier: Apache-2.0 */
/* Priorities (behaviour rule 12, gRFC A56): counts of each, which are started,
 * which one is served. Thread: control. */
#ifndef MUSTER_CORE_PRIORITY_H
#define MUSTER_CORE_PRIORITY_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "subchannel.h"

typedef struct muster__priority {
    uint32_t priority;
    uint32_t n_listed;
    uint32_t n_ready;       /* and not ejected */
    uint32_t n_failing;     /* not READY, and failed since they were */
    uint32_t n_connecting;  /* neither, and wanted */
    uint32_t n_idle;        /* neither, and not wanted */
    bool is_started;        /* its endpoints are connected */
    bool is_stopping;       /* it was; their connections are to be given up */
    uint64_t started_ms;    /* the failover timer counts from here */
    uint64_t idle_since_ms; /* a better one serves since; 0: none does */
} muster__priority;

typedef struct muster__priorities {
    muster__priority *items; /* best first; only those with endpoints */
    uint32_t n;
    uint32_t capacity;
    uint32_t active; /* the served priority's number (not its place) */
    bool has_active;
    muster__timer *timer; /* failover, or end of the idle time */
} muster__priorities;

/* Room for n priorities more. MUSTER_NOMEM. */
muster_status muster__priorities_reserve(muster__priorities *priorities,
                                         uint32_t n);
void muster__priorities_fini(muster__priorities *priorities);

/* The subchannel counts by its present state (is_listed), or no longer does:
 * called around every change of what is counted. */
void muster__priorities_add(muster__priorities *priorities,
                            const muster__subchannel *subchannel);
void muster__priorities_subtract(muster__priorities *priorities,
                                 const muster__subchannel *subchannel);

/* Decides anew which are started and which is active; a policy that is
 * PRIORITY_AWARE has all started and none active. Arms the timer. True when
 * anything changed. */
bool muster__priorities_decide(muster_channel *channel);

/* Whether the endpoints of that priority are to be connected, disconnected
 * (after which muster__priorities_stopped() is told), or served. One that never
 * was started may have connections all the same: of endpoints that moved to it.
 */
bool muster__priorities_is_started(const muster__priorities *priorities,
                                   uint32_t priority);
bool muster__priorities_is_stopping(const muster__priorities *priorities,
                                    uint32_t priority);
void muster__priorities_stopped(muster__priorities *priorities);
bool muster__priorities_is_active(const muster_channel *channel,
                                  uint32_t priority);

/* Endpoints that belong in the view, without those that are there for a panic
 * alone: a list of which none is fit has not begun to serve. */
uint32_t muster__priorities_n_eligible(const muster_channel *channel);

/* Whether an endpoint of a started priority may become READY: one connects, or
 * all that are not READY wait for the policy to want them. */
bool muster__priorities_may_serve(const muster__priorities *priorities);

#endif
