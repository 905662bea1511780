/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of an endpoint that has several. One slot, the leader, stands
 * for them in views; a pick that the policy sends to it takes a member. Members
 * come and go without a new view: the control thread changes the array in place
 * and readers that saw a member before it left are waited for as ever, because
 * it drains. */
#ifndef MUSTER_CORE_POOL_H
#define MUSTER_CORE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "slot.h"

typedef struct muster__pool {
    uint32_t capacity;
    bool is_least_loaded; /* else members take turns */
    _Alignas(64) _Atomic uint32_t turn;
    _Alignas(64) _Atomic uint32_t n;
    muster__slot *_Atomic members[]; /* those below n; the others are stale */
} muster__pool;

/* A leader has no endpoint, and its pool for a connection. NULL: the slot is no
 * leader. */
static inline muster__pool *muster__pool_of(const muster__slot *slot)
{
    return slot->endpoint != NULL ? NULL : slot->connection;
}

/* The member for a pick; NULL when none is READY. Thread: any, inside the
 * guard. */
muster__slot *muster__pool_choose(muster__pool *pool);

/* The leader has left the published view: its members drain. A slot that is no
 * leader has none. Thread: control. */
void muster__pool_drain(muster__plane *plane, muster__slot *leader);

/* The leader is in nobody's reach any more. Thread: control. */
void muster__pool_destroy(muster__slot *leader);

#endif
