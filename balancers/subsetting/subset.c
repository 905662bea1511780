/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoints of a list a client uses. */
#include "subset.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

/* How many endpoints a client's first one may be off its place on the ring
 * before it is moved: so much imbalance buys that a change of one endpoint
 * mostly moves nothing but that endpoint. */
#define SLACK 1u

typedef struct member {
    uint64_t hash;
    const muster_endpoint *endpoint;
    subset_state *state;
    uint64_t id;
} member;

/* ---- clients ---- */

/* The bits of a client's number in reverse are its position (van der Corput);
 * its rank is how many others have a lower one. Of two positions the lower is
 * that with a 0 in the lowest bit in which their numbers differ. */
uint32_t muster__subset_client_rank(uint32_t client, uint32_t n_clients)
{
    uint64_t rank = 0;

    for (unsigned bit = 0; bit < 32; bit++) {
        uint64_t step = UINT64_C(2) << bit;
        uint64_t first = client & (step / 2 - 1);

        if ((client >> bit & 1u) != 0 && first < n_clients) {
            rank += (n_clients - first + step - 1) / step;
        }
    }
    return (uint32_t)rank;
}

/* ---- the order of endpoints ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static const char *text_or_none(const char *text)
{
    return text == NULL ? "" : text;
}

/* The same for all clients whose seed is the same, but for endpoints that have
 * address and host name in common. */
static int compare(const void *one, const void *other)
{
    const member *a = one;
    const member *b = other;
    int order = compare_numbers(a->endpoint->priority, b->endpoint->priority);

    if (order == 0) {
        order = compare_numbers(a->hash, b->hash);
    }
    if (order == 0) {
        order = strcmp(a->endpoint->address, b->endpoint->address);
    }
    if (order == 0) {
        order = strcmp(text_or_none(a->endpoint->hostname),
                       text_or_none(b->endpoint->hostname));
    }
    return order != 0 ? order : compare_numbers(a->id, b->id);
}

static void read_members(const subset *self,
                         const muster_balancer_update *update, member *members)
{
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        const char *address = backend->endpoint->address;

        members[i] =
            (member){.hash = XXH64(address, strlen(address), self->seed),
                     .endpoint = backend->endpoint,
                     .state = backend->state,
                     .id = backend->id};
    }
    if (update->n_backends > 1) {
        qsort(members, update->n_backends, sizeof members[0], compare);
    }
}

/* ---- choosing ---- */

static uint32_t place_of(const member *of)
{
    return atomic_load_explicit(&of->state->place, memory_order_relaxed);
}

/* The first of those that were chosen before and are left; n: none is. */
static size_t find_start(const member *members, size_t n)
{
    size_t start = n;

    for (size_t i = 0; i < n; i++) {
        if (place_of(&members[i]) != 0 &&
            (start == n || place_of(&members[i]) < place_of(&members[start]))) {
            start = i;
        }
    }
    return start;
}

/* Where the client begins in a priority of n. It stays where it was as long as
 * that is near enough to where it should be. */
static size_t choose_start(const subset *self, const member *members, size_t n)
{
    size_t due = (size_t)((uint64_t)self->client_rank * n / self->n_clients);
    size_t start = find_start(members, n);
    size_t ahead = start == n ? 0 : (start + n - due) % n;

    if (ahead <= SLACK || n - ahead <= SLACK) {
        return (due + ahead) % n;
    }
    return ahead <= n / 2 ? (due + SLACK) % n : (due + n - SLACK) % n;
}

/* Returns how many of the n of one priority are in the subset, after n_chosen
 * of better ones. */
static size_t choose_among(const subset *self, const member *members, size_t n,
                           size_t n_chosen)
{
    size_t start = self->is_balanced ? choose_start(self, members, n) : 0;
    size_t size = self->size < n ? self->size : n;

    for (size_t i = 0; i < n; i++) {
        size_t offset = (i + n - start) % n;
        size_t place = offset < size ? n_chosen + offset + 1 : 0;

        if (place != 0 || place_of(&members[i]) != 0) {
            subset_set_leaving(members[i].state, place == 0);
        }
        atomic_store_explicit(&members[i].state->place, (uint32_t)place,
                              memory_order_relaxed);
    }
    return size;
}

bool muster__subset_is_of(const subset *self,
                          const muster_balancer_update *update)
{
    bool is_same = update->n_backends == self->n_listed;

    for (size_t i = 0; i < update->n_backends && is_same; i++) {
        const muster_backend *backend = backends_listed(update, i);
        const subset_state *state = backend->state;

        is_same = state->list == self->list &&
                  state->priority == backend->endpoint->priority;
    }
    return is_same;
}

static void note_list(subset *self, const member *members, size_t n)
{
    self->list++;
    self->n_listed = n;
    for (size_t i = 0; i < n; i++) {
        members[i].state->list = self->list;
        members[i].state->priority = members[i].endpoint->priority;
    }
}

bool muster__subset_choose(subset *self, const muster_balancer_update *update)
{
    size_t n = update->n_backends;
    member *members = malloc((n + 1) * sizeof members[0]);
    size_t end;

    if (members == NULL) {
        return false;
    }
    read_members(self, update, members);
    self->n_chosen = 0;
    for (size_t i = 0; i < n; i = end) {
        uint32_t priority = members[i].endpoint->priority;

        end = i + 1;
        while (end < n && members[end].endpoint->priority == priority) {
            end++;
        }
        self->n_chosen +=
            choose_among(self, &members[i], end - i, self->n_chosen);
    }
    note_list(self, members, n);
    free(members);
    return true;
}
