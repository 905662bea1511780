/* SPDX-License-Identifier: Apache-2.0 */
/* What waits until readers have let go, in batches of one grace period each. */
#ifndef MUSTER_CORE_RECLAIM_H
#define MUSTER_CORE_RECLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "guard.h"
#include "slot.h"
#include "view.h"

typedef struct muster__batch {
    muster__view *views;
    uint32_t draining; /* list by link */
    uint32_t closing;  /* list by link */
    uint32_t freed;    /* list by other_link: may be on closing as well */
    uint32_t reserved;
} muster__batch;

typedef struct muster__reclaim {
    muster__batch waiting; /* for the next grace period */
    muster__batch current; /* for the one named by grace */
    muster__grace grace;
    bool has_grace;
    uint64_t n_draining; /* slots that left the published view, not closed */
    uint64_t n_leaders;  /* of those, that are no connections */
} muster__reclaim;

void muster__reclaim_init(muster__reclaim *reclaim);

/* Thread: control. view is not published any more; slot is in no published view
 * any more. */
void muster__reclaim_view(muster__reclaim *reclaim, muster__view *view);
void muster__reclaim_slot(muster__reclaim *reclaim, muster__slot *slot);

/* Whether nothing waits, a running grace period included. */
bool muster__reclaim_is_empty(const muster__reclaim *reclaim);

#endif
