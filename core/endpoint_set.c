/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints of one target. An apply first finds what differs and makes the
 * records (which may fail and changes nothing), then makes room (likewise),
 * then commits (which cannot fail). */
#include "endpoint_set.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint_record.h"
#include "endpoint_table.h"

#define NONE MUSTER__ENDPOINT_TABLE_NONE

enum {
    BATCH = 32,          /* look-ups whose cache misses overlap */
    CHANGES_KEPT = 1024, /* a larger array of changes is not kept */
    CAPACITY_MIN = 8
};

struct muster__set {
    muster__endpoint **endpoints; /* by number; NULL: the number is free */
    uint32_t *marks;   /* by number: the last apply that saw it; of a free
                          number, the next free one */
    uint32_t capacity; /* of both */
    uint32_t limit;    /* numbers in use are below it */
    uint32_t n_live;
    uint32_t first_free; /* NONE: there is none */
    uint32_t n_free;
    uint32_t n_left; /* how many left since memory was last given back */
    uint32_t round;  /* number of this apply */
    uint32_t first_position; /* of what this apply lists */
    uint32_t next_position;  /* of a delta's; over 0 */
    muster__endpoint_table table;
    muster__change *changes;
    size_t n_changes;
    size_t changes_capacity;
};

/* ---- what the last apply left ---- */

static void release_changes(muster__set *set)
{
    for (size_t i = 0; i < set->n_changes; i++) {
        muster__endpoint_unref(set->changes[i].before);
    }
    set->n_changes = 0;
    if (set->changes_capacity > CHANGES_KEPT) {
        free(set->changes);
        set->changes = NULL;
        set->changes_capacity = 0;
    }
}

/* The apply failed before it changed anything. */
static muster_status abandon(muster__set *set)
{
    for (size_t i = 0; i < set->n_changes; i++) {
        muster__endpoint_unref(set->changes[i].after);
    }
    set->n_changes = 0;
    return MUSTER_NOMEM;
}

static muster_status reserve_changes(muster__set *set, size_t n)
{
    size_t capacity = set->changes_capacity;
    muster__change *changes;

    if (n <= capacity) {
        return MUSTER_OK;
    }
    capacity += capacity / 2 + CAPACITY_MIN;
    capacity = capacity < n ? n : capacity;
    changes = realloc(set->changes, capacity * sizeof *changes);
    if (changes == NULL) {
        return MUSTER_NOMEM;
    }
    set->changes = changes;
    set->changes_capacity = capacity;
    return MUSTER_OK;
}

static muster_status push_change(muster__set *set, muster__endpoint *before,
                                 muster__endpoint *after, uint32_t index)
{
    muster__change change = {before, after, index};
    muster_status status = reserve_changes(set, set->n_changes + 1);

    if (status == MUSTER_OK) {
        set->changes[set->n_changes++] = change;
    }
    return status;
}

static void reverse_changes(muster__set *set, size_t from)
{
    size_t to = set->n_changes;

    while (from + 1 < to) {
        muster__change change = set->changes[from];

        set->changes[from++] = set->changes[--to];
        set->changes[to] = change;
    }
}

/* ---- look-up ---- */

static bool is_at(const muster__set *set, uint32_t index, uint64_t hash,
                  const muster_endpoint *data)
{
    const muster__endpoint *endpoint = set->endpoints[index];

    return endpoint->hash == hash &&
           muster__endpoint_same_identity(&endpoint->data, data);
}

static uint32_t find(const muster__set *set, uint64_t hash,
                     const muster_endpoint *data)
{
    uint32_t at = (uint32_t)hash;
    uint32_t index = muster__endpoint_table_next(&set->table, hash, &at);

    while (index != NONE && !is_at(set, index, hash, data)) {
        index = muster__endpoint_table_next(&set->table, hash, &at);
    }
    return index;
}

/* Some of a list's endpoints, looked up together. */
struct batch {
    size_t from; /* the first one's number in the list */
    size_t n;
    uint32_t index[BATCH];
};

/* Most lists keep their order, so the number after the last one found is tried
 * before the table. A list in another order costs one try a batch. */
