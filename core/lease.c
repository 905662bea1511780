/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: what they pin, and how they end. */
#include <muster/channel.h>

#include <stddef.h>

#include "fork.h"
#include "loop.h"
#include "plane_internal.h"

enum { STATES_PER_CHUNK = 512 };

static muster__slot *lease_slot(const muster_lease *lease)
{
    return lease->slot_;
}

const muster_endpoint *muster_lease_endpoint(const muster_lease *lease)
{
    const muster__slot *slot = lease_slot(lease);

    return slot != NULL ? slot->endpoint : NULL;
}

uint64_t muster_lease_id(const muster_lease *lease)
{
    const muster__slot *slot = lease_slot(lease);

    return slot != NULL ? slot->id : 0;
}

void *muster_lease_connection(const muster_lease *lease)
{
    const muster__slot *slot = lease_slot(lease);

    return slot != NULL ? slot->connection : NULL;
}

void *muster__view_state(const muster__view *view, uint64_t id)
{
    uint32_t number = (uint32_t)id;
    uint32_t chunk = number / STATES_PER_CHUNK;

    if (view->state_size == 0 || chunk >= view->n_state_chunks) {
        return NULL;
    }
    return view->state_chunks[chunk] +
           (size_t)(number % STATES_PER_CHUNK) * view->state_size;
}

/* A policy that holds up the control thread is to be named. */
MUSTER__COLD static void call_done_watched(const muster__view *view,
                                           const muster__slot *slot,
                                           const muster_outcome *outcome)
{
    muster__loop_enter_plugin(view->policy_name, "done");
    view->done(view->self, slot->id, muster__view_state(view, slot->id),
               outcome);
    muster__loop_leave_plugin();
}

/* A policy that came later knows nothing of the call. */
static void tell_policy(const muster__view *view, const muster_lease *lease,
                        const muster__slot *slot, const muster_outcome *outcome)
{
    static const muster_outcome success = {.struct_size = sizeof success};

    outcome = outcome != NULL ? outcome : &success;
    if (view->lease_data != lease->data_) {
        return;
    }
    if (muster__unlikely(muster__loop_is_current())) {
        call_done_watched(view, slot, outcome);
    } else {
        view->done(view->self, slot->id, muster__view_state(view, slot->id),
                   outcome);
    }
}

/* Who finds the stack empty wakes the control thread. */
MUSTER__COLD static void push_finished(muster__plane *plane, muster__slot *slot)
{
    uint32_t head = atomic_load(&plane->finished);

    do {
        slot->other_link = head;
    } while (
        !atomic_compare_exchange_weak(&plane->finished, &head, slot->number));
    if (head == MUSTER__NO_SLOT) {
        plane->host.wake(plane->host.ctx);
    }
}

/* Called when the slot was seen CLOSING. */
MUSTER__COLD static void close_if_idle(muster__slot *slot)
{
    if (muster__slot_claim(slot)) {
        push_finished(slot->plane, slot);
    }
}

void muster__plane_give_back(muster__slot *slot, const muster__guard *guard)
{
    muster__slot_count(slot, guard, MUSTER__COUNT_FINISH);
    if (muster__unlikely(muster__slot_is(slot, MUSTER__SLOT_CLOSING))) {
        close_if_idle(slot);
    }
}

/* Any thread, any policy. In a fork child the guard has no slot, and the lease
 * is leaked. */
MUSTER__APART static void finish(muster_lease *lease, muster__slot *slot,
                                 const muster_outcome *outcome)
{
    muster__guard guard;
    const muster__view *view =
        muster__guard_enter(&guard, &slot->plane->published);

    if (guard.slot != NULL || !muster__is_forked()) {
        if (lease->data_ != 0) {
            tell_policy(view, lease, slot, outcome);
        }
        muster__plane_give_back(slot, &guard);
        *lease = (muster_lease){0};
    }
    muster__guard_leave(&guard);
}

/* The end of a finish that found the slot CLOSING. Called last, so that the
 * rest keeps nothing on the stack. */
MUSTER__COLD static void finish_closing(muster_lease *lease, muster__slot *slot,
                                        muster__guard_slot *own)
{
    close_if_idle(slot);
    muster__guard_leave_own(own);
    *lease = (muster_lease){0};
}

/* Inside the guard, because once the count is down the plane may go. */
void muster_lease_finish(muster_lease *lease, const muster_outcome *outcome)
{
    muster__slot *slot = lease_slot(lease);
    muster__guard_slot *own;

    if (muster__unlikely(slot == NULL)) {
        return;
    }
    if (muster__unlikely(lease->data_ != 0)) {
        finish(lease, slot, outcome);
        return;
    }
    own = muster__guard_enter_own();
    if (muster__unlikely(own == NULL)) {
        finish(lease, slot, outcome);
        return;
    }
    muster__slot_count_own(slot, own, MUSTER__COUNT_FINISH);
    if (muster__unlikely(muster__slot_is(slot, MUSTER__SLOT_CLOSING))) {
        finish_closing(lease, slot, own);
        return;
    }
    muster__guard_leave_own(own);
    *lease = (muster_lease){0};
}
