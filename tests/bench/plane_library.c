/* SPDX-License-Identifier: Apache-2.0 */
/* A world of the data plane's tests, exported. */
#include "plane_library.h"

#include <stdlib.h>

#include "plane_world.h"

typedef struct library {
    plane_world world;
    uint32_t n;
    uint32_t at;
    world_connection *connections[];
} library;

void *plane_library_create(uint32_t n_endpoints)
{
    size_t size = sizeof(library) + n_endpoints * sizeof(world_connection *);
    library *self = aligned_alloc(_Alignof(library), (size + 127) / 128 * 128);

    if (self == NULL || !world_init(&self->world, &world_class)) {
        abort();
    }
    self->n = n_endpoints;
    self->at = 0;
    for (uint32_t i = 0; i < n_endpoints; i++) {
        self->connections[i] = world_add(&self->world);
        if (self->connections[i] == NULL) {
            abort();
        }
    }
    if (world_publish(&self->world) != MUSTER_OK) {
        abort();
    }
    return self;
}

muster_status plane_library_pick(void *self, muster_lease *ret_lease)
{
    uint64_t generation;

    return muster__plane_pick(((library *)self)->world.plane, NULL, ret_lease,
                              &generation, NULL);
}

void plane_library_finish(muster_lease *lease)
{
    muster_lease_finish(lease, NULL);
}

void plane_library_change(void *self)
{
    library *library_ = self;
    world_connection **connection = &library_->connections[library_->at];

    library_->at = (library_->at + 7919) % library_->n;
    world_remove(*connection);
    *connection = world_add(&library_->world);
    if (*connection == NULL || world_publish(&library_->world) != MUSTER_OK) {
        abort();
    }
}

void plane_library_destroy(void *self)
{
    library *library_ = self;

    for (uint32_t i = 0; i < library_->n; i++) {
        world_remove(library_->connections[i]);
    }
    if (!world_fini(&library_->world)) {
        abort();
    }
    free(library_);
}
