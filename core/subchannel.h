/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint of a channel: whether it is wanted, connected, failing. Its
 * connections are connection.h's. Thread: control, all of it. */
#ifndef MUSTER_CORE_SUBCHANNEL_H
#define MUSTER_CORE_SUBCHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "backoff.h"
#include "endpoint_set.h"
#include "loop.h"
#include "plane.h"

struct muster__connection;

/* Only a subchannel that failed has one: 100 000 that never did stay small. */
typedef struct muster__retry {
    muster_channel *channel;
    struct muster__subchannel *subchannel;
    muster__backoff backoff;
    muster__timer *timer;
    char *reason; /* of the latest failure */
} muster__retry;

typedef struct muster__subchannel {
    muster__endpoint *endpoint; /* a reference; NULL: number is free */
    struct muster__connection *connection;  /* in use or being made; the first
                                               of several (spares.h) */
    struct muster__connection *connections; /* all, draining ones included */
    muster__retry *retry;                   /* NULL until the first failure, and
                                               when that found no memory */
    uint64_t n_calls; /* picks, as far as muster__subchannel_calls() and slots
                         that closed have told */
    uint32_t number;  /* in the channel; low half of the backend id */
    uint32_t life;    /* how often the number was given; high half of the id */
    uint32_t next;    /* of the free numbers, or of those to connect */
    uint32_t place;   /* in the channel's held list, while is_held */
    uint8_t state;    /* muster_connectivity */
    bool is_listed : 1;     /* in the resolver's list */
    bool is_held : 1;       /* not listed, but serves until the new list does */
    bool is_wanted : 1;     /* by the policy */
    bool is_asked : 1;      /* by a CONNECT verdict: wanted from then on */
    bool is_queued : 1;     /* in the connector's queue */
    bool is_failing : 1;    /* failed and not READY since (sticky) */
    bool is_ejected : 1;    /* by the policy */
    bool is_unhealthy : 1;  /* connected, but its health says NOT_SERVING */
    bool is_in_view : 1;    /* has a slot in the working view */
    bool is_told_unfit : 1; /* the latest table has it as unfit, or it entered
                               the view so since */
    bool is_retry_due : 1;  /* its backoff runs: do not connect yet */
} muster__subchannel;

uint64_t muster__subchannel_id(const muster__subchannel *subchannel);

/* Connected, and kept from serving by its health or by the policy alone. */
static inline bool
muster__subchannel_is_unfit(const muster__subchannel *subchannel)
{
    return subchannel->is_unhealthy ||
           (subchannel->state == MUSTER_READY && subchannel->is_ejected);
}

/* Why it is not READY; NULL when nothing is known. */
const char *muster__subchannel_failure(const muster__subchannel *subchannel);

/* Begins to connect when it is wanted, listed, not connected and no backoff
 * runs: queues it for the connector. So with the connections that it lacks
 * beside the first. Otherwise does nothing. */
void muster__subchannel_connect(muster_channel *channel,
                                muster__subchannel *subchannel);

/* Whether it should be connecting: wanted, listed, of a started priority, not
 * connected, and no backoff runs. */
bool muster__subchannel_may_connect(const muster_channel *channel,
                                    const muster__subchannel *subchannel);

/* Its attempt failed: backoff starts. reason is copied. */
void muster__subchannel_fail(muster_channel *channel,
                             muster__subchannel *subchannel,
                             const char *reason);

/* Has a connection that is READY: backoff starts anew. */
void muster__subchannel_connected(muster__subchannel *subchannel);

/* Its connection is READY, or the health of that has changed: by it, READY (and
 * failures are forgotten), CONNECTING or TRANSIENT_FAILURE. */
void muster__subchannel_judge(muster_channel *channel,
                              muster__subchannel *subchannel);

/* By the policy's want(), and by a CONNECT verdict. */
void muster__subchannel_set_wanted(muster_channel *channel,
                                   muster__subchannel *subchannel,
                                   bool is_wanted, bool is_asked);

/* Gives up its connections: READY ones drain. What failed is remembered, and
 * its backoff runs on. */
void muster__subchannel_shed(muster_channel *channel,
                             muster__subchannel *subchannel);

/* The same, and forgets failures. */
void muster__subchannel_disconnect(muster_channel *channel,
                                   muster__subchannel *subchannel);

/* Gives its number back when nothing needs it any more: not listed, not held,
 * nothing connected, draining or queued. */
void muster__subchannel_release(muster_channel *channel,
                                muster__subchannel *subchannel);

/* Backoff starts anew; when it runs, it is over and the subchannel connects. */
void muster__subchannel_reset_backoff(muster_channel *channel,
                                      muster__subchannel *subchannel);

/* Ends the backoff of one that failed and found no memory for a timer. */
void muster__subchannel_try_again(muster_channel *channel,
                                  muster__subchannel *subchannel);

/* Milliseconds until it connects again; 0 when no backoff runs. */
uint64_t
muster__subchannel_backoff_left_ms(const muster__subchannel *subchannel);

/* Picks of it since it was made, over all of its connections; those given back,
 * too. Counted on at each look, so that 2^32 picks of one connection between
 * two looks would be lost. */
uint64_t muster__subchannel_calls(muster__subchannel *subchannel);

/* Moves to state, keeps the channel's counts, and tells those who watch; the
 * first with no cause (NULL). What a watcher can see must not be half done. */
void muster__subchannel_set_state(muster_channel *channel,
                                  muster__subchannel *subchannel,
                                  muster_connectivity state);
void muster__subchannel_move(muster_channel *channel,
                             muster__subchannel *subchannel,
                             muster_connectivity state, const char *cause);

#endif
