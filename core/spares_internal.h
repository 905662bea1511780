/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of spares share. */
#ifndef MUSTER_CORE_SPARES_INTERNAL_H
#define MUSTER_CORE_SPARES_INTERNAL_H

#include "channel_internal.h"
#include "spares.h"

/* A place for one connection. */
typedef struct muster__spare {
    muster__connection *connection; /* being made or READY; NULL: none */
    muster__backoff backoff;
    uint64_t due_ms; /* until when its backoff runs; 0: it does not */
} muster__spare;

/* While any place has a connection the subchannel has a first one; while one is
 * READY that is, too, and while one serves that does. */
struct muster__spares {
    muster_channel *channel;
    muster__subchannel *subchannel;
    muster__slot *leader; /* while in the working view */
    muster__spares *next; /* of those that want a connection */
    muster__spares *previous;
    bool is_queued;
    muster__timer *timer; /* of the backoff that ends first */
    uint32_t n;
    muster__spare places[];
};

/* NULL: the subchannel has none yet. */
static inline muster__spares *
muster__spares_of(const muster_channel *channel,
                  const muster__subchannel *subchannel)
{
    return subchannel->number < channel->pools.n_numbers
               ? channel->pools.by_number[subchannel->number]
               : NULL;
}

/* The connection number i of an endpoint, the first being 0; NULL: none. */
static inline muster__connection *
muster__spares_connection(const muster__spares *spares, uint32_t i)
{
    return i == 0 ? spares->subchannel->connection
                  : spares->places[i - 1].connection;
}

/* The READY one that is of the most use to calls; NULL: none is READY. */
muster__spare *muster__spares_best(muster__spares *spares);

void muster__spares_change_places(muster__spares *spares, muster__spare *place);

/* Whether it has a slot in the view, and no other one of the endpoint's has. */
bool muster__spares_is_only_member(const muster__spares *spares,
                                   const muster__connection *connection);

/* The subchannel's; NULL: no memory. */
muster__spares *muster__spares_get(muster_channel *channel,
                                   muster__subchannel *subchannel);

#endif
