/* SPDX-License-Identifier: Apache-2.0 */
/* A plane with connections that carry canaries and a small policy: what the
 * tests and the benchmark of the data plane stand on. */
#ifndef MUSTER_TESTS_PLANE_WORLD_H
#define MUSTER_TESTS_PLANE_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "plane.h"

#define WORLD_MAX_SHARDS 64

typedef struct world_connection {
    _Atomic uint64_t canary; /* its id; something else once it is closed */
    uint64_t id;
    muster_endpoint endpoint;
    muster__slot *slot;
    struct plane_world *world;
    char address[32];
} world_connection;

/* Round robin by shard, unless verdict or index say otherwise. */
typedef struct world_policy {
    struct {
        _Alignas(128) _Atomic uint32_t at;
    } cursors[WORLD_MAX_SHARDS];
    muster_verdict verdict;
    muster_pick_result result; /* what is answered with other verdicts */
    bool is_fixed;             /* result.index is answered */
    uint32_t last_repick;
    _Atomic uint32_t n_done;
    _Atomic uint32_t n_given_back; /* done() with status 14 and the flag */
    void *last_state;
    void *last_table;
    uint64_t last_id;
    int last_status;
} world_policy;

typedef struct plane_world {
    muster__plane *plane;
    muster__published_policy policy;
    world_policy self;
    uint64_t next_number;
    uint64_t n_picks_closed; /* of slots that closed */
    _Atomic int64_t n_alive;
    _Atomic uint32_t n_wakes;
    _Atomic uint32_t n_garbage;
    _Atomic uint64_t connect_id;
} plane_world;

extern const muster_balancer_class world_class;      /* no done() */
extern const muster_balancer_class world_done_class; /* done() */
extern const muster_balancer_class
    world_empty_class; /* done(), is asked when nothing is READY */

/* False when there is no memory. Zeroes world. */
bool world_init(plane_world *world, const muster_balancer_class *class_);

/* Publishes nothing, waits until all is reclaimed, destroys the plane. Every
 * lease must be finished. False when something would not close in 10 s. */
bool world_fini(plane_world *world);

/* A READY connection in the working view; NULL when there is no memory. */
world_connection *world_add(plane_world *world);
void world_remove(world_connection *connection);

/* A leader in the working view, and its members. NULL when there is no memory.
 * It leaves by muster__view_remove(), and takes its members along. */
muster__slot *world_add_leader(plane_world *world, uint32_t capacity,
                               bool is_least_loaded);
world_connection *world_add_member(plane_world *world, muster__slot *leader);
void world_remove_member(muster__slot *leader, world_connection *member);

/* Freezes and publishes: READY when there is a slot, else state. */
muster_status world_publish_state(plane_world *world, muster_connectivity state,
                                  const char *reason);
muster_status world_publish(plane_world *world); /* CONNECTING when empty */
muster_status world_publish_view(plane_world *world, muster__view *view);

/* Polls until nothing waits, or only leases do. False after 10 s. */
bool world_settle(plane_world *world);

muster_status world_pick(plane_world *world, muster_lease *ret_lease);

/* Whether the lease's connection is alive and the one it says. */
bool world_lease_is_sound(const muster_lease *lease);

#endif
