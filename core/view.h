/* SPDX-License-Identifier: Apache-2.0 */
/* Views: chunked arrays of READY slots, copied on write.
 *
 * The working view changes; freezing makes an immutable view that shares its
 * chunks. Versions count freezes. A chunk that left the working view at version
 * v is in frozen views up to v only, so it is free again once the oldest view
 * alive is newer: freezing costs no count per chunk. */
#ifndef MUSTER_CORE_VIEW_H
#define MUSTER_CORE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "plane.h"
#include "slot.h"

#define MUSTER__CHUNK_SIZE 512u

/* How far ahead a policy that goes round will be when a line has come. */
#define MUSTER__PREFETCH_AHEAD 8u

/* In a lease's data, above the policy's number: done() wants to hear. */
#define MUSTER__LEASE_HAS_DONE (UINT64_C(1) << 32)

typedef struct muster__chunk {
    /* In the working view: when it was made. After: the last that has it. */
    uint64_t version;
    struct muster__chunk *next; /* retired or pooled */
    muster__slot *slots[MUSTER__CHUNK_SIZE];
} muster__chunk;

/* A frozen view; publishing it fills the rest and makes it the picker. Then it
 * is immutable but for the control thread's own part. */
struct muster__view {
    /* 0 also when picks must not ask, or are to be noted: that sends them the
     * slow way. */
    _Alignas(64) uint32_t n_pickable;
    uint32_t n_prefetched; /* below it, the slots ahead are fetched early */
    muster_verdict (*pick)(void *self, void *table,
                           const muster_pick_args *args,
                           muster_pick_result *result);
    void *self;
    void *table;
    uint64_t lease_data; /* what a lease remembers; 0: done() is not wanted */
    void (*done)(void *self, uint64_t id, void *state,
                 const muster_outcome *outcome);
    char *const *state_chunks;
    uint32_t state_size;
    bool has_pools; /* slots may be leaders */

    uint32_t n_state_chunks;
    uint64_t generation;
    muster__plane *plane;
    const char *policy_name;
    char *reason;                          /* owned; or NULL */
    const struct muster__methods *methods; /* of the service config; or NULL */
    muster_connectivity state;
    uint32_t n_slots;
    bool asks_when_empty;
    bool notes_picks;
    uint32_t n_noted; /* what n_pickable would be, were they not noted */

    /* The control thread's. */
    _Alignas(64) uint64_t version;
    uint64_t n_removed; /* how many slots had left before it was frozen */
    muster__view *newer;
    muster__view *next_retired;
    void *garbage;
    bool is_released;

    uint32_t n_chunks;
    uint32_t capacity; /* chunks that there is room for */
    muster__chunk *chunks[];
};

/* A list by link, in the order the slots left the working view. */
typedef struct muster__removed {
    uint32_t head;
    uint32_t tail;
} muster__removed;

/* The working view and the memory of all views. Thread: control. */
typedef struct muster__views {
    muster__chunk **chunks;
    uint32_t n_chunks;
    uint32_t capacity;
    uint32_t n_slots;
    uint32_t leaving; /* list: still at their index, until a freeze */
    uint32_t n_leaving;
    uint32_t n_pooled;
    uint64_t version;
    uint64_t n_removed;      /* ever */
    muster__removed removed; /* list: not yet out of the published view */
    muster__view *oldest;    /* alive */
    muster__view *newest;
    muster__chunk *retired_first;
    muster__chunk *retired_last;
    muster__chunk *pool;
    muster__view *spare; /* the last one freed, for the next: a large block
                            that is aligned costs as much as the rest */
    size_t held_bytes;   /* of all views alive, and of retired chunks */
} muster__views;

void muster__views_init(muster__views *views);
void muster__views_fini(muster__views *views);

/* The view is in nobody's reach any more. */
void muster__view_release(muster__views *views, muster__view *view);

static inline muster__slot *muster__view_slot(const muster__view *view,
                                              uint32_t index)
{
    return view->chunks[index / MUSTER__CHUNK_SIZE]
        ->slots[index % MUSTER__CHUNK_SIZE];
}

#endif
