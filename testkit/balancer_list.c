/* SPDX-License-Identifier: Apache-2.0 */
/* The list of a fake balancer host: endpoints keep their ids by identity. */
#include "balancer.h"

#include <stdlib.h>

/* A table of the old list's endpoints by identity: index + 1; 0 is free. */
typedef struct identities {
    uint32_t *slots;
    size_t mask;
} identities;

static uint64_t hash_text(const char *text)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a (Fowler, Noll, Vo) */

    for (; text != NULL && *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    }
    return hash;
}

/* The order of the addresses does not matter to it. */
static uint64_t hash_identity(const muster_endpoint *endpoint)
{
    uint64_t hash = hash_text(endpoint->address);

    for (uint32_t i = 0; i < endpoint->n_more_addresses; i++) {
        hash += hash_text(endpoint->more_addresses[i]);
    }
    return hash + 31 * hash_text(endpoint->hostname);
}

static uint32_t *find_slot(const identities *known, const testkit_copies *list,
                           const muster_endpoint *endpoint)
{
    size_t at = hash_identity(endpoint) & known->mask;

    while (known->slots[at] != 0 &&
           !testkit_copies_is_same(&list->endpoints[known->slots[at] - 1],
                                   endpoint)) {
        at = (at + 1) & known->mask;
    }
    return &known->slots[at];
}

static muster_status identities_init(identities *known,
                                     const testkit_copies *list)
{
    size_t n_slots = 16;

    while (n_slots < 2 * list->n) {
        n_slots *= 2;
    }
    known->slots = calloc(n_slots, sizeof known->slots[0]);
    if (known->slots == NULL) {
        return MUSTER_NOMEM;
    }
    known->mask = n_slots - 1;
    for (size_t i = 0; i < list->n; i++) {
        *find_slot(known, list, &list->endpoints[i]) = (uint32_t)i + 1;
    }
    return MUSTER_OK;
}

static char *failure_of(const muster_backend *backend)
{
    return (char *)(uintptr_t)backend->last_failure;
}

static void init_backend(muster_testkit_balancer *kit, muster_backend *backend,
                         muster_connectivity state)
{
    backend->id = ++kit->last_id;
    backend->state = testkit_child_state(&kit->root, backend->id);
    backend->last_failure = NULL;
    backend->connectivity = state;
    backend->flags = 0;
}

/* Fills backends for list; what the old list knows moves over. */
static void match(muster_testkit_balancer *kit, const identities *known,
                  const testkit_copies *list, muster_backend *backends,
                  atomic_bool *asked, muster_connectivity state)
{
    for (size_t i = 0; i < list->n; i++) {
        uint32_t *slot = find_slot(known, &kit->list, &list->endpoints[i]);
        muster_backend *old = *slot == 0 ? NULL : &kit->backends[*slot - 1];

        if (old != NULL && old->id != 0) {
            backends[i] = *old;
            atomic_store(&asked[i], atomic_load(&kit->asked[*slot - 1]));
            old->id = 0;
            old->last_failure = NULL;
        } else {
            init_backend(kit, &backends[i], state);
        }
        backends[i].endpoint = &list->endpoints[i];
        backends[i].endpoint_size = (uint32_t)sizeof list->endpoints[i];
        backends[i].position = (uint32_t)i;
    }
}

void testkit_balancer_fini_list(muster_testkit_balancer *kit)
{
    for (size_t i = 0; i < kit->list.n; i++) {
        free(failure_of(&kit->backends[i]));
    }
    free(kit->backends);
    free(kit->wanted);
    free(kit->asked);
    testkit_copies_fini(&kit->list);
}

muster_status testkit_balancer_set_list(muster_testkit_balancer *kit,
                                        const muster_endpoint *endpoints,
                                        size_t n, muster_connectivity state)
{
    testkit_copies list = {NULL, 0, 0};
    muster_backend *backends = calloc(n + 1, sizeof *backends);
    uint8_t *wanted = calloc(n + 1, 1);
    atomic_bool *asked = calloc(n + 1, sizeof *asked);
    identities known = {NULL, 0};

    if (backends == NULL || wanted == NULL || asked == NULL ||
        testkit_copies_append_all(&list, endpoints, sizeof *endpoints, n) !=
            MUSTER_OK ||
        identities_init(&known, &kit->list) != MUSTER_OK) {
        free(backends);
        free(wanted);
        free(asked);
        testkit_copies_fini(&list);
        return MUSTER_NOMEM;
    }
    match(kit, &known, &list, backends, asked, state);
    free(known.slots);
    testkit_balancer_fini_list(kit);
    kit->list = list;
    kit->backends = backends;
    kit->wanted = wanted;
    kit->asked = asked;
    return MUSTER_OK;
}

size_t testkit_balancer_find(const muster_testkit_balancer *kit, uint64_t id)
{
    size_t i = 0;

    while (i < kit->list.n && kit->backends[i].id != id) {
        i++;
    }
    return i;
}