static void guess_batch(const muster__set *set, const muster__list *list,
                        uint32_t *guess, bool *is_in_order, struct batch *batch)
{
    int n_tries = *is_in_order ? 8 : 1;

    for (uint32_t i = 0; *is_in_order && i < batch->n; i++) {
        if (*guess - i < set->limit) { /* see prefetch_batch() */
            __builtin_prefetch(set->endpoints[*guess - i]);
        }
    }
    *is_in_order = false;
    for (size_t i = batch->n; i-- > 0;) {
        size_t at = batch->from + i;

        batch->index[i] = NONE;
        if (n_tries > 0 && *guess < set->limit &&
            set->endpoints[*guess] != NULL &&
            is_at(set, *guess, list->hashes[at], &list->endpoints[at])) {
            batch->index[i] = *guess;
            *is_in_order = true;
        } else {
            n_tries--;
            muster__endpoint_table_prefetch(&set->table, list->hashes[at]);
        }
        --*guess; /* past 0 it wraps to a number over every limit */
    }
}

static void prefetch_batch(const muster__set *set, const muster__list *list,
                           const struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        uint64_t hash = list->hashes[batch->from + i];
        uint32_t at = (uint32_t)hash;
        uint32_t index = batch->index[i];

        if (index == NONE) {
            index = muster__endpoint_table_next(&set->table, hash, &at);
            if (index != NONE) { /* see muster__endpoint_table_prefetch() */
                __builtin_prefetch(&set->endpoints[index]->hash);
            }
        }
    }
}

/* ---- finding what differs ---- */

/* list's endpoint at is number index of the set; NONE: it is not there. */
static muster_status compare(muster__set *set, const muster__list *list,
                             size_t at, uint32_t index)
{
    const muster_endpoint *data = &list->endpoints[at];
    uint64_t place = set->first_position + (uint64_t)at;
    uint32_t position = place > UINT32_MAX ? UINT32_MAX : (uint32_t)place;
    muster__endpoint *before = NULL;
    muster__endpoint *after;

    if (index != NONE) {
        if (set->marks[index] == set->round) {
            return MUSTER_OK; /* a later one of the list holds, or removal */
        }
        set->marks[index] = set->round;
        before = set->endpoints[index];
        if (set->first_position > 0) {
            position = before->position; /* a delta moves nothing */
        } else if (before->position != position) {
            before->position = position;
        }
        if (muster__endpoint_same_details(&before->data, data)) {
            return MUSTER_OK;
        }
    }
    after = muster__endpoint_create(data, list->hashes[at]);
    if (after == NULL) {
        return MUSTER_NOMEM;
    }
    after->position = position;
    if (push_change(set, before, after, index) != MUSTER_OK) {
        muster__endpoint_unref(after);
        return MUSTER_NOMEM;
    }
    return MUSTER_OK;
}

/* From the end to the start, so that the last of duplicates is met first; the
 * changes are in that order too. */
static muster_status compare_list(muster__set *set, const muster__list *list)
{
    uint32_t guess = set->limit - 1;
    bool is_in_order = true;
    struct batch batch;
    size_t left = list->n;

    while (left > 0) {
        batch.n = left < BATCH ? left : BATCH;
        batch.from = left - batch.n;
        guess_batch(set, list, &guess, &is_in_order, &batch);
        prefetch_batch(set, list, &batch);
        for (size_t i = batch.n; i-- > 0;) {
            size_t at = batch.from + i;

            if (batch.index[i] == NONE) {
                batch.index[i] =
                    find(set, list->hashes[at], &list->endpoints[at]);
            }
            if (batch.index[i] != NONE) {
                guess = batch.index[i] - 1 - (uint32_t)i;
            }
            if (compare(set, list, at, batch.index[i]) != MUSTER_OK) {
                return MUSTER_NOMEM;
            }
        }
        left -= batch.n;
    }
    return MUSTER_OK;
}

/* Downwards, as what compare_list() pushed. */
static muster_status remove_unseen(muster__set *set)
{
    for (uint32_t index = set->limit; index-- > 0;) {
        if (set->marks[index] != set->round && set->endpoints[index] != NULL &&
            push_change(set, set->endpoints[index], NULL, index) != MUSTER_OK) {
            return MUSTER_NOMEM;
        }
    }
    return MUSTER_OK;
}

static muster_status remove_listed(muster__set *set, const muster__list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        uint32_t index = find(set, list->hashes[i], &list->endpoints[i]);

        if (index == NONE || set->marks[index] == set->round) {
            continue;
        }
        if (push_change(set, set->endpoints[index], NULL, index) != MUSTER_OK) {
            return MUSTER_NOMEM;
        }
        set->marks[index] = set->round;
    }
    return MUSTER_OK;
}

