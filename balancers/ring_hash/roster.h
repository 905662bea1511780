/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the endpoints that a ring is of: their ids, keys and weights. It
 * never changes, and is shared by reference. */
#ifndef MUSTER_BALANCERS_RING_HASH_ROSTER_H
#define MUSTER_BALANCERS_RING_HASH_ROSTER_H

#include <stdatomic.h>

#include "../hashing/key.h"

typedef struct roster {
    _Atomic uint32_t n_refs;
    uint32_t n;
    void *texts; /* lists of addresses, then what members point into */
    hashing_member members[];
} roster;

/* Of those of n backends, stride bytes apart, that have priority. The caller's
 * one reference; NULL when memory is short. */
roster *muster__roster_create(const hashing_settings *settings,
                              const muster_backend *backends, size_t stride,
                              size_t n, uint32_t priority);

/* Whether muster__roster_create() would make the same. */
bool muster__roster_is_of(const roster *self, const hashing_settings *settings,
                          const muster_backend *backends, size_t stride,
                          size_t n, uint32_t priority);

roster *muster__roster_ref(roster *self);

/* NULL is ignored. */
void muster__roster_unref(roster *self);

#endif
