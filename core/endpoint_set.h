/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints of one target, found by identity: full lists and deltas go in,
 * what changed comes out. Thread: control, all of it. */
#ifndef MUSTER_CORE_ENDPOINT_SET_H
#define MUSTER_CORE_ENDPOINT_SET_H

#include <stddef.h>
#include <stdint.h>

#include "endpoint_list.h"

/* One endpoint: its data is immutable. One allocation, counted on the control
 * thread. */
typedef struct muster__endpoint {
    muster_endpoint data; /* its pointers point into this allocation */
    uint64_t hash;
    uint32_t refs;
    uint32_t position; /* in the last full list; of a delta's: behind it. A list
                          in another order changes this and nothing else */
} muster__endpoint;

muster__endpoint *muster__endpoint_ref(muster__endpoint *endpoint);
void muster__endpoint_unref(muster__endpoint *endpoint); /* NULL is ignored */

/* before NULL: added. after NULL: removed. Both: weight, priority, zone or
 * attributes changed. index is the endpoint's number in the set: dense, the
 * same while it stays, reused after it left. */
typedef struct muster__change {
    muster__endpoint *before;
    muster__endpoint *after;
    uint32_t index;
} muster__change;

/* Valid until the next apply on the same set. Removals come first. The set
 * holds a reference on each before until then. */
typedef struct muster__changes {
    const muster__change *items;
    size_t n;
} muster__changes;

typedef struct muster__set muster__set;

muster_status muster__set_create(muster__set **ret_set);
void muster__set_destroy(muster__set *set); /* NULL is ignored */

/* Makes the set equal to list; duplicates count once (the last one's weight
 * and so on hold). Nothing changes on MUSTER_NOMEM. O(n) of the list. */
muster_status muster__set_apply_list(muster__set *set, const muster__list *list,
                                     muster__changes *ret_changes);

/* Adds or changes upserted, then removes removed; either may be NULL. O(their
 * sizes). Nothing changes on MUSTER_NOMEM. */
muster_status muster__set_apply_delta(muster__set *set,
                                      const muster__list *upserted,
                                      const muster__list *removed,
                                      muster__changes *ret_changes);

size_t muster__set_size(const muster__set *set);

/* Numbers in use are below it. */
uint32_t muster__set_limit(const muster__set *set);

/* The endpoint with that number, borrowed; NULL when there is none. */
muster__endpoint *muster__set_at(const muster__set *set, uint32_t index);

#endif
