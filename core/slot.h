/* SPDX-License-Identifier: Apache-2.0 */
/* A slot: the hot part of one connection, and its counts of calls.
 *
 *   FREE -> READY -> left the view, view published: DRAINING -> grace period
 *        -> CLOSING -> claimed by who finds no call in flight: FREE
 *
 * Slots come in segments of 512 that live as long as their plane. */
#ifndef MUSTER_CORE_SLOT_H
#define MUSTER_CORE_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "guard.h"
#include "plane.h"

#define MUSTER__SEGMENT_SIZE 512u
#define MUSTER__NO_SLOT UINT32_MAX

/* In the low bits of a slot's word. Above: which life of the slot it is. */
enum {
    MUSTER__SLOT_FREE = 0,
    MUSTER__SLOT_READY = 1,
    MUSTER__SLOT_DRAINING = 2, /* picks give it back and pick again */
    MUSTER__SLOT_CLOSING = 3,  /* no pick reaches it: the count only falls */
    MUSTER__SLOT_STATES = 3,   /* mask */
    MUSTER__SLOT_NEXT_LIFE = 4
};

/* What a pick and a finish add to a cell: see muster__segment. */
#define MUSTER__COUNT_PICK ((UINT64_C(1) << 32) + 1)
#define MUSTER__COUNT_FINISH UINT64_MAX /* minus one */

/* One cache line. Lists link slots by number. */
struct muster__slot {
    _Alignas(64) _Atomic uint64_t word;
    muster__plane *plane;
    uint64_t id;
    const muster_endpoint *endpoint;
    void *connection;
    _Atomic uint64_t *cells; /* its own in the first stripe */
    uint32_t number;
    uint32_t link;       /* its index while in the working view; else the next
                            of the list it is on: free, removed or closing */
    uint32_t other_link; /* lists that a slot may be on beside those: leaving
                            the view, finished, freed */
    uint16_t n_owned;    /* stripes with one writing thread each */
    uint16_t shared_mask;
};

/* The sum of a slot's stripes, modulo 2^64, is picks * 2^32 + calls in flight,
 * both exact: so one addition counts both. A call may end on another thread
 * than it began, so a stripe alone means nothing: its low half may be below
 * zero and borrow from its high half, which the sum gives back. A sum that is
 * read amid picks and finishes may have calls in flight below zero, too, when
 * it sees the finish and not the pick; the low half is signed for that, and the
 * picks are still those that were seen. Picks count modulo 2^32, over all lives
 * of the slot: only differences mean anything, and neither is ever reset, since
 * a life begins with no call in flight. A stripe of the 512 slots is
 * contiguous, so two threads never write one line. */
typedef struct muster__segment {
    muster__slot slots[MUSTER__SEGMENT_SIZE];
    /* The control thread's: who owns a slot, and which of its picks have been
     * told already. */
    void *owners[MUSTER__SEGMENT_SIZE];
    uint32_t picks_told[MUSTER__SEGMENT_SIZE];
    _Atomic uint64_t cells[]; /* [stripe][slot] */
} muster__segment;

/* All slots of a plane. Thread: control. */
typedef struct muster__slots {
    muster__segment **segments;
    uint32_t n_segments;
    uint32_t n_used; /* ever handed out */
    uint32_t free;   /* list */
    uint32_t reserved;
} muster__slots;

void muster__slots_init(muster__slots *slots);
void muster__slots_fini(muster__slots *slots);
muster__slot *muster__slots_at(const muster__slots *slots, uint32_t number);

/* A free slot, or NULL when there is no memory. */
muster__slot *muster__slots_take(muster__slots *slots);
void muster__slots_give(muster__slots *slots, muster__slot *slot);

/* Moves the slot to state; to READY begins a new life. Thread: control. */
void muster__slot_set_state(muster__slot *slot, uint64_t state);

/* Claims the slot when it is CLOSING and has no call in flight: true for one
 * caller, which closes it. Thread: any, inside the guard, or control. */
bool muster__slot_claim(muster__slot *slot);

/* Where the owner of slot is kept. */
void **muster__slot_owner(muster__slot *slot);

static inline _Atomic uint64_t *muster__slot_cell(const muster__slot *slot,
                                                  uint32_t stripe)
{
    return slot->cells + (size_t)stripe * MUSTER__SEGMENT_SIZE;
}

/* Counts a pick or a finish in a stripe that any thread may write. */
static inline void muster__slot_count_shared(muster__slot *slot, uint32_t shard,
                                             uint64_t delta)
{
    uint32_t stripe = slot->n_owned + (shard & slot->shared_mask);

    atomic_fetch_add(muster__slot_cell(slot, stripe), delta);
}

/* Counts a pick or a finish, by a thread inside by its own guard slot.
 * release: who sees the count sees what the call did. */
static inline void muster__slot_count_own(muster__slot *slot,
                                          const muster__guard_slot *own,
                                          uint64_t delta)
{
    uint32_t shard = own->id;

    if (muster__likely(shard < slot->n_owned)) {
        /* No other thread writes this cell. */
        _Atomic uint64_t *cell = muster__slot_cell(slot, shard);

        atomic_store_explicit(
            cell, atomic_load_explicit(cell, memory_order_relaxed) + delta,
            memory_order_release);
    } else {
        muster__slot_count_shared(slot, shard, delta);
    }
}

/* The same, by a thread that is inside either way. */
static inline void muster__slot_count(muster__slot *slot,
                                      const muster__guard *guard,
                                      uint64_t delta)
{
    if (guard->slot != NULL) {
        muster__slot_count_own(slot, guard->slot, delta);
    } else {
        muster__slot_count_shared(slot, guard->shard, delta);
    }
}

/* relaxed: a pick that comes too early is one that came before. */
static inline bool muster__slot_is_ready(const muster__slot *slot)
{
    return (atomic_load_explicit(&slot->word, memory_order_relaxed) &
            MUSTER__SLOT_STATES) == MUSTER__SLOT_READY;
}

static inline bool muster__slot_is(const muster__slot *slot, uint64_t state)
{
    return (atomic_load(&slot->word) & MUSTER__SLOT_STATES) == state;
}

#endif
