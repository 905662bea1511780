/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a subchannel, used once: CONNECTING, perhaps READY, dead;
 * then it drains until its last lease is finished, and is destroyed. Thread:
 * control, but for what the transport reports. */
#ifndef MUSTER_CORE_CONNECTION_H
#define MUSTER_CORE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "race.h"
#include "subchannel.h"

typedef struct muster__connection {
    muster_channel *channel;
    muster__subchannel *subchannel;
    muster__endpoint *endpoint; /* as it was when this was made; a reference */
    struct muster__connection *older; /* of the same subchannel */
    muster__slot *slot;               /* while in the working view */
    muster__slot *last_slot;          /* until it is closed */
    muster__race *race;               /* until it is READY, or dead */
    muster__attempt *attempt;         /* that was READY; NULL for "none" */
    struct muster__renewal *renewal;  /* of this one, or by it; NULL: none */
    struct muster__connection *next_draining;
    struct muster__connection *previous_draining;
    uint64_t drain_deadline_ms; /* 0: none */
    uint32_t n_slots;           /* not closed yet */
    bool is_ready;
    bool is_given_up;    /* no subchannel wants it; destroyed without slots */
    bool is_renewal_due; /* once it is READY, and there is memory */
    bool is_replaced;    /* drains, but its endpoint stays: no deadline */
} muster__connection;

/* Makes the subchannel's connection; it is then CONNECTING, or READY already
 * ("none"). On failure the subchannel has failed, with its reason. */
void muster__connection_create(muster_channel *channel,
                               muster__subchannel *subchannel);

/* Another connection of the subchannel, beside the one that it uses: the
 * caller's to put in its place or to give up. NULL when it failed at once, and
 * err says why. */
muster__connection *
muster__connection_create_beside(muster__subchannel *subchannel,
                                 muster_error *err);

/* Enters the working view, and leaves it. Entering may fail (MUSTER_NOMEM). */
muster_status muster__connection_enter_view(muster__connection *connection);
void muster__connection_leave_view(muster__connection *connection);

/* Nobody wants it any more: destroyed at once or when it has drained. */
void muster__connection_give_up(muster__connection *connection);

/* Its endpoint goes: it is to have drained by the drain deadline. Nothing when
 * it does not drain, or its deadline runs; one that is over begins anew. */
void muster__connection_hurry(muster__connection *connection);

/* Calls in flight on it, none or more: exact only at rest. */
int64_t muster__connection_in_flight(const muster__connection *connection);

/* Adds the picks of its latest slot to what its subchannel counts; those of the
 * others come when they close. */
void muster__connection_count_calls(muster__connection *connection);

/* plane's slot_closed. */
void muster__connection_slot_closed(void *ctx, void *owner, muster__slot *slot);

/* What muster_lease_connection() answers. */
void *muster__connection_transport(const muster__connection *connection);

/* Which of its endpoint's addresses it is connected to; NULL while it is not,
 * and for "none". */
const char *muster__connection_address(const muster__connection *connection);

/* What came of an attempt of it: READY, or dead (before or after that). */
void muster__connection_reached(muster__connection *connection,
                                muster__attempt *attempt);
void muster__connection_lost(muster__connection *connection,
                             muster__attempt *attempt, const char *reason);

/* The transport said something of the health of an attempt of it. */
void muster__connection_judge(muster__connection *connection,
                              const muster__attempt *attempt);

/* Of one that is READY; UNCHECKED for "none". */
muster_health muster__connection_health(const muster__connection *connection);

/* READY, and its health does not keep it from serving. */
bool muster__connection_serves(const muster__connection *connection);

/* Why its health keeps it from serving; NULL when it does not. */
const char *
muster__connection_health_reason(const muster__connection *connection);

/* The transport wants another in its place. */
void muster__connection_renew(muster__connection *connection);

#endif
