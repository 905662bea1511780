/* SPDX-License-Identifier: Apache-2.0 */
/* What a plane is made of; for plane.c, view.c, reclaim.c, pick.c, lease.c. */
#ifndef MUSTER_CORE_PLANE_INTERNAL_H
#define MUSTER_CORE_PLANE_INTERNAL_H

#include "guard.h"
#include "plane.h"
#include "pool.h"
#include "reclaim.h"
#include "slot.h"
#include "view.h"

struct muster__plane {
    _Alignas(128) void *_Atomic published; /* muster__view; never NULL */
    muster__plane_host host;               /* does not change */

    /* Any thread; rare. */
    _Alignas(128) _Atomic uint32_t finished; /* stack by other_link */
    _Atomic uint64_t n_given_back;
    _Atomic uint64_t n_failed; /* picks that found no endpoint to wait for */

    /* The control thread's. */
    _Alignas(128) muster__slots slots;
    muster__views views;
    muster__reclaim reclaim;
    uint64_t n_retired; /* slots that left the published view, ever */
    uint64_t n_refused; /* slots that left and are marked, ever */
    bool has_pools;     /* there was a leader */
    bool notes_picks;   /* what is published from now on does */
};

/* The call that slot counted has ended. Closes the slot when it was the last of
 * a CLOSING one. Thread: any, inside the guard. */
void muster__plane_give_back(muster__slot *slot, const muster__guard *guard);

/* The policy's state of the slot with that id; NULL when it has none. */
void *muster__view_state(const muster__view *view, uint64_t id);

#endif
