/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints of one priority. */
#include "group.h"

uint8_t muster__ring_group_state(const muster_backend *backend)
{
    switch (backend->flags != 0 ? MUSTER_TRANSIENT_FAILURE
                                : backend->connectivity) {
    case MUSTER_READY:
        return MUSTER_READY;
    case MUSTER_IDLE:
        return MUSTER_IDLE;
    case MUSTER_CONNECTING:
        return MUSTER_CONNECTING;
    default:
        return MUSTER_TRANSIENT_FAILURE;
    }
}

/* That of the best priority from least on; false when there is none. */
static bool find_group(const muster_balancer_update *update, uint64_t least,
                       group *ret_group)
{
    group found = {.priority = UINT32_MAX};
    bool has_any = false;

    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        uint32_t priority = backend->endpoint->priority;

        if (priority >= least && (!has_any || priority < found.priority)) {
            memset(&found, 0, sizeof found);
            found.priority = priority;
            has_any = true;
        }
        if (has_any && priority == found.priority) {
            found.n_by_state[muster__ring_group_state(backend)]++;
        }
    }
    *ret_group = found;
    return has_any;
}

/* The better, the more a group can do for calls: A42 gives one up for the next
 * priority when two of it have failed and none is READY. */
static int rank_group(const group *of)
{
    enum { FAILED, FAILING, HOPEFUL, SERVING };

    if (of->n_by_state[MUSTER_READY] > 0) {
        return SERVING;
    }
    if (of->n_by_state[MUSTER_IDLE] + of->n_by_state[MUSTER_CONNECTING] == 0) {
        return FAILED;
    }
    return of->n_by_state[MUSTER_TRANSIENT_FAILURE] < 2 ? HOPEFUL : FAILING;
}

group muster__ring_group_choose(const muster_balancer_update *update)
{
    group chosen = {.priority = 0};
    group next;
    int rank = -1;

    for (uint64_t least = 0; find_group(update, least, &next);
         least = (uint64_t)next.priority + 1) {
        if (rank_group(&next) > rank) {
            rank = rank_group(&next);
            chosen = next;
        }
    }
    return chosen;
}
