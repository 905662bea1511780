/* SPDX-License-Identifier: Apache-2.0 */
/* The plane under test, its host and its policy. */
#include "plane_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "slot.h"

#define DEADLINE_S 10
#define CLOSED_CANARY UINT64_C(0xdeadbeefdeadbeef)

/* ---- the policy ---- */

static muster_verdict policy_pick(void *self, void *table,
                                  const muster_pick_args *args,
                                  muster_pick_result *result)
{
    world_policy *policy = self;
    _Atomic uint32_t *cursor;
    uint32_t index;

    (void)table;
    cursor = &policy->cursors[args->shard % WORLD_MAX_SHARDS].at;
    index = atomic_load_explicit(cursor, memory_order_relaxed) + 1;
    if (index >= args->n_ready) {
        index = 0;
    }
    atomic_store_explicit(cursor, index, memory_order_relaxed);
    result->index = index;
    return MUSTER_PICK_INDEX;
}

/* For tests of one thread: notes what it was asked, answers what it is told. */
static muster_verdict policy_pick_told(void *self, void *table,
                                       const muster_pick_args *args,
                                       muster_pick_result *result)
{
    world_policy *policy = self;

    policy->last_table = table;
    policy->last_repick = args->repick;
    if (policy->verdict == MUSTER_PICK_INDEX && !policy->is_fixed) {
        return policy_pick(self, table, args, result);
    }
    *result = policy->result;
    return policy->verdict;
}

static void policy_done(void *self, uint64_t id, void *policy_state,
                        const muster_outcome *outcome)
{
    world_policy *policy = self;

    policy->last_id = id;
    policy->last_state = policy_state;
    policy->last_status = outcome->status;
    atomic_fetch_add(&policy->n_done, 1);
    if (outcome->status == 14 && outcome->flags == MUSTER_OUTCOME_GIVEN_BACK) {
        atomic_fetch_add(&policy->n_given_back, 1);
    }
}

const muster_balancer_class world_class = {.struct_size =
                                               sizeof(muster_balancer_class),
                                           .name = "world",
                                           .pick = policy_pick};

const muster_balancer_class world_done_class = {
    .struct_size = sizeof(muster_balancer_class),
    .name = "world_done",
    .pick = policy_pick_told,
    .done = policy_done};

const muster_balancer_class world_empty_class = {
    .struct_size = sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_PICKS_WHEN_EMPTY,
    .name = "world_empty",
    .pick = policy_pick_told,
    .done = policy_done};

/* ---- the host ---- */

static void on_slot_closed(void *ctx, void *owner, muster__slot *slot)
{
    plane_world *world = ctx;
    world_connection *connection = owner;

    world->n_picks_closed += muster__slot_new_picks(slot);
    atomic_store(&connection->canary, CLOSED_CANARY);
    free(connection);
    atomic_fetch_sub(&world->n_alive, 1);
}

static void on_garbage(void *ctx, void *garbage)
{
    plane_world *world = ctx;

    (void)garbage;
    atomic_fetch_add(&world->n_garbage, 1);
}

static void on_wake(void *ctx)
{
    plane_world *world = ctx;

    atomic_fetch_add(&world->n_wakes, 1);
}

static void on_connect(void *ctx, uint64_t id)
{
    plane_world *world = ctx;

    atomic_store(&world->connect_id, id);
}

/* ---- the world ---- */

bool world_init(plane_world *world, const muster_balancer_class *class_)
{
    muster__plane_host host = {.slot_closed = on_slot_closed,
                               .garbage = on_garbage,
                               .wake = on_wake,
                               .connect = on_connect,
                               .ctx = world};

    memset((void *)world, 0, sizeof *world);
    world->policy =
        (muster__published_policy){.class_ = class_,
                                   .self = &world->self,
                                   .number = 7,
                                   .has_done = class_->done != NULL};
    return muster__plane_create(&host, &world->plane) == MUSTER_OK;
}

bool world_fini(plane_world *world)
{
    muster__view *view;
    muster__publication publication = {.state = MUSTER_SHUTDOWN};

    if (muster__view_size(world->plane) != 0 ||
        muster__view_freeze(world->plane, &view) != MUSTER_OK) {
        return false;
    }
    publication.view = view;
    if (muster__plane_publish(world->plane, &publication) != MUSTER_OK ||
        !world_settle(world) || muster__plane_poll(world->plane)) {
        return false;
    }
    muster__plane_destroy(world->plane);
    return atomic_load(&world->n_alive) == 0;
}

