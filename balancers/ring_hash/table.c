/* SPDX-License-Identifier: Apache-2.0 */
/* A ring with the states of its members. */
#include "table.h"

#include <stdlib.h>

/* Within this file: a place by the id of its member. */
typedef struct place_id {
    uint64_t id;
    uint32_t place;
} place_id;

static int compare(const void *one, const void *other)
{
    uint64_t a = ((const place_id *)one)->id;
    uint64_t b = ((const place_id *)other)->id;

    return (a > b) - (a < b);
}

/* ---- making ---- */

/* What is not in the view is not READY, whatever was said of it: it has just
 * been lost, or is about to be shown. */
static void put_states(ring_table *self, const uint8_t *states)
{
    const roster *members = self->ring->roster;

    for (uint32_t i = 0; i < members->n; i++) {
        self->places[i].id = members->members[i].id;
        self->places[i].index = RING_NOT_READY;
        self->places[i].state =
            states[i] == MUSTER_READY ? MUSTER_TRANSIENT_FAILURE : states[i];
    }
}

static bool put_ready(ring_table *self, const muster_build_args *args)
{
    uint32_t n = self->ring->roster->n;
    place_id *ids = malloc(n * sizeof ids[0]);

    if (ids == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        ids[i].id = self->places[i].id;
        ids[i].place = i;
    }
    qsort(ids, n, sizeof ids[0], compare);
    for (uint32_t i = 0; i < args->n_ready; i++) {
        const place_id wanted = {.id = backends_ready(args, i)->id};
        const place_id *found =
            bsearch(&wanted, ids, n, sizeof ids[0], compare);

        if (found != NULL) {
            self->places[found->place].index = i;
            self->places[found->place].state = MUSTER_READY;
        }
    }
    free(ids);
    return true;
}

static void count(ring_table *self)
{
    for (uint32_t i = 0; i < self->ring->roster->n; i++) {
        uint8_t state = self->places[i].state;

        self->n_ready += state == MUSTER_READY;
        self->n_usable += state != MUSTER_TRANSIENT_FAILURE;
        self->is_connecting |= state == MUSTER_CONNECTING;
    }
}

ring_table *muster__ring_table_create(ring *of, const uint8_t *states,
                                      const muster_build_args *args,
                                      bool is_bounded)
{
    uint32_t n = of == NULL ? 0 : of->roster->n;
    ring_table *self = calloc(1, sizeof *self + n * sizeof self->places[0]);

    if (self == NULL || n == 0) {
        return self;
    }
    self->ring = muster__ring_ref(of);
    put_states(self, states);
    if (is_bounded && args->n_ready > 0) {
        self->n_seats = (uint32_t)args->n_ready;
        self->seats = hashing_seats_create(args);
    }
    if ((self->n_seats > 0 && self->seats == NULL) || !put_ready(self, args)) {
        muster__ring_table_destroy(self);
        return NULL;
    }
    count(self);
    return self;
}

void muster__ring_table_destroy(ring_table *self)
{
    if (self != NULL) {
        muster__ring_unref(self->ring);
        free(self->seats);
        free(self);
    }
}

/* ---- picking ---- */

static const ring_place *place_at(const ring_table *self, uint32_t point)
{
    return &self->places[self->ring->points[point].member];
}

static uint32_t next_point(const ring_table *self, uint32_t point)
{
    return point + 1 < self->ring->n ? point + 1 : 0;
}

/* The first member in state, from a place on that is the hash's own; NULL when
 * there is none. This ends walks: a ring may be too small to have a point for
 * each member. */
static const ring_place *find_place(const ring_table *self, uint64_t hash,
                                    uint8_t state)
{
    uint32_t n = self->ring->roster->n;
    uint32_t at = (uint32_t)(hash % n);

    for (uint32_t i = 0; i < n; i++) {
        if (self->places[at].state == state) {
            return &self->places[at];
        }
        at = at + 1 < n ? at + 1 : 0;
    }
    return NULL;
}

/* The end of a walk by points that all are of members that have failed. */
static muster_verdict walk_places(const ring_table *self, uint64_t hash,
                                  muster_pick_result *result)
{
    const ring_place *ready = find_place(self, hash, MUSTER_READY);
    const ring_place *idle = find_place(self, hash, MUSTER_IDLE);

    if (ready != NULL) {
        result->index = ready->index;
        return MUSTER_PICK_INDEX;
    }
    if (idle != NULL) {
        result->id = idle->id;
        return MUSTER_PICK_CONNECT;
    }
    return MUSTER_PICK_QUEUE;
}

muster_verdict muster__ring_table_walk(const ring_table *self, uint64_t hash,
                                       muster_pick_result *result)
{
    uint32_t point;

    if (self->n_usable == 0) {
        return MUSTER_PICK_QUEUE;
    }
    point = muster__ring_find(self->ring, hash);
    for (uint32_t i = 0; i < self->ring->n; i++) {
        const ring_place *place = place_at(self, point);

        if (place->state == MUSTER_READY) {
            result->index = place->index;
            return MUSTER_PICK_INDEX;
        }
        if (place->state == MUSTER_IDLE) {
            result->id = place->id;
            return MUSTER_PICK_CONNECT;
        }
        if (place->state == MUSTER_CONNECTING) {
            return MUSTER_PICK_QUEUE;
        }
        point = next_point(self, point);
    }
    return walk_places(self, hash, result);
}

/* The same for a call without a key; idle_id is the IDLE one passed, or 0. */
static muster_verdict walk_places_any(const ring_table *self, uint64_t hash,
                                      uint64_t idle_id,
                                      muster_pick_result *result,
                                      uint64_t *ret_idle_id)
{
    muster_verdict verdict = walk_places(self, hash, result);

    if (verdict == MUSTER_PICK_INDEX) {
        *ret_idle_id = idle_id;
    } else if (verdict == MUSTER_PICK_CONNECT && self->is_connecting) {
        verdict = MUSTER_PICK_QUEUE;
    } else if (verdict == MUSTER_PICK_CONNECT && idle_id != 0) {
        result->id = idle_id;
    }
    return verdict;
}

muster_verdict muster__ring_table_walk_any(const ring_table *self,
                                           uint64_t hash,
                                           muster_pick_result *result,
                                           uint64_t *ret_idle_id)
{
    uint64_t idle_id = 0;
    uint32_t point;

    *ret_idle_id = 0;
    if (self->n_usable == 0) {
        return MUSTER_PICK_QUEUE;
    }
    point = muster__ring_find(self->ring, hash);
    for (uint32_t i = 0; i < self->ring->n; i++) {
        const ring_place *place = place_at(self, point);

        if (place->state == MUSTER_READY) {
            result->index = place->index;
            *ret_idle_id = idle_id;
            return MUSTER_PICK_INDEX;
        }
        if (place->state == MUSTER_IDLE && idle_id == 0 &&
            !self->is_connecting) {
            idle_id = place->id;
        }
        point = next_point(self, point);
    }
    return walk_places_any(self, hash, idle_id, result, ret_idle_id);
}

uint32_t muster__ring_table_owner(const void *table, uint64_t hash)
{
    const ring_table *self = table;
    uint32_t point = muster__ring_find(self->ring, hash);

    for (uint32_t i = 0; i < self->ring->n; i++) {
        const ring_place *place = place_at(self, point);

        if (place->state == MUSTER_READY) {
            return place->index;
        }
        point = next_point(self, point);
    }
    return find_place(self, hash, MUSTER_READY)->index;
}
