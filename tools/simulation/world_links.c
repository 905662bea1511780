/* SPDX-License-Identifier: Apache-2.0 */
/* What the clients of a simulation are connected to, and what their policies
 * are told. */
#include <math.h>

#include "draw.h"
#include "world_internal.h"

/* gRPC's connection backoff: 1 s, times 1.6, at most 120 s, +-20 %. */
#define BACKOFF_FIRST_NS 1e9
#define BACKOFF_FACTOR 1.6
#define BACKOFF_MAX_NS 120e9
#define BACKOFF_JITTER 0.2

void world_publish_soon(world *self, uint32_t who)
{
    if (!self->clients[who].is_publishing) {
        self->clients[who].is_publishing = true;
        world_add(self, 0, EVENT_PUBLISH, who, 0);
    }
}

void world_connect_wanted(world *self, uint32_t who)
{
    client *caller = &self->clients[who];

    for (size_t i = 0; i < caller->n_listed; i++) {
        uint32_t server = caller->listed[i];
        bool is_wanted = client_wants(caller, server);

        if (is_wanted && caller->states[server] == MUSTER_IDLE) {
            client_set_state(caller, server, MUSTER_CONNECTING);
            world_add(self, self->plan->connect_ns, EVENT_CONNECTED, who,
                      server);
            world_publish_soon(self, who);
        } else if (!is_wanted && caller->states[server] == MUSTER_READY) {
            client_set_state(caller, server, MUSTER_IDLE);
            world_publish_soon(self, who);
        }
    }
}

/* The policy may have done something by itself. */
void world_look_at(world *self, uint32_t who)
{
    if (client_advance(&self->clients[who], self->now_ns)) {
        world_connect_wanted(self, who);
        world_place_parked(self, who);
    }
}

void world_on_publish(world *self, uint32_t who)
{
    client *caller = &self->clients[who];

    (void)client_advance(caller, self->now_ns);
    if (client_publish(caller, self->servers, self->err) != MUSTER_OK) {
        return; /* the old table serves on, as in a channel */
    }
    (void)client_advance(caller, self->now_ns);
    world_connect_wanted(self, who);
    world_place_parked(self, who);
}

static uint64_t backoff_ns(world *self, uint32_t who, uint32_t server)
{
    uint32_t n = self->clients[who].backoffs[server]++;
    double base = BACKOFF_FIRST_NS * pow(BACKOFF_FACTOR, n);
    double jitter =
        BACKOFF_JITTER * (2 * draw_share(self->plan->seed, DRAW_BACKOFF,
                                         self->queue.last_number) -
                          1);

    return (uint64_t)(fmin(base, BACKOFF_MAX_NS) * (1 + jitter));
}

/* The connection is gone, or was refused. */
void world_lose(world *self, uint32_t who, uint32_t server)
{
    client_set_state(&self->clients[who], server, MUSTER_TRANSIENT_FAILURE);
    if (!world_is_over(self)) {
        world_add(self, backoff_ns(self, who, server), EVENT_CONNECT, who,
                  server);
    }
    world_publish_soon(self, who);
}

void world_on_connect(world *self, uint32_t who, uint32_t server)
{
    client *caller = &self->clients[who];

    if (caller->states[server] != MUSTER_TRANSIENT_FAILURE) {
        return; /* it left the list meanwhile */
    }
    if (client_wants(caller, server)) {
        client_set_state(caller, server, MUSTER_CONNECTING);
        world_add(self, self->plan->connect_ns, EVENT_CONNECTED, who, server);
    } else {
        client_set_state(caller, server, MUSTER_IDLE); /* until it is wanted */
    }
    world_publish_soon(self, who);
}

void world_on_connected(world *self, uint32_t who, uint32_t server)
{
    client *caller = &self->clients[who];

    if (caller->states[server] != MUSTER_CONNECTING) {
        return; /* it left the list meanwhile */
    }
    if (self->servers[server].is_down) {
        world_lose(self, who, server);
        return;
    }
    caller->backoffs[server] = 0;
    client_set_state(caller, server, MUSTER_READY);
    world_publish_soon(self, who);
}
