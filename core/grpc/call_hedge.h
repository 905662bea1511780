/* SPDX-License-Identifier: Apache-2.0 */
/* A call of which several attempts are made at a time: what hedging/ decides,
 * of calls of C core.
 *
 * While an attempt is out, the timer may be set, for the next. While none is,
 * the call is parked, or it has ended. The first attempt that ends it decides;
 * the others are cancelled, and the call is reported when the last of them has
 * ended, too. */
#ifndef MUSTER_CORE_GRPC_CALL_HEDGE_H
#define MUSTER_CORE_GRPC_CALL_HEDGE_H

#include "call.h"
#include "call_timers.h"
#include "hedging/hedging.h"
#include "hedging/latency.h"
#include "stream.h"

/* All guarded by the call's mutex, but the heap's part of the timer. */
struct muster__call_hedge {
    muster__call_timer timer; /* first */
    muster_call *call;
    muster__hedging state;
    muster__latency *latency; /* borrowed from the channel; NULL: no need */
    uint64_t delay_ns;        /* between attempts; MUSTER_FOREVER: not known */
    uint64_t next_ns;         /* the next is due; MUSTER_FOREVER: none is. Of a
                                 stream that is decided: its deadline */
    bool is_decided;          /* which attempt is the call's */
    bool has_end;             /* that has ended */
    /* Those that are out: the others have no C core call. */
    muster__grpc_attempt attempts[MUSTER__RETRY_MAX_TRIED];
    muster__stream_racer racers[MUSTER__RETRY_MAX_TRIED]; /* beside them */
};

/* NULL: no memory. */
muster__call_hedge *muster__call_hedge_create(muster_call *call,
                                              muster__hedging_rules rules);
void muster__call_hedge_destroy(muster__call_hedge *hedge);

/* Places the call's next attempt on the lease. */
void muster__call_hedge_place(muster_call *call, muster_lease lease,
                              uint64_t now_ns);

/* An attempt has ended. */
bool muster__call_hedge_settle(muster__grpc_attempt *attempt,
                               muster_call_event *ret_event);

/* A stream goes on with the attempt, which is the call's from now on; the
 * others are cancelled. The call's mutex is held. */
void muster__call_hedge_adopt_locked(muster__call_hedge *hedge,
                                     muster__grpc_attempt *attempt);

/* The call has ended: whether that may be told, since no attempt is out. Else
 * the end of the last one tells it. */
bool muster__call_hedge_is_over(muster_call *call);

/* Cancels what is out. The call's mutex is held. */
void muster__call_hedge_cancel_locked(muster__call_hedge *hedge);

/* What a queue does with a timer of its that is due. */
void muster__call_hedge_due(muster__call_timer *timer);

#endif
