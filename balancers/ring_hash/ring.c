/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of hashes. */
#include "ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *one, const void *other)
{
    const ring_point *a = one;
    const ring_point *b = other;

    return (a->hash > b->hash) - (a->hash < b->hash);
}

/* The next whole number; what is whole stays. */
static double round_up(double number)
{
    double whole = (double)(uint64_t)number;

    return whole < number ? whole + 1 : whole;
}

static uint64_t total_of(const roster *members)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < members->n; i++) {
        total += members->members[i].weight;
    }
    return total;
}

/* How many points all weights together get. The arithmetic is gRPC's and
 * Envoy's, operation for operation, so that the rings are the same. */
static double scale_of(const roster *members, uint32_t min_size,
                       uint32_t max_size)
{
    double total = (double)total_of(members);
    double least = 1;
    double scale;

    for (uint32_t i = 0; i < members->n; i++) {
        double share = members->members[i].weight / total;

        least = share < least ? share : least;
    }
    scale = round_up(least * min_size) / least;
    return scale < max_size ? scale : max_size;
}

static size_t longest_key(const hashing_member *members, uint32_t n)
{
    size_t longest = 0;

    for (uint32_t i = 0; i < n; i++) {
        size_t size = strlen(members[i].key);

        longest = size > longest ? size : longest;
    }
    return longest;
}

/* Puts points of member onto the ring until it has target of them: the hashes
 * of "KEY_0", "KEY_1" and so on. text has room for that. */
static void put_points(ring *self, const hashing_member *member, double target,
                       uint32_t capacity, char *text)
{
    size_t size = strlen(member->key);

    memcpy(text, member->key, size);
    for (uint32_t i = 0; self->n < target && self->n < capacity; i++) {
        int more = snprintf(text + size, 12, "_%u", (unsigned)i);
        ring_point *point = &self->points[self->n++];

        point->hash = XXH64(text, size + (size_t)more, member->rank);
        point->member = member->index;
    }
}

/* Rounding goes on from one member to the next, in the order of keys, so the
 * whole is as large as it should be. */
static void fill(ring *self, const hashing_member *members, double scale,
                 uint32_t capacity, char *text)
{
    double total = (double)total_of(self->roster);
    double target = 0;

    for (uint32_t i = 0; i < self->roster->n; i++) {
        target += scale * (members[i].weight / total);
        put_points(self, &members[i], target, capacity, text);
    }
    qsort(self->points, self->n, sizeof self->points[0], compare);
}

ring *muster__ring_create(roster *members, uint32_t min_size, uint32_t max_size)
{
    double scale = scale_of(members, min_size, max_size);
    uint32_t capacity = (uint32_t)round_up(scale) + 1;
    size_t bytes = members->n * sizeof(hashing_member);
    ring *self = malloc(sizeof *self + capacity * sizeof self->points[0]);
    hashing_member *arranged = malloc(bytes);
    char *text = malloc(longest_key(members->members, members->n) + 12);

    if (self == NULL || arranged == NULL || text == NULL) {
        free(self);
        self = NULL;
    } else {
        memcpy(arranged, members->members, bytes);
        hashing_arrange(arranged, members->n);
        atomic_init(&self->n_refs, 1);
        self->n = 0;
        self->roster = muster__roster_ref(members);
        fill(self, arranged, scale, capacity, text);
    }
    free(text);
    free(arranged);
    return self;
}

uint32_t muster__ring_find(const ring *self, uint64_t hash)
{
    uint32_t low = 0;
    uint32_t high = self->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (self->points[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < self->n ? low : 0;
}

ring *muster__ring_ref(ring *self)
{
    /* Relaxed: whoever refs has a reference. */
    atomic_fetch_add_explicit(&self->n_refs, 1, memory_order_relaxed);
    return self;
}

void muster__ring_unref(ring *self)
{
    /* Acquire and release: what others did to it is before the free. */
    if (self != NULL && atomic_fetch_sub_explicit(&self->n_refs, 1,
                                                  memory_order_acq_rel) == 1) {
        muster__roster_unref(self->roster);
        free(self);
    }
}
