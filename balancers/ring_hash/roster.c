/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the endpoints that a ring is of. */
#include "roster.h"

#include <stdlib.h>
#include <string.h>

static size_t text_size(const hashing_member *member)
{
    size_t size = strlen(member->key) + 1 + strlen(member->address) + 1 +
                  strlen(member->hostname) + 1;

    for (uint32_t i = 0; i < member->n_more_addresses; i++) {
        size += strlen(member->more_addresses[i]) + 1;
    }
    return size;
}

/* Moves text to where at points, and at behind it. */
static const char *copy_text(const char *text, char **at)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);

    *at += size;
    return copy;
}

/* Moves a member's texts to where at points, and the list of its further
 * addresses to where list points; both behind them. */
static void copy_member(hashing_member *member, const char ***list, char **at)
{
    const char **more = *list;

    member->key = copy_text(member->key, at);
    member->address = copy_text(member->address, at);
    member->hostname = copy_text(member->hostname, at);
    for (uint32_t i = 0; i < member->n_more_addresses; i++) {
        more[i] = copy_text(member->more_addresses[i], at);
    }
    member->more_addresses = more;
    *list += member->n_more_addresses;
}

static bool copy_texts(roster *self)
{
    size_t n_more = 0;
    size_t size = 1;
    const char **list;
    char *at;

    for (uint32_t i = 0; i < self->n; i++) {
        n_more += self->members[i].n_more_addresses;
        size += text_size(&self->members[i]);
    }
    self->texts = malloc(n_more * sizeof list[0] + size);
    if (self->texts == NULL) {
        return false;
    }
    list = self->texts;
    at = (char *)self->texts + n_more * sizeof list[0];
    for (uint32_t i = 0; i < self->n; i++) {
        copy_member(&self->members[i], &list, &at);
    }
    return true;
}

roster *muster__roster_create(const hashing_settings *settings,
                              const muster_backend *backends, size_t stride,
                              size_t n, uint32_t priority)
{
    roster *self = malloc(sizeof *self + n * sizeof self->members[0]);

    if (self == NULL) {
        return NULL;
    }
    atomic_init(&self->n_refs, 1);
    self->n = 0;
    for (size_t i = 0; i < n; i++) {
        const muster_backend *backend = backends_at(backends, stride, i);

        if (backend->endpoint->priority == priority) {
            self->members[self->n] =
                hashing_member_of(settings, backend, self->n);
            self->n++;
        }
    }
    if (!copy_texts(self)) {
        free(self);
        return NULL;
    }
    return self;
}

/* By address, the members are the same when the ids are. */
static bool is_same(const hashing_member *member, const hashing_member *other)
{
    return member->id == other->id && member->weight == other->weight &&
           strcmp(member->key, other->key) == 0;
}

bool muster__roster_is_of(const roster *self, const hashing_settings *settings,
                          const muster_backend *backends, size_t stride,
                          size_t n, uint32_t priority)
{
    uint32_t k = 0;

    for (size_t i = 0; i < n; i++) {
        const muster_backend *backend = backends_at(backends, stride, i);

        if (backend->endpoint->priority == priority) {
            const hashing_member member =
                hashing_member_of(settings, backend, k);

            if (k == self->n || !is_same(&self->members[k], &member)) {
                return false;
            }
            k++;
        }
    }
    return k == self->n;
}

roster *muster__roster_ref(roster *self)
{
    /* Relaxed: whoever refs has a reference. */
    atomic_fetch_add_explicit(&self->n_refs, 1, memory_order_relaxed);
    return self;
}

void muster__roster_unref(roster *self)
{
    /* Acquire and release: what others did to it is before the free. */
    if (self != NULL && atomic_fetch_sub_explicit(&self->n_refs, 1,
                                                  memory_order_acq_rel) == 1) {
        free(self->texts);
        free(self);
    }
}
