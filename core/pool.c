/* SPDX-License-Identifier: Apache-2.0 */
/* Leaders, their members, and which member a pick gets. */
#include "pool.h"

#include <assert.h>
#include <stdlib.h>

#include "plane_internal.h"

/* ---- the control thread's side ---- */

static muster__pool *pool_create(uint32_t capacity, bool is_least_loaded)
{
    size_t size = sizeof(muster__pool) + capacity * sizeof(muster__slot *);
    muster__pool *pool = aligned_alloc(_Alignof(muster__pool),
                                       (size + _Alignof(muster__pool) - 1) &
                                           ~(_Alignof(muster__pool) - 1));

    if (pool == NULL) {
        return NULL;
    }
    pool->capacity = capacity;
    pool->is_least_loaded = is_least_loaded;
    atomic_init(&pool->turn, 0);
    atomic_init(&pool->n, 0);
    for (uint32_t i = 0; i < capacity; i++) {
        atomic_init(&pool->members[i], NULL);
    }
    return pool;
}

muster_status muster__leader_create(muster__plane *plane, uint64_t id,
                                    uint32_t capacity, bool is_least_loaded,
                                    muster__slot **ret_leader)
{
    muster__pool *pool = pool_create(capacity, is_least_loaded);
    muster_status status;

    assert(capacity >= 1 && capacity <= MUSTER__POOL_MAX);
    if (pool == NULL) {
        return MUSTER_NOMEM;
    }
    status = muster__slot_create(plane, id, NULL, pool, NULL, ret_leader);
    if (status != MUSTER_OK) {
        free(pool);
        return status;
    }
    plane->has_pools = true;
    return MUSTER_OK;
}

void muster__pool_destroy(muster__slot *leader)
{
    free(muster__pool_of(leader));
    leader->connection = NULL;
}

/* The member is there before the count says so. */
void muster__pool_add(muster__slot *leader, muster__slot *member)
{
    muster__pool *pool = muster__pool_of(leader);
    uint32_t n = atomic_load(&pool->n);

    assert(n < pool->capacity);
    atomic_store(&pool->members[n], member);
    atomic_store(&pool->n, n + 1);
}

static void drain(muster__plane *plane, muster__slot *member)
{
    muster__slot_set_state(member, MUSTER__SLOT_DRAINING);
    muster__reclaim_slot(&plane->reclaim, member);
}

/* The last one takes its place, so that for a moment it is there twice: never
 * is one missing that could be picked. */
void muster__pool_remove(muster__plane *plane, muster__slot *leader,
                         muster__slot *member)
{
    muster__pool *pool = muster__pool_of(leader);
    uint32_t last = atomic_load(&pool->n) - 1;
    uint32_t i = 0;

    while (atomic_load(&pool->members[i]) != member) {
        assert(i < last);
        i++;
    }
    atomic_store(&pool->members[i], atomic_load(&pool->members[last]));
    atomic_store(&pool->n, last);
    drain(plane, member);
}

void muster__pool_drain(muster__plane *plane, muster__slot *leader)
{
    muster__pool *pool = muster__pool_of(leader);
    uint32_t n = pool == NULL ? 0 : atomic_exchange(&pool->n, 0);

    for (uint32_t i = 0; i < n; i++) {
        drain(plane, atomic_load(&pool->members[i]));
    }
}

/* ---- the pick's side ---- */

static muster__slot *member_at(muster__pool *pool, uint32_t index)
{
    return atomic_load_explicit(&pool->members[index], memory_order_acquire);
}

static muster__slot *first_ready(muster__pool *pool, uint32_t n, uint32_t from)
{
    for (uint32_t i = 0; i < n; i++) {
        muster__slot *member = member_at(pool, (from + i) % n);

        if (muster__slot_is_ready(member)) {
            return member;
        }
    }
    return NULL;
}

/* Of equals, the one whose turn it is. */
static muster__slot *least_loaded(muster__pool *pool, uint32_t n, uint32_t from)
{
    muster__slot *best = NULL;
    int64_t least = INT64_MAX;

    for (uint32_t i = 0; i < n; i++) {
        muster__slot *member = member_at(pool, (from + i) % n);
        int64_t in_flight = muster__slot_in_flight(member);

        if (in_flight < least && muster__slot_is_ready(member)) {
            best = member;
            least = in_flight;
        }
    }
    return best;
}

muster__slot *muster__pool_choose(muster__pool *pool)
{
    /* acquire: the members below n are there. */
    uint32_t n = atomic_load_explicit(&pool->n, memory_order_acquire);
    /* relaxed: a counter. */
    uint32_t turn =
        atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed);

    if (n == 0) {
        return NULL;
    }
    return pool->is_least_loaded ? least_loaded(pool, n, turn % n)
                                 : first_ready(pool, n, turn % n);
}
