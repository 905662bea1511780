/* SPDX-License-Identifier: Apache-2.0 */
/* The zones of a list: its endpoints by zone. */
#include "zones.h"

/* ---- which there are ---- */

static const char *name_of(const muster_backend *backend)
{
    return backend->endpoint->zone == NULL ? "" : backend->endpoint->zone;
}

static bool has_room(zones *self)
{
    if (self->n == self->capacity) {
        uint32_t capacity = self->capacity == 0 ? 4 : self->capacity * 2;
        zone **items = realloc(self->items, capacity * sizeof *items);

        if (items == NULL) {
            return false;
        }
        self->items = items;
        self->capacity = capacity;
    }
    return true;
}

/* One that has no endpoints any more, else another one; NULL when memory is
 * short. */
static group *unused(zones *self)
{
    group *of = self->groups.newest;
    muster_error err;

    while (of != NULL && zone_of(of)->is_item) {
        of = of->next;
    }
    return of != NULL || groups_add(&self->groups, sizeof(zone), &of, &err) ==
                             MUSTER_OK
               ? of
               : NULL;
}

static zone *add(zones *self, const char *name)
{
    group *of = has_room(self) ? unused(self) : NULL;
    char *copy = of == NULL ? NULL : strdup(name);

    if (copy == NULL) {
        return NULL;
    }
    free(zone_of(of)->name);
    zone_of(of)->name = copy;
    zone_of(of)->is_item = true;
    self->items[self->n++] = zone_of(of);
    return zone_of(of);
}

/* Zones are few: a dozen, not thousands. */
static zone *find_or_add(zones *self, const char *name)
{
    for (uint32_t i = 0; i < self->n; i++) {
        if (strcmp(self->items[i]->name, name) == 0) {
            return self->items[i];
        }
    }
    return add(self, name);
}

static void clear(const zones *self)
{
    for (uint32_t i = 0; i < self->n; i++) {
        memset(&self->items[i]->counts, 0, sizeof self->items[i]->counts);
    }
}

static void drop_empty(zones *self)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < self->n; i++) {
        if (self->items[i]->counts.listed > 0) {
            self->items[kept++] = self->items[i];
        } else {
            self->items[i]->is_item = false;
            self->items[i]->group.is_in_panic = false;
        }
    }
    self->n = kept;
}

void muster__zones_take(zones *self, const muster_balancer_update *update)
{
    clear(self);
    groups_begin_list(&self->groups);
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        zone *of = find_or_add(self, name_of(backend));

        if (of == NULL) { /* it stays where it was; the next update helps */
            self->groups.env.host->log(self->groups.env.ctx, MUSTER_LOG_ERROR,
                                       "no memory for a zone");
            continue;
        }
        of->counts.listed++;
        groups_set(&self->groups, backend, &of->group);
    }
    drop_empty(self);
}

/* ---- how they are ---- */

/* The core serves the best priority that has a READY endpoint. */
static uint32_t served_priority(const muster_balancer_update *update)
{
    uint32_t best = UINT32_MAX;
    uint32_t best_ready = UINT32_MAX;

    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        uint32_t priority = backend->endpoint->priority;

        best = priority < best ? priority : best;
        if (groups_is_connected(backend) && priority < best_ready) {
            best_ready = priority;
        }
    }
    return best_ready == UINT32_MAX ? best : best_ready;
}

static void count(const zones *self, const muster_backend *backend)
{
    const zone_endpoint *state = backend->state;
    zone_counts *counts = &zone_of(groups_of(backend))->counts;
    uint64_t weight = self->is_by_weight && backend->endpoint->weight > 0
                          ? backend->endpoint->weight
                          : 1;
    bool is_failing = backend->flags != 0 ||
                      backend->connectivity == MUSTER_TRANSIENT_FAILURE;
    bool is_ready = !is_failing && backend->connectivity == MUSTER_READY;
    bool is_healthy = is_ready || (!is_failing && !state->is_wanted &&
                                   backend->connectivity == MUSTER_IDLE);

    counts->listed += weight;
    counts->failing += is_failing ? weight : 0;
    counts->healthy += is_healthy ? weight : 0;
    counts->n_healthy += is_healthy ? 1 : 0;
    counts->n_ready += is_ready ? 1 : 0;
    counts->n_stuck += is_failing || (state->is_wanted && !is_ready) ? 1 : 0;
    counts->connected += groups_is_connected(backend) ? weight : 0;
}

void muster__zones_count(zones *self, const muster_balancer_update *update,
                         const uint8_t *wanted)
{
    const uint32_t priority = served_priority(update);

    clear(self);
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        zone_endpoint *state = backend->state;

        if (wanted != NULL) {
            state->is_wanted = wanted[i] != 0;
        }
        if (backend->endpoint->priority == priority &&
            groups_of(backend) != NULL) {
            count(self, backend);
        }
    }
}

void muster__zones_fini(zones *self)
{
    for (group *of = self->groups.newest; of != NULL; of = of->next) {
        free(zone_of(of)->name);
    }
    free(self->items);
    groups_fini(&self->groups);
}
