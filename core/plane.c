/* SPDX-License-Identifier: Apache-2.0 */
/* The plane: its slots, and publishing views. */
#include "plane_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fork.h"

/* Readers may hold up so much, beyond a whole view, before changes merge. */
#define HELD_BYTES_MAX (UINT64_C(256) << 10)

/* Smaller views stay in the first cache anyway. */
enum { PREFETCH_MIN = 256 };

/* Of the published view, how much may be gone or refused: an eighth. */
enum { GONE_SHARE = 8 };

static muster_status publish_first(muster__plane *plane)
{
    muster__view *view;
    muster_status status = muster__view_freeze(plane, &view);

    if (status == MUSTER_OK) {
        view->state = MUSTER_CONNECTING;
        view->generation = 1;
        atomic_init(&plane->published, view);
    }
    return status;
}

muster_status muster__plane_create(const muster__plane_host *host,
                                   muster__plane **ret_plane)
{
    muster__plane *plane =
        aligned_alloc(_Alignof(muster__plane), sizeof *plane);
    muster_status status;

    if (plane == NULL) {
        return MUSTER_NOMEM;
    }
    muster__guard_init();
    muster__fork_init();
    memset((void *)plane, 0, sizeof *plane);
    plane->host = *host;
    atomic_init(&plane->finished, MUSTER__NO_SLOT);
    muster__slots_init(&plane->slots);
    muster__views_init(&plane->views);
    muster__reclaim_init(&plane->reclaim);
    status = publish_first(plane);
    if (status != MUSTER_OK) {
        free(plane);
        return status;
    }
    *ret_plane = plane;
    return MUSTER_OK;
}

static muster__view *published_view(const muster__plane *plane)
{
    return atomic_load(&plane->published);
}

void muster__plane_destroy(muster__plane *plane)
{
    muster__view *view;
    void *garbage;

    if (plane == NULL) {
        return;
    }
    assert(muster__reclaim_is_empty(&plane->reclaim));
    assert(plane->reclaim.n_draining == 0);
    view = published_view(plane);
    garbage = view->garbage;
    muster__view_release(&plane->views, view);
    if (garbage != NULL) {
        plane->host.garbage(plane->host.ctx, garbage);
    }
    muster__views_fini(&plane->views);
    muster__slots_fini(&plane->slots);
    free(plane);
}

muster_status muster__slot_create(muster__plane *plane, uint64_t id,
                                  const muster_endpoint *endpoint,
                                  void *connection, void *owner,
                                  muster__slot **ret_slot)
{
    muster__slot *slot = muster__slots_take(&plane->slots);

    if (slot == NULL) {
        return MUSTER_NOMEM;
    }
    slot->plane = plane;
    slot->id = id;
    slot->endpoint = endpoint;
    slot->connection = connection;
    *muster__slot_owner(slot) = owner;
    (void)muster__slot_new_picks(slot); /* of its former lives */
    muster__slot_set_state(slot, MUSTER__SLOT_READY);
    *ret_slot = slot;
    return MUSTER_OK;
}

void muster__slot_destroy(muster__plane *plane, muster__slot *slot)
{
    if (slot != NULL) {
        if (muster__pool_of(slot) != NULL) {
            muster__pool_destroy(slot);
        }
        muster__slot_set_state(slot, MUSTER__SLOT_FREE);
        muster__slots_give(&plane->slots, slot);
    }
}

/* ---- publication ---- */

static bool picks_when_empty(const muster__published_policy *policy)
{
    return (policy->class_->flags & MUSTER_BALANCER_PICKS_WHEN_EMPTY) != 0;
}

static void set_policy(muster__view *view,
                       const muster__published_policy *policy)
{
    view->pick = policy->class_->pick;
    view->self = policy->self;
    view->policy_name = policy->class_->name;
    view->asks_when_empty = picks_when_empty(policy);
    view->n_pickable = view->n_slots;
    if (view->n_slots >= PREFETCH_MIN) {
        view->n_prefetched = view->n_slots - MUSTER__PREFETCH_AHEAD;
    }
    if (policy->has_done != 0) {
        view->done = policy->class_->done;
        view->lease_data = MUSTER__LEASE_HAS_DONE | policy->number;
        view->state_chunks = policy->state_chunks;
        view->state_size = policy->state_size;
        view->n_state_chunks = policy->n_state_chunks;
    }
}

/* Before publication nobody else sees the view. */
static void fill_view(muster__plane *plane,
                      const muster__publication *publication)
{
    muster__view *view = publication->view;

    view->generation = published_view(plane)->generation + 1;
    view->state = publication->state;
    view->table = publication->table;
    view->garbage = publication->garbage;
    view->methods = publication->methods;
    view->has_pools = plane->has_pools;
    if (publication->policy != NULL && publication->state != MUSTER_SHUTDOWN) {
        set_policy(view, publication->policy);
    }
    if (plane->notes_picks && publication->state != MUSTER_SHUTDOWN) {
        view->notes_picks = true;
        view->n_noted = view->n_pickable;
        view->n_pickable = 0;
    }
}