/* After very many deltas all that come have the last position. */
static void count_positions(muster__set *set, size_t n)
{
    uint64_t next = (uint64_t)set->first_position + n;

    set->next_position = next > UINT32_MAX ? UINT32_MAX : (uint32_t)next;
    if (set->next_position == 0) {
        set->next_position = 1;
    }
}

/* ---- making room ---- */

static muster_status resize_numbers(muster__set *set, uint32_t capacity)
{
    muster__endpoint **endpoints;
    uint32_t *marks;

    /* Whichever of the two fails, the other's new size does no harm: capacity
     * is the least of both. */
    set->capacity = capacity < set->capacity ? capacity : set->capacity;
    marks = realloc(set->marks, capacity * sizeof *marks);
    if (marks == NULL) {
        return MUSTER_NOMEM;
    }
    set->marks = marks;
    endpoints = realloc(set->endpoints, capacity * sizeof *endpoints);
    if (endpoints == NULL) {
        return MUSTER_NOMEM;
    }
    set->endpoints = endpoints;
    set->capacity = capacity;
    return MUSTER_OK;
}

static muster_status reserve_numbers(muster__set *set, size_t n)
{
    size_t capacity = set->capacity + set->capacity / 8 + CAPACITY_MIN;

    if (n <= set->capacity) {
        return MUSTER_OK;
    }
    capacity = capacity < n ? n : capacity;
    if (capacity >= NONE) {
        return MUSTER_NOMEM;
    }
    return resize_numbers(set, (uint32_t)capacity);
}

