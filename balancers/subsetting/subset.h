/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoints of a list a client uses. README.md has the method. */
#ifndef MUSTER_BALANCERS_SUBSETTING_SUBSET_H
#define MUSTER_BALANCERS_SUBSETTING_SUBSET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/balancer.h>

#include "../backends.h"

/* Of an endpoint, while it stays in the list. */
typedef struct subset_state {
    uint64_t list; /* the last one it was in; only the control thread looks */
    _Atomic uint32_t place;  /* in the subset, from 1; 0: outside of it */
    uint32_t priority;       /* then; only the control thread looks */
    _Atomic bool is_leaving; /* was in the subset, of which nothing was READY
                                since */
} subset_state;

typedef struct subset {
    uint64_t seed; /* of the hashes by which endpoints are in order */
    uint32_t size; /* of each priority */
    bool is_balanced;
    uint32_t client_rank; /* below n_clients; these are for is_balanced only */
    uint32_t n_clients;
    /* What was chosen last. Only the control thread looks. */
    uint64_t list;
    size_t n_listed;
    size_t n_chosen;
} subset;

/* The place of a client among n_clients on the ring of the balanced kind, such
 * that the clients below any number are spread evenly, too. */
uint32_t muster__subset_client_rank(uint32_t client, uint32_t n_clients);

/* Whether the list is the one that was chosen from last. Thread: control. */
bool muster__subset_is_of(const subset *self,
                          const muster_balancer_update *update);

/* Chooses, and notes it in the endpoints' states. False: no memory; all is as
 * it was. Thread: control. */
bool muster__subset_choose(subset *self, const muster_balancer_update *update);

/* Thread: any. Relaxed: whoever reads a place of before is called again. */
static inline uint32_t subset_place(const muster_backend *backend)
{
    const subset_state *state = backend->state;

    return atomic_load_explicit(&state->place, memory_order_relaxed);
}

/* The same. */
static inline bool subset_is_leaving(const muster_backend *backend)
{
    const subset_state *state = backend->state;

    return atomic_load_explicit(&state->is_leaving, memory_order_relaxed);
}

static inline void subset_set_leaving(subset_state *state, bool is_leaving)
{
    if (atomic_load_explicit(&state->is_leaving, memory_order_relaxed) !=
        is_leaving) {
        atomic_store_explicit(&state->is_leaving, is_leaving,
                              memory_order_relaxed);
    }
}

#endif