void muster__plane_note_picks(muster__plane *plane, bool are_noted)
{
    plane->notes_picks = are_noted;
}

bool muster__plane_is_noting(const muster__plane *plane)
{
    return published_view(plane)->notes_picks;
}

/* The slots that left before number n_left; those refused early are marked
 * already. Marking comes after the exchange: a control thread preempted in
 * between would leave readers with nothing but refused ones. */
static void drain_removed(muster__plane *plane, uint64_t n_left)
{
    muster__removed *removed = &plane->views.removed;

    while (plane->n_retired < n_left) {
        muster__slot *slot = muster__slots_at(&plane->slots, removed->head);

        removed->head = slot->link;
        if (plane->n_retired == plane->n_refused) {
            muster__slot_set_state(slot, MUSTER__SLOT_DRAINING);
            plane->n_refused++;
        }
        plane->n_retired++;
        muster__pool_drain(plane, slot);
        muster__reclaim_slot(&plane->reclaim, slot);
    }
}

muster_status muster__plane_publish(muster__plane *plane,
                                    const muster__publication *publication)
{
    muster__view *view = publication->view;
    muster__view *old = published_view(plane);
    char *reason = NULL;

    if (view->version <= old->version) {
        return MUSTER_INVAL;
    }
    if (publication->reason != NULL) {
        reason = strdup(publication->reason);
        if (reason == NULL) {
            return MUSTER_NOMEM;
        }
    }
    fill_view(plane, publication);
    view->reason = reason;
    /* seq_cst: a reader of either kind that misses it is seen by the guard. */
    atomic_store(&plane->published, view);
    muster__reclaim_view(&plane->reclaim, old);
    drain_removed(plane, view->n_removed);
    return MUSTER_OK;
}

/* Slots that the published view has and the working view has not, at most. */
static uint64_t n_gone(const muster__plane *plane)
{
    return plane->views.n_removed - plane->n_retired + plane->views.n_leaving;
}

bool muster__plane_should_merge(const muster__plane *plane)
{
    uint32_t n_published = published_view(plane)->n_slots;
    uint64_t allowed = HELD_BYTES_MAX + UINT64_C(8) * plane->views.n_slots;

    return plane->views.held_bytes > allowed &&
           n_gone(plane) * GONE_SHARE <= n_published;
}

bool muster__plane_lacks_little(const muster__plane *plane)
{
    const muster__view *published = published_view(plane);
    uint64_t n_published = published->n_slots;

    return n_gone(plane) == 0 && plane->views.n_slots < 2 * n_published &&
           published->notes_picks == plane->notes_picks;
}

void muster__plane_refuse_removed(muster__plane *plane)
{
    uint32_t number = plane->views.removed.head;
    uint64_t n_removed = plane->views.n_removed;

    if ((n_removed - plane->n_retired) * GONE_SHARE >
        published_view(plane)->n_slots) {
        return;
    }
    for (uint64_t i = plane->n_retired; i < n_removed; i++) {
        muster__slot *slot = muster__slots_at(&plane->slots, number);

        if (i >= plane->n_refused) {
            muster__slot_set_state(slot, MUSTER__SLOT_DRAINING);
        }
        number = slot->link;
    }
    plane->n_refused = n_removed;
}

/* One that drains or is closing goes on: DRAINING over CLOSING would keep it
 * from being claimed. */
void muster__slot_refuse(muster__slot *slot)
{
    if (muster__slot_is_ready(slot)) {
        muster__slot_set_state(slot, MUSTER__SLOT_DRAINING);
    }
}

/* Owners lie side by side: 100 000 are looked through without their slots. */
void muster__plane_refuse_owned(muster__plane *plane, const void *owner)
{
    for (uint32_t i = 0; i < plane->slots.n_used; i++) {
        muster__segment *segment =
            plane->slots.segments[i / MUSTER__SEGMENT_SIZE];

        if (segment->owners[i % MUSTER__SEGMENT_SIZE] == owner) {
            muster__slot_refuse(&segment->slots[i % MUSTER__SEGMENT_SIZE]);
        }
    }
}

/* ---- what is known of it ---- */

uint64_t muster__plane_generation(const muster__plane *plane)
{
    muster__guard guard;
    const muster__view *view = muster__guard_enter(&guard, &plane->published);
    uint64_t generation = view->generation;

    muster__guard_leave(&guard);
    return generation;
}

const char *muster__plane_policy_name(const muster__plane *plane)
{
    const char *name = published_view(plane)->policy_name;

    return name != NULL ? name : "no policy";
}

void muster__plane_stats_get(const muster__plane *plane,
                             muster__plane_stats *ret_stats)
{
    muster__plane_stats stats = {
        .picks_given_back = atomic_load(&plane->n_given_back),
        .picks_failed = atomic_load(&plane->n_failed),
        .draining = plane->reclaim.n_draining - plane->reclaim.n_leaders,
        .n_published = published_view(plane)->n_slots};

    for (uint32_t i = 0; i < plane->slots.n_used; i++) {
        stats.in_flight +=
            muster__slot_in_flight(muster__slots_at(&plane->slots, i));
    }
    *ret_stats = stats;
}