static world_connection *connect(plane_world *world, uint64_t id)
{
    world_connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        return NULL;
    }
    connection->id = id;
    connection->world = world;
    connection->endpoint.address = connection->address;
    (void)snprintf(connection->address, sizeof connection->address,
                   "10.0.0.1:%u", (unsigned)(connection->id & 0xffff));
    atomic_init(&connection->canary, connection->id);
    if (muster__slot_create(world->plane, connection->id, &connection->endpoint,
                            connection, connection,
                            &connection->slot) != MUSTER_OK) {
        free(connection);
        return NULL;
    }
    atomic_fetch_add(&world->n_alive, 1);
    return connection;
}

static uint64_t next_id(plane_world *world)
{
    return world->next_number++ | UINT64_C(1) << 40;
}

world_connection *world_add(plane_world *world)
{
    world_connection *connection = connect(world, next_id(world));

    if (connection != NULL &&
        muster__view_add(world->plane, connection->slot) != MUSTER_OK) {
        muster__slot_destroy(world->plane, connection->slot);
        atomic_fetch_sub(&world->n_alive, 1);
        free(connection);
        return NULL;
    }
    return connection;
}

void world_remove(world_connection *connection)
{
    muster__view_remove(connection->world->plane, connection->slot);
}

muster__slot *world_add_leader(plane_world *world, uint32_t capacity,
                               bool is_least_loaded)
{
    muster__slot *leader;

    if (muster__leader_create(world->plane, next_id(world), capacity,
                              is_least_loaded, &leader) != MUSTER_OK) {
        return NULL;
    }
    if (muster__view_add(world->plane, leader) != MUSTER_OK) {
        muster__slot_destroy(world->plane, leader);
        return NULL;
    }
    return leader;
}

world_connection *world_add_member(plane_world *world, muster__slot *leader)
{
    world_connection *connection = connect(world, leader->id);

    if (connection != NULL) {
        muster__pool_add(leader, connection->slot);
    }
    return connection;
}

void world_remove_member(muster__slot *leader, world_connection *member)
{
    muster__pool_remove(member->world->plane, leader, member->slot);
}

static muster_status publish(plane_world *world, muster__view *view,
                             muster_connectivity state, const char *reason)
{
    muster__publication publication = {.view = view,
                                       .policy = &world->policy,
                                       .state = state,
                                       .reason = reason};

    if (muster__frozen_size(view) != 0 && state != MUSTER_SHUTDOWN) {
        publication.state = MUSTER_READY;
    }
    return muster__plane_publish(world->plane, &publication);
}

muster_status world_publish_view(plane_world *world, muster__view *view)
{
    return publish(world, view, MUSTER_CONNECTING, NULL);
}

muster_status world_publish_state(plane_world *world, muster_connectivity state,
                                  const char *reason)
{
    muster__view *view;
    muster_status status = muster__view_freeze(world->plane, &view);

    if (status == MUSTER_OK) {
        status = publish(world, view, state, reason);
    }
    if (status != MUSTER_OK && status != MUSTER_NOMEM) {
        muster__view_discard(world->plane, view);
    }
    return status;
}

muster_status world_publish(plane_world *world)
{
    return world_publish_state(world, MUSTER_CONNECTING, NULL);
}

bool world_settle(plane_world *world)
{
    time_t deadline = time(NULL) + DEADLINE_S;

    do {
        if (!muster__plane_poll(world->plane) ||
            !muster__plane_needs_timer(world->plane)) {
            return true;
        }
    } while (time(NULL) < deadline);
    return false;
}

muster_status world_pick(plane_world *world, muster_lease *ret_lease)
{
    return muster__plane_pick(world->plane, NULL, ret_lease, NULL);
}

bool world_lease_is_sound(const muster_lease *lease)
{
    world_connection *connection = muster_lease_connection(lease);

    return atomic_load(&connection->canary) == muster_lease_id(lease) &&
           muster_lease_endpoint(lease) == &connection->endpoint;
}
