/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of hashes, as gRFC A42 makes it: each member of a roster has points on
 * it, in proportion to its weight, and owns what lies before them. It never
 * changes, and is shared by reference. */
#ifndef MUSTER_BALANCERS_RING_HASH_RING_H
#define MUSTER_BALANCERS_RING_HASH_RING_H

#include "roster.h"

#define RING_MAX_SIZE 8388608

typedef struct ring_point {
    uint64_t hash;
    uint32_t member; /* of the roster */
} ring_point;

typedef struct ring {
    _Atomic uint32_t n_refs;
    uint32_t n;
    roster *roster;
    ring_point points[]; /* n, by hash */
} ring;

/* The lightest member gets a whole number of points, so that there are min_size
 * or a few more, but never over max_size. Takes a reference of members, one at
 * least. The caller's one reference; NULL when memory is short. */
ring *muster__ring_create(roster *members, uint32_t min_size,
                          uint32_t max_size);

/* The first point at or after hash, round the end. */
uint32_t muster__ring_find(const ring *self, uint64_t hash);

ring *muster__ring_ref(ring *self);

/* NULL is ignored. */
void muster__ring_unref(ring *self);

#endif