static muster_status reserve(muster__set *set)
{
    size_t n_added = 0;
    size_t n_removed = 0;
    size_t n_freed;

    for (size_t i = 0; i < set->n_changes; i++) {
        n_added += set->changes[i].before == NULL;
        n_removed += set->changes[i].after == NULL;
    }
    n_freed = set->n_free + n_removed;
    if (n_added > n_freed &&
        reserve_numbers(set, set->limit + (n_added - n_freed)) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    return muster__endpoint_table_reserve(&set->table,
                                          set->n_live + n_added - n_removed);
}

/* ---- committing: nothing here fails ---- */

static uint32_t take_number(muster__set *set)
{
    uint32_t index = set->first_free;

    if (index == NONE) {
        return set->limit++;
    }
    set->first_free = set->marks[index];
    set->n_free--;
    return index;
}

static void commit_removal(muster__set *set, const muster__change *change)
{
    muster__endpoint_table_remove(&set->table, change->before->hash,
                                  change->index);
    set->endpoints[change->index] = NULL;
    set->marks[change->index] = set->first_free;
    set->first_free = change->index;
    set->n_free++;
    set->n_live--;
    set->n_left++;
}

/* False when the list had it before: the former record gives way to this. */
static bool commit_addition(muster__set *set, muster__change *change)
{
    uint64_t hash = change->after->hash;
    uint32_t index = find(set, hash, &change->after->data);

    if (index != NONE) {
        muster__endpoint_unref(set->endpoints[index]);
        set->endpoints[index] = change->after;
        set->n_left++;
        return false;
    }
    index = take_number(set);
    set->endpoints[index] = change->after;
    set->marks[index] = set->round;
    set->n_live++;
    muster__endpoint_table_put(&set->table, hash, index);
    change->index = index;
    return true;
}

static bool commit_change(muster__set *set, muster__change *change)
{
    if (change->after == NULL) {
        commit_removal(set, change);
        return true;
    }
    if (change->before == NULL) {
        return commit_addition(set, change);
    }
    set->endpoints[change->index] = change->after;
    return true;
}

static void commit(muster__set *set)
{
    muster__change *changes = set->changes;
    size_t n = 0;

    for (size_t i = 0; i < set->n_changes; i++) {
        if (i + 8 < set->n_changes && changes[i + 8].before == NULL) {
            muster__endpoint_table_prefetch(&set->table,
                                            changes[i + 8].after->hash);
        }
        if (commit_change(set, &changes[i])) {
            changes[n++] = changes[i];
        }
    }
    set->n_changes = n;
    for (size_t i = 0; i < n; i++) { /* duplicates may have replaced it */
        if (changes[i].after != NULL) {
            changes[i].after = set->endpoints[changes[i].index];
        }
    }
}

/* What a delta both adds and removes was added just now: it leaves without a
 * trace. */
static void withdraw(muster__set *set, const muster__list *removed)
{
    size_t n = 0;

    for (size_t i = 0; i < removed->n; i++) {
        uint32_t index = find(set, removed->hashes[i], &removed->endpoints[i]);

        if (index != NONE) {
            muster__change change = {set->endpoints[index], NULL, index};

            commit_removal(set, &change);
        }
    }
    for (size_t i = 0; i < set->n_changes; i++) {
        muster__change *change = &set->changes[i];

        if (change->before == NULL && set->endpoints[change->index] == NULL) {
            muster__endpoint_unref(change->after);
        } else {
            set->changes[n++] = *change;
        }
    }
    set->n_changes = n;
}

/* Rebuilds the chain of free numbers, lowest first. */
static void chain_free_numbers(muster__set *set)
{
    set->first_free = NONE;
    set->n_free = 0;
    for (uint32_t index = set->limit; index-- > 0;) {
        if (set->endpoints[index] == NULL) {
            set->marks[index] = set->first_free;
            set->first_free = index;
            set->n_free++;
        }
    }
}

/* After most endpoints left: gives memory back. Costs at most as much as their
 * removal did. */
static void shrink(muster__set *set)
{
    if (set->capacity <= CHANGES_KEPT || set->n_live > set->capacity / 4 ||
        set->n_left < set->capacity / 2) {
        return;
    }
    set->n_left = 0;
    muster__endpoint_table_shrink(&set->table, set->n_live);
    while (set->limit > 0 && set->endpoints[set->limit - 1] == NULL) {
        set->limit--;
    }
    chain_free_numbers(set);
    if (set->capacity / 2 > set->limit) {
        (void)resize_numbers(set, set->limit + CAPACITY_MIN);
    }
}

static void finish(muster__set *set, muster__changes *ret_changes)
{
    ret_changes->items = set->changes;
    ret_changes->n = set->n_changes;
}

/* ---- the seam ---- */

muster_status muster__set_create(muster__set **ret_set)
{
    muster__set *set = calloc(1, sizeof *set);

    if (set == NULL) {
        return MUSTER_NOMEM;
    }
    set->first_free = NONE;
    set->next_position = 1;
    if (muster__endpoint_table_init(&set->table) != MUSTER_OK) {
        free(set);
        return MUSTER_NOMEM;
    }
    *ret_set = set;
    return MUSTER_OK;
}

void muster__set_destroy(muster__set *set)
{
    if (set == NULL) {
        return;
    }
    release_changes(set);
    for (uint32_t index = 0; index < set->limit; index++) {
        muster__endpoint_unref(set->endpoints[index]);
    }
    muster__endpoint_table_fini(&set->table);
    free(set->changes);
    free(set->marks);
    free(set->endpoints);
    free(set);
}

muster_status muster__set_apply_list(muster__set *set, const muster__list *list,
                                     muster__changes *ret_changes)
{
    release_changes(set);
    set->round++;
    set->first_position = 0;
    if (compare_list(set, list) != MUSTER_OK ||
        remove_unseen(set) != MUSTER_OK || reserve(set) != MUSTER_OK) {
        return abandon(set);
    }
    reverse_changes(set, 0);
    count_positions(set, list->n);
    commit(set);
    shrink(set);
    finish(set, ret_changes);
    return MUSTER_OK;
}

muster_status muster__set_apply_delta(muster__set *set,
                                      const muster__list *upserted,
                                      const muster__list *removed,
                                      muster__changes *ret_changes)
{
    size_t n_removed;

    release_changes(set);
    set->round++;
    set->first_position = set->next_position;
    if (removed != NULL && remove_listed(set, removed) != MUSTER_OK) {
        return abandon(set);
    }
    n_removed = set->n_changes;
    if (upserted != NULL && compare_list(set, upserted) != MUSTER_OK) {
        return abandon(set);
    }
    if (reserve(set) != MUSTER_OK) {
        return abandon(set);
    }
    reverse_changes(set, n_removed);
    count_positions(set, upserted == NULL ? 0 : upserted->n);
    commit(set);
    if (removed != NULL && upserted != NULL) {
        withdraw(set, removed);
    }
    shrink(set);
    finish(set, ret_changes);
    return MUSTER_OK;
}

size_t muster__set_size(const muster__set *set)
{
    return set->n_live;
}

uint32_t muster__set_limit(const muster__set *set)
{
    return set->limit;
}

muster__endpoint *muster__set_at(const muster__set *set, uint32_t index)
{
    return index < set->limit ? set->endpoints[index] : NULL;
}
