/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of an endpoint beside its first, in channels that want
 * several: the README's "Pools". What is known of a subchannel, its state above
 * all, is known of its first connection; a spare that can takes the place of a
 * first that is lost. Thread: control, all of it. */
#ifndef MUSTER_CORE_SPARES_H
#define MUSTER_CORE_SPARES_H

#include <stdbool.h>
#include <stdint.h>

#include "connection.h"

typedef struct muster__spares muster__spares; /* of one subchannel */

/* All of a channel. */
typedef struct muster__pools {
    muster__spares **by_number; /* of subchannels; NULL: has none yet */
    uint32_t n_numbers;
    muster__spares *first; /* those that want one connection more */
    muster__spares *last;
} muster__pools;

/* No subchannel is left. */
void muster__pools_fini(muster__pools *pools);

static inline bool muster__pools_are_used(const muster_channel_options *options)
{
    return options->connections_per_endpoint > 1;
}

/* Queues the subchannel for the connections it lacks. Nothing while its first
 * is not READY: then there is no use for others. */
void muster__spares_want(muster_channel *channel,
                         muster__subchannel *subchannel);

/* Makes those there is room for: each subchannel that waits gets one, then each
 * another. */
void muster__spares_run(muster_channel *channel);

/* The subchannel's connections are given up, but for the first, which stays and
 * leaves the view; backoff is forgotten. */
void muster__spares_end(muster_channel *channel,
                        muster__subchannel *subchannel);

/* Backoff is over. */
void muster__spares_reset_backoff(muster_channel *channel,
                                  muster__subchannel *subchannel);

/* ---- what becomes of a connection ---- */

/* connection is READY. True: it is one more of an endpoint that is READY
 * already. False: it is the first now. */
bool muster__spares_reached(muster__connection *connection);

/* connection could not be made. True: it is given up, and another one is the
 * first or was already. False: it was the only one. */
bool muster__spares_failed(muster__connection *connection, const char *reason);

/* connection went away. True: it is given up, and others are READY; what the
 * subchannel's state is follows their health. False: none is READY. */
bool muster__spares_went_away(muster__connection *connection);

/* The health of connection, which is READY and the first or a spare, is known
 * or another now: the first is one that serves, if any does, and the
 * subchannel's state is by that one's health. */
void muster__spares_judge(muster__connection *connection);

/* Puts one that is of more use to calls into the first place. False: there is
 * none. */
bool muster__spares_choose_first(muster_channel *channel,
                                 muster__subchannel *subchannel);

/* The first connection went away, and the subchannel has none: one that is
 * being made is the first now, if there is any. */
void muster__spares_succeed_first(muster_channel *channel,
                                  muster__subchannel *subchannel);

/* successor takes the place of old. False: old is no spare. */
bool muster__spares_replace(const muster__connection *old,
                            muster__connection *successor);

/* ---- the view ---- */

/* slot, which is connection's, comes into the view, or leaves it while others
 * stay: without any the leader would be found, and found empty. */
muster_status muster__spares_add_slot(const muster__connection *connection,
                                      muster__slot *slot);
void muster__spares_remove_slot(const muster__connection *connection,
                                muster__slot *slot);

/* Brings those into the view that serve and are not in it, and takes out those
 * that do not serve. The last one stays: it leaves with the leader. */
muster_status muster__spares_update_view(muster_channel *channel,
                                         const muster__subchannel *subchannel);

/* What stands for the subchannel in the working view; NULL: nothing does. */
const muster__slot *muster__spares_leader(const muster_channel *channel,
                                          const muster__subchannel *subchannel);

/* All of the subchannel's leave it. False: none of them was in. */
bool muster__spares_leave_view(muster_channel *channel,
                               muster__subchannel *subchannel);

/* ---- what is known of it ---- */

/* The place number i, from 1 on: *ret_connection is NULL while it is empty. */
muster_connectivity
muster__spares_at(const muster_channel *channel,
                  const muster__subchannel *subchannel, uint32_t i,
                  const muster__connection **ret_connection);

#endif
