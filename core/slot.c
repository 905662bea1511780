/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: memory, states, and who closes a slot that is idle. */
#include "slot.h"

#include <assert.h>
#include <stdlib.h>

/* The first segments have a stripe for each of the first threads. In a plane of
 * many endpoints threads rarely meet on one, and memory counts more. */
enum {
    N_WIDE_SEGMENTS = 4,
    WIDE_OWNED = 6,
    WIDE_SHARED = 2,
    NARROW_OWNED = 3,
    NARROW_SHARED = 1
};

_Static_assert(sizeof(muster__slot) == 64, "a slot is one cache line");

void muster__slots_init(muster__slots *slots)
{
    *slots = (muster__slots){.free = MUSTER__NO_SLOT};
}

void muster__slots_fini(muster__slots *slots)
{
    for (uint32_t i = 0; i < slots->n_segments; i++) {
        free(slots->segments[i]);
    }
    free(slots->segments);
}

muster__slot *muster__slots_at(const muster__slots *slots, uint32_t number)
{
    assert(number < slots->n_used);
    return &slots->segments[number / MUSTER__SEGMENT_SIZE]
                ->slots[number % MUSTER__SEGMENT_SIZE];
}

static uint32_t n_stripes(uint32_t segment)
{
    return segment < N_WIDE_SEGMENTS ? WIDE_OWNED + WIDE_SHARED
                                     : NARROW_OWNED + NARROW_SHARED;
}

static bool add_segment(muster__slots *slots)
{
    uint32_t n = slots->n_segments;
    size_t size = sizeof(muster__segment) +
                  n_stripes(n) * MUSTER__SEGMENT_SIZE * sizeof(uint64_t);
    muster__segment **segments =
        realloc(slots->segments, (n + 1) * sizeof *segments);

    if (segments == NULL) {
        return false;
    }
    slots->segments = segments;
    segments[n] = aligned_alloc(_Alignof(muster__slot), size);
    if (segments[n] == NULL) {
        return false;
    }
    slots->n_segments++;
    return true;
}

static muster__segment *slot_segment(muster__slot *slot)
{
    return (muster__segment *)(void *)(slot -
                                       slot->number % MUSTER__SEGMENT_SIZE);
}

void **muster__slot_owner(muster__slot *slot)
{
    return &slot_segment(slot)->owners[slot->number % MUSTER__SEGMENT_SIZE];
}

static uint32_t *picks_told(muster__slot *slot)
{
    return &slot_segment(slot)->picks_told[slot->number % MUSTER__SEGMENT_SIZE];
}

/* Written when first used: a channel of three endpoints touches few pages. */
static void init_slot(muster__slot *slot, uint32_t number)
{
    bool is_wide = number / MUSTER__SEGMENT_SIZE < N_WIDE_SEGMENTS;
    uint32_t n = n_stripes(number / MUSTER__SEGMENT_SIZE);

    *slot = (muster__slot){.number = number,
                           .link = MUSTER__NO_SLOT,
                           .other_link = MUSTER__NO_SLOT,
                           .n_owned = is_wide ? WIDE_OWNED : NARROW_OWNED,
                           .shared_mask =
                               (is_wide ? WIDE_SHARED : NARROW_SHARED) - 1};
    slot->cells = &slot_segment(slot)->cells[number % MUSTER__SEGMENT_SIZE];
    *picks_told(slot) = 0;
    for (uint32_t stripe = 0; stripe < n; stripe++) {
        atomic_init(muster__slot_cell(slot, stripe), 0);
    }
}

muster__slot *muster__slots_take(muster__slots *slots)
{
    uint32_t number = slots->free;
    muster__slot *slot;

    if (number != MUSTER__NO_SLOT) {
        slot = muster__slots_at(slots, number);
        slots->free = slot->link;
        return slot;
    }
    if (slots->n_used == slots->n_segments * MUSTER__SEGMENT_SIZE &&
        !add_segment(slots)) {
        return NULL;
    }
    slot = muster__slots_at(slots, slots->n_used++);
    init_slot(slot, slots->n_used - 1);
    return slot;
}

void muster__slots_give(muster__slots *slots, muster__slot *slot)
{
    slot->link = slots->free;
    slots->free = slot->number;
}

/* Only the control thread moves a word, but for the claim. */
void muster__slot_set_state(muster__slot *slot, uint64_t new_state)
{
    uint64_t word = atomic_load(&slot->word);

    word &= ~(uint64_t)MUSTER__SLOT_STATES;
    if (new_state == MUSTER__SLOT_READY) {
        word += MUSTER__SLOT_NEXT_LIFE;
    }
    atomic_store(&slot->word, word | new_state);
}

static uint64_t sum_of_cells(const muster__slot *slot)
{
    uint32_t n = slot->n_owned + slot->shared_mask + 1u;
    uint64_t sum = 0;

    for (uint32_t stripe = 0; stripe < n; stripe++) {
        /* acquire: pairs with the release in muster__slot_count(). */
        sum += atomic_load_explicit(muster__slot_cell(slot, stripe),
                                    memory_order_acquire);
    }
    return sum;
}

static int32_t in_flight_of(uint64_t sum)
{
    return (int32_t)(uint32_t)sum;
}

static uint32_t picks_of(uint64_t sum)
{
    return (uint32_t)((sum - (uint64_t)(int64_t)in_flight_of(sum)) >> 32);
}

/* While CLOSING no call begins, so a sum of zero is final. The fence is between
 * our own stripe and the others': of two that finish last at once, one at least
 * sees both. The word holds the life, so a late claim fails. */
bool muster__slot_claim(muster__slot *slot)
{
    uint64_t word = atomic_load(&slot->word);
    uint64_t free_word = word & ~(uint64_t)MUSTER__SLOT_STATES;

    if ((word & MUSTER__SLOT_STATES) != MUSTER__SLOT_CLOSING) {
        return false;
    }
    muster__guard_fence();
    return in_flight_of(sum_of_cells(slot)) == 0 &&
           atomic_compare_exchange_strong(&slot->word, &word,
                                          free_word | MUSTER__SLOT_FREE);
}

int64_t muster__slot_in_flight(const muster__slot *slot)
{
    return in_flight_of(sum_of_cells(slot));
}

uint32_t muster__slot_new_picks(muster__slot *slot)
{
    uint32_t picks = picks_of(sum_of_cells(slot));
    uint32_t n_new = picks - *picks_told(slot);

    *picks_told(slot) = picks;
    return n_new;
}
