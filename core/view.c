/* SPDX-License-Identifier: Apache-2.0 */
/* The working view, and freezing it. */
#include "view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "plane_internal.h"

enum { MAX_POOLED = 32, CHUNKS_AT_FIRST = 4 };

void muster__views_init(muster__views *views)
{
    *views = (muster__views){.leaving = MUSTER__NO_SLOT,
                             .removed = {MUSTER__NO_SLOT, MUSTER__NO_SLOT}};
}

static void chunks_destroy(muster__chunk *chunk)
{
    while (chunk != NULL) {
        muster__chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

void muster__views_fini(muster__views *views)
{
    assert(views->oldest == NULL);
    for (uint32_t i = 0; i < views->n_chunks; i++) {
        free(views->chunks[i]);
    }
    free(views->chunks);
    chunks_destroy(views->retired_first);
    chunks_destroy(views->pool);
    free(views->spare);
}

/* ---- chunks ---- */

static muster__chunk *chunk_take(muster__views *views)
{
    muster__chunk *chunk = views->pool;

    if (chunk == NULL) {
        return malloc(sizeof *chunk);
    }
    views->pool = chunk->next;
    views->n_pooled--;
    return chunk;
}

static void chunk_give(muster__views *views, muster__chunk *chunk)
{
    if (views->n_pooled == MAX_POOLED) {
        free(chunk);
        return;
    }
    chunk->next = views->pool;
    views->pool = chunk;
    views->n_pooled++;
}

/* No view has a chunk that was made after the last freeze. */
static bool chunk_is_fresh(const muster__views *views,
                           const muster__chunk *chunk)
{
    return chunk->version == views->version;
}

static void chunk_retire(muster__views *views, muster__chunk *chunk)
{
    if (chunk_is_fresh(views, chunk)) {
        chunk_give(views, chunk);
        return;
    }
    chunk->version = views->version;
    chunk->next = NULL;
    if (views->retired_first == NULL) {
        views->retired_first = chunk;
    } else {
        views->retired_last->next = chunk;
    }
    views->retired_last = chunk;
    views->held_bytes += sizeof *chunk;
}

static bool directory_grow(muster__views *views)
{
    uint32_t capacity =
        views->capacity == 0 ? CHUNKS_AT_FIRST : views->capacity * 2;
    muster__chunk **chunks =
        realloc(views->chunks, capacity * sizeof(muster__chunk *));

    if (chunks == NULL) {
        return false;
    }
    views->chunks = chunks;
    views->capacity = capacity;
    return true;
}

/* Makes chunk number k ours to write: new, or a copy of one that views have. */
static bool chunk_make_fresh(muster__views *views, uint32_t k)
{
    muster__chunk *old = k < views->n_chunks ? views->chunks[k] : NULL;
    muster__chunk *chunk;

    if (old != NULL && chunk_is_fresh(views, old)) {
        return true;
    }
    if (k == views->capacity && !directory_grow(views)) {
        return false;
    }
    chunk = chunk_take(views);
    if (chunk == NULL) {
        return false;
    }
    chunk->version = views->version;
    if (old == NULL) {
        views->n_chunks++;
    } else {
        memcpy(chunk->slots, old->slots, sizeof chunk->slots);
        chunk_retire(views, old);
    }
    views->chunks[k] = chunk;
    return true;
}

/* One spare stays: a list that swings around a multiple of 512 is common. */
static void chunks_trim(muster__views *views)
{
    uint32_t n_needed =
        (views->n_slots + MUSTER__CHUNK_SIZE - 1) / MUSTER__CHUNK_SIZE;

    while (views->n_chunks > n_needed + 1) {
        chunk_retire(views, views->chunks[--views->n_chunks]);
    }
}

/* ---- the working view ---- */

static bool slot_place(muster__views *views, uint32_t index, muster__slot *slot)
{
    uint32_t k = index / MUSTER__CHUNK_SIZE;

    if (!chunk_make_fresh(views, k)) {
        return false;
    }
    views->chunks[k]->slots[index % MUSTER__CHUNK_SIZE] = slot;
    slot->link = index;
    return true;
}

muster_status muster__view_add(muster__plane *plane, muster__slot *slot)
{
    muster__views *views = &plane->views;

    if (!slot_place(views, views->n_slots, slot)) {
        return MUSTER_NOMEM;
    }
    views->n_slots++;
    return MUSTER_OK;
}

/* Leaving cannot fail, moving another slot into the hole can: the freeze does
 * that. */
void muster__view_remove(muster__plane *plane, muster__slot *slot)
{
    muster__views *views = &plane->views;

    slot->other_link = views->leaving;
    views->leaving = slot->number;
    views->n_leaving++;
}

uint32_t muster__view_size(const muster__plane *plane)
{
    return plane->views.n_slots - plane->views.n_leaving;
}

static void removed_append(muster__plane *plane, muster__slot *slot)
{
    muster__removed *removed = &plane->views.removed;

    slot->link = MUSTER__NO_SLOT;
    if (removed->head == MUSTER__NO_SLOT) {
        removed->head = slot->number;
    } else {
        muster__slots_at(&plane->slots, removed->tail)->link = slot->number;
    }
    removed->tail = slot->number;
    plane->views.n_removed++;
}

/* The last slot moves into the hole of each that leaves. */
static bool settle_leaving(muster__plane *plane)
{
    muster__views *views = &plane->views;

    while (views->leaving != MUSTER__NO_SLOT) {
        muster__slot *slot = muster__slots_at(&plane->slots, views->leaving);
        uint32_t last = views->n_slots - 1;

        if (slot->link != last) {
            muster__chunk *chunk = views->chunks[last / MUSTER__CHUNK_SIZE];

            if (!slot_place(views, slot->link,
                            chunk->slots[last % MUSTER__CHUNK_SIZE])) {
                return false;
            }
        }
        views->n_slots = last;
        views->leaving = slot->other_link;
        views->n_leaving--;
        removed_append(plane, slot);
    }
    chunks_trim(views);
    return true;
}

/* ---- frozen views ---- */

static size_t view_bytes(const muster__view *view)
{
    size_t size = sizeof *view + view->capacity * sizeof *view->chunks;

    return (size + _Alignof(muster__view) - 1) &
           ~(_Alignof(muster__view) - 1); /* as aligned_alloc() wants it */
}

/* Room for n_chunks, and not for many more. */
static muster__view *view_take(muster__views *views, uint32_t n_chunks,
                               uint32_t *ret_capacity)
{
    muster__view *spare = views->spare;
    const muster__view head = {.capacity = n_chunks};

    if (spare != NULL && spare->capacity >= n_chunks &&
        spare->capacity / 2 <= n_chunks) {
        views->spare = NULL;
        *ret_capacity = spare->capacity;
        return spare;
    }
    *ret_capacity = n_chunks;
    return aligned_alloc(_Alignof(muster__view), view_bytes(&head));
}

static void view_give(muster__views *views, muster__view *view)
{
    free(view->reason);
    view->reason = NULL;
    free(views->spare);
    views->spare = view;
}

static muster__view *view_create(muster__views *views)
{
    uint32_t n_chunks =
        (views->n_slots + MUSTER__CHUNK_SIZE - 1) / MUSTER__CHUNK_SIZE;
    uint32_t capacity;
    muster__view *view = view_take(views, n_chunks, &capacity);

    if (view == NULL) {
        return NULL;
    }
    *view = (muster__view){.n_slots = views->n_slots,
                           .n_chunks = n_chunks,
                           .capacity = capacity,
                           .version = views->version + 1,
                           .n_removed = views->n_removed};
    if (n_chunks != 0) {
        memcpy(view->chunks, views->chunks, n_chunks * sizeof *view->chunks);
    }
    return view;
}

muster_status muster__view_freeze(muster__plane *plane, muster__view **ret_view)
{
    muster__views *views = &plane->views;
    muster__view *view;

    if (!settle_leaving(plane)) {
        return MUSTER_NOMEM;
    }
    view = view_create(views);
    if (view == NULL) {
        return MUSTER_NOMEM;
    }
    view->plane = plane;
    views->version = view->version;
    views->held_bytes += view_bytes(view);
    if (views->oldest == NULL) {
        views->oldest = view;
    } else {
        views->newest->newer = view;
    }
    views->newest = view;
    *ret_view = view;
    return MUSTER_OK;
}

static void release_chunks(muster__views *views)
{
    while (views->retired_first != NULL &&
           (views->oldest == NULL ||
            views->retired_first->version < views->oldest->version)) {
        muster__chunk *chunk = views->retired_first;

        views->retired_first = chunk->next;
        views->held_bytes -= sizeof *chunk;
        chunk_give(views, chunk);
    }
}

void muster__view_release(muster__views *views, muster__view *view)
{
    view->is_released = true;
    while (views->oldest != NULL && views->oldest->is_released) {
        muster__view *oldest = views->oldest;

        views->oldest = oldest->newer;
        views->held_bytes -= view_bytes(oldest);
        view_give(views, oldest);
    }
    release_chunks(views);
}

void muster__view_discard(muster__plane *plane, muster__view *view)
{
    if (view != NULL) {
        muster__view_release(&plane->views, view);
    }
}

uint32_t muster__frozen_size(const muster__view *view)
{
    return view->n_slots;
}

uint64_t muster__frozen_id(const muster__view *view, uint32_t index)
{
    return muster__view_slot(view, index)->id;
}
