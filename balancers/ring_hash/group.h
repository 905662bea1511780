/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints of one priority, of those in a list: the ring is of them. */
#ifndef MUSTER_BALANCERS_RING_HASH_GROUP_H
#define MUSTER_BALANCERS_RING_HASH_GROUP_H

#include "../backends.h"
#include "../hashing/key.h"

typedef struct group {
    uint32_t priority;
    uint32_t n_by_state[MUSTER_SHUTDOWN];
} group;

/* A muster_connectivity, as far as picks are concerned: one that gets no calls
 * has failed. */
uint8_t muster__ring_group_state(const muster_backend *backend);

/* The group to serve from; one of priority 0 without endpoints when the list is
 * empty. The core serves from one priority, too, the best with anything READY.
 */
group muster__ring_group_choose(const muster_balancer_update *update);

#endif
