/* SPDX-License-Identifier: Apache-2.0 */
/* Reclamation: one step at a time, never waiting for a reader.
 *
 * A slot takes three grace periods. After the first no pick reaches it, and its
 * count only falls: CLOSING. After the second every finish has either been seen
 * or sees CLOSING itself, and closes. After the third nobody that looked at the
 * slot is left, and it begins another life. */
#include "reclaim.h"

#include "plane_internal.h"

enum { MAX_STEPS = 4 };

static const muster__batch empty_batch = {.draining = MUSTER__NO_SLOT,
                                          .closing = MUSTER__NO_SLOT,
                                          .freed = MUSTER__NO_SLOT};

void muster__reclaim_init(muster__reclaim *reclaim)
{
    *reclaim =
        (muster__reclaim){.waiting = empty_batch, .current = empty_batch};
}

void muster__reclaim_view(muster__reclaim *reclaim, muster__view *view)
{
    view->next_retired = reclaim->waiting.views;
    reclaim->waiting.views = view;
}

void muster__reclaim_slot(muster__reclaim *reclaim, muster__slot *slot)
{
    slot->link = reclaim->waiting.draining;
    reclaim->waiting.draining = slot->number;
    reclaim->n_draining++;
    reclaim->n_leaders += muster__pool_of(slot) != NULL;
}

static bool batch_is_empty(const muster__batch *batch)
{
    return batch->views == NULL && batch->draining == MUSTER__NO_SLOT &&
           batch->closing == MUSTER__NO_SLOT && batch->freed == MUSTER__NO_SLOT;
}

bool muster__reclaim_is_empty(const muster__reclaim *reclaim)
{
    return !reclaim->has_grace && batch_is_empty(&reclaim->waiting);
}

/* Whoever claimed the slot may have been seen by others that are about to look
 * at it, and it may be on a closing list: it is free one batch later. */
static void slot_closed(muster__plane *plane, muster__slot *slot)
{
    muster__batch *waiting = &plane->reclaim.waiting;

    slot->other_link = waiting->freed;
    waiting->freed = slot->number;
    plane->reclaim.n_draining--;
    if (muster__pool_of(slot) != NULL) {
        plane->reclaim.n_leaders--;
        muster__pool_destroy(slot);
    } else {
        plane->host.slot_closed(plane->host.ctx, *muster__slot_owner(slot),
                                slot);
    }
}

static void collect_finished(muster__plane *plane)
{
    uint32_t number = atomic_exchange(&plane->finished, MUSTER__NO_SLOT);

    while (number != MUSTER__NO_SLOT) {
        muster__slot *slot = muster__slots_at(&plane->slots, number);

        number = slot->other_link;
        slot_closed(plane, slot);
    }
}

static void reclaim_views(muster__plane *plane, muster__view *view)
{
    while (view != NULL) {
        muster__view *next = view->next_retired;
        void *garbage = view->garbage;

        muster__view_release(&plane->views, view);
        if (garbage != NULL) {
            plane->host.garbage(plane->host.ctx, garbage);
        }
        view = next;
    }
}

static void reclaim_closing(muster__plane *plane, uint32_t number)
{
    while (number != MUSTER__NO_SLOT) {
        muster__slot *slot = muster__slots_at(&plane->slots, number);

        number = slot->link;
        if (muster__slot_claim(slot)) {
            slot_closed(plane, slot);
        }
    }
}

static void reclaim_freed(muster__plane *plane, uint32_t number)
{
    while (number != MUSTER__NO_SLOT) {
        muster__slot *slot = muster__slots_at(&plane->slots, number);

        number = slot->other_link;
        muster__slots_give(&plane->slots, slot);
    }
}

static void reclaim_draining(muster__plane *plane, uint32_t number)
{
    muster__batch *waiting = &plane->reclaim.waiting;

    while (number != MUSTER__NO_SLOT) {
        muster__slot *slot = muster__slots_at(&plane->slots, number);

        number = slot->link;
        slot->link = waiting->closing;
        waiting->closing = slot->number;
        muster__slot_set_state(slot, MUSTER__SLOT_CLOSING);
    }
}

/* The host's functions may change the plane, so the batch is our own copy.
 * Closing comes before freed: a slot may be on both. */
static void reclaim_batch(muster__plane *plane, muster__batch batch)
{
    reclaim_views(plane, batch.views);
    reclaim_closing(plane, batch.closing);
    reclaim_freed(plane, batch.freed);
    reclaim_draining(plane, batch.draining);
}

/* False when a grace period is not over. */
static bool reclaim_step(muster__plane *plane)
{
    muster__reclaim *reclaim = &plane->reclaim;
    muster__batch batch;

    if (!reclaim->has_grace) {
        reclaim->current = reclaim->waiting;
        reclaim->waiting = empty_batch;
        reclaim->grace = muster__guard_grace_begin();
        reclaim->has_grace = true;
    }
    if (!muster__guard_grace_is_over(reclaim->grace)) {
        return false;
    }
    batch = reclaim->current;
    reclaim->current = empty_batch;
    reclaim->has_grace = false;
    reclaim_batch(plane, batch);
    return true;
}

bool muster__plane_poll(muster__plane *plane)
{
    muster__reclaim *reclaim = &plane->reclaim;

    collect_finished(plane);
    for (int step = 0; step < MAX_STEPS && !muster__reclaim_is_empty(reclaim);
         step++) {
        if (!reclaim_step(plane)) {
            return true;
        }
    }
    return reclaim->n_draining != 0 || muster__plane_needs_timer(plane);
}

bool muster__plane_needs_timer(const muster__plane *plane)
{
    return !muster__reclaim_is_empty(&plane->reclaim) ||
           atomic_load(&plane->finished) != MUSTER__NO_SLOT;
}
