/* SPDX-License-Identifier: Apache-2.0 */
/* A peer: liburcu (membarrier flavour) over an array of endpoints, a cursor a
 * thread, and an atomic count of calls in flight on a line of each endpoint. */
#define URCU_API_MAP
#include <urcu/urcu-memb.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "picker.h"

typedef struct urcu_endpoint {
    _Alignas(64) _Atomic uint32_t in_flight;
} urcu_endpoint;

typedef struct urcu_list {
    uint32_t n;
    urcu_endpoint *endpoints[];
} urcu_list;

typedef struct urcu_picker {
    urcu_list *published;
    urcu_endpoint *endpoints;
} urcu_picker;

static void *create(uint32_t n_endpoints)
{
    urcu_picker *self = calloc(1, sizeof *self);
    size_t size = n_endpoints * sizeof(urcu_endpoint);
    urcu_endpoint *endpoints = aligned_alloc(64, size);
    urcu_list *list =
        malloc(sizeof *list + n_endpoints * sizeof *list->endpoints);

    if (self == NULL || endpoints == NULL || list == NULL) {
        free(list);
        free(endpoints);
        free(self);
        return NULL;
    }
    memset((void *)endpoints, 0, size);
    list->n = n_endpoints;
    for (uint32_t i = 0; i < n_endpoints; i++) {
        list->endpoints[i] = &endpoints[i];
    }
    self->endpoints = endpoints;
    self->published = list;
    return self;
}

static urcu_endpoint *pick(urcu_picker *self, uint32_t *cursor)
{
    urcu_list *list;
    urcu_endpoint *endpoint;

    urcu_memb_read_lock();
    list = rcu_dereference(self->published);
    if (++*cursor >= list->n) {
        *cursor = 0;
    }
    endpoint = list->endpoints[*cursor];
    atomic_fetch_add(&endpoint->in_flight, 1);
    urcu_memb_read_unlock();
    return endpoint;
}

static void run(void *self, uint64_t n)
{
    uint32_t cursor = (uint32_t)((uintptr_t)&n >> 12);

    urcu_memb_register_thread();
    for (uint64_t i = 0; i < n; i++) {
        urcu_endpoint *endpoint = pick(self, &cursor);

        atomic_fetch_sub(&endpoint->in_flight, 1);
    }
    urcu_memb_unregister_thread();
}

static void destroy(void *self)
{
    urcu_picker *picker = self;

    free(picker->published);
    free(picker->endpoints);
    free(picker);
}

const picker_class picker_urcu = {"liburcu", create, run, destroy};
