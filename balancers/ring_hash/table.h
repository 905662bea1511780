/* SPDX-License-Identifier: Apache-2.0 */
/* A ring with the states of its members, which picks walk. */
#ifndef MUSTER_BALANCERS_RING_HASH_TABLE_H
#define MUSTER_BALANCERS_RING_HASH_TABLE_H

#include "../hashing/load.h"
#include "ring.h"

#define RING_NOT_READY UINT32_MAX

typedef struct ring_place {
    uint64_t id;
    uint32_t index; /* of the READY view, or RING_NOT_READY */
    uint8_t state;  /* a muster_connectivity */
} ring_place;

typedef struct ring_table {
    ring *ring;          /* NULL when there is no member */
    hashing_seat *seats; /* of the READY view; NULL when there is no bound */
    uint32_t n_seats;
    uint32_t n_ready;    /* members */
    uint32_t n_usable;   /* members that are not TRANSIENT_FAILURE */
    bool is_connecting;  /* a member is */
    ring_place places[]; /* of the ring's roster */
} ring_table;

/* states are those of the ring's members. Takes a reference of ring, which may
 * be NULL. The caller's to destroy; NULL when memory is short. */
ring_table *muster__ring_table_create(ring *of, const uint8_t *states,
                                      const muster_build_args *args,
                                      bool is_bounded);

/* NULL is ignored. */
void muster__ring_table_destroy(ring_table *self);

/* The pick of a call with a key: at the first member from there on that has not
 * failed, which is connected when it is IDLE, and waited for. */
muster_verdict muster__ring_table_walk(const ring_table *self, uint64_t hash,
                                       muster_pick_result *result);

/* The pick of a call without: the first that is READY. *ret_idle_id is an IDLE
 * one passed on the way that should be connected, or 0. */
muster_verdict muster__ring_table_walk_any(const ring_table *self,
                                           uint64_t hash,
                                           muster_pick_result *result,
                                           uint64_t *ret_idle_id);

/* The index of the first that is READY, of which there must be one; table is a
 * ring_table. */
uint32_t muster__ring_table_owner(const void *table, uint64_t hash);

#endif
