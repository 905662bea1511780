/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a world share: world.c plays, world_calls.c places and ends
 * calls, world_links.c connects and publishes. */
#ifndef MUSTER_TOOLS_WORLD_INTERNAL_H
#define MUSTER_TOOLS_WORLD_INTERNAL_H

#include "client.h"
#include "queue.h"
#include "world.h"

/* How often clients that make no call look at their timers. */
#define WORLD_TICK_NS UINT64_C(10000000)

typedef enum event_kind {
    EVENT_ARRIVAL,
    EVENT_SERVED,    /* what: the call */
    EVENT_DEADLINE,  /* what: the call */
    EVENT_CHANGE,    /* what: of the scenario's */
    EVENT_PUBLISH,   /* who: the client */
    EVENT_CONNECT,   /* who: the client; what: the server */
    EVENT_CONNECTED, /* so, too: or it was refused */
    EVENT_TICK,      /* who: the client */
    N_EVENTS
} event_kind;

typedef struct world {
    const scenario *plan;
    client *clients;
    fleet_server *servers;
    fleet_calls calls;
    queue queue;
    uint64_t now_ns;
    size_t n_rates; /* those that have begun: the last of them holds */
    muster_status status;
    muster_error *err;
} world;

void world_fail_memory(world *self);
void world_add(world *self, uint64_t delay_ns, event_kind kind, uint32_t who,
               uint32_t what);

/* Whether no call begins any more. */
bool world_is_over(const world *self);

/* ---- calls ---- */

void world_on_arrival(world *self, uint32_t who, uint32_t number);
void world_on_served(world *self, uint32_t number);
void world_on_deadline(world *self, uint32_t number);
void world_expect_arrival(world *self, uint32_t number);
void world_place_parked(world *self, uint32_t who);

/* A server went down; a server that hung goes on. */
void world_end_calls_of(world *self, uint32_t server);
void world_resume_calls_of(world *self, uint32_t server);

/* ---- connections ---- */

/* Lets the client's policy do what is due, and does what it asks for. */
void world_look_at(world *self, uint32_t who);
void world_connect_wanted(world *self, uint32_t who);
void world_publish_soon(world *self, uint32_t who);
void world_on_publish(world *self, uint32_t who);
void world_on_connect(world *self, uint32_t who, uint32_t server);
void world_on_connected(world *self, uint32_t who, uint32_t server);

/* The connection is gone, or was refused. */
void world_lose(world *self, uint32_t who, uint32_t server);

#endif
