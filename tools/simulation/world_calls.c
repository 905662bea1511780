/* SPDX-License-Identifier: Apache-2.0 */
/* How calls of a simulation begin, are placed, served and end. */
#include <math.h>

#include "draw.h"
#include "world_internal.h"

#define UNAVAILABLE 14 /* status codes of gRPC */
#define DEADLINE_EXCEEDED 4
#define INTERNAL 13

/* ---- the end of calls ---- */

static void tell(world *self, const fleet_call *call, int status)
{
    const muster_outcome outcome = {
        .struct_size = (uint32_t)sizeof outcome,
        .flags = call->fails ? MUSTER_OUTCOME_FROM_SERVER : 0,
        .status = status,
        .latency_ns = self->now_ns - call->placed_ns};

    muster_testkit_balancer_done(self->clients[call->client].kit, call->id,
                                 &outcome);
}

static void end_call(world *self, uint32_t number, int status)
{
    fleet_call *call = &self->calls.of[number];

    call->end_ns = self->now_ns == 0 ? 1 : self->now_ns;
    call->is_lost = status != 0;
    if (call->server != FLEET_NOBODY) {
        if (client_advance(&self->clients[call->client], self->now_ns)) {
            world_publish_soon(self, call->client); /* who looks sees no more */
        }
        tell(self, call, status);
    }
}

static void begin_service(world *self, uint32_t number)
{
    fleet_call *call = &self->calls.of[number];
    fleet_server *server = &self->servers[call->server];

    server->n_busy++;
    call->is_served = true;
    call->fails =
        draw_share(self->plan->seed, DRAW_ERROR, number) < server->errors;
    if (server->is_hung) {
        call->is_stuck = true;
        return;
    }
    world_add(self,
              call->fails ? 0
                          : fleet_service_ns(server, self->plan->seed, number,
                                             self->now_ns),
              EVENT_SERVED, 0, number);
}

/* The slot of a call that ended goes to the next one. */
static void free_slot(world *self, fleet_server *server)
{
    uint32_t next;

    server->n_busy--;
    if (server->model->slots == 0 || server->n_busy >= server->model->slots) {
        return;
    }
    next = fleet_list_take(&self->calls, &server->waiting);
    if (next != FLEET_NOBODY) {
        begin_service(self, next);
    }
}

void world_on_served(world *self, uint32_t number)
{
    fleet_call *call = &self->calls.of[number];
    fleet_server *server = &self->servers[call->server];

    if (call->end_ns != 0) {
        return; /* its deadline was before, or its server went down */
    }
    if (server->is_hung) {
        call->is_stuck = true;
        return;
    }
    end_call(self, number, call->fails ? INTERNAL : 0);
    free_slot(self, server);
}

void world_on_deadline(world *self, uint32_t number)
{
    fleet_call *call = &self->calls.of[number];

    if (call->end_ns != 0) {
        return;
    }
    end_call(self, number, DEADLINE_EXCEEDED);
    if (call->is_served) {
        free_slot(self, &self->servers[call->server]);
    }
}

/* ---- placing calls ---- */

static void serve(world *self, uint32_t number, uint32_t at)
{
    fleet_server *server = &self->servers[at];

    self->calls.of[number].server = at;
    self->calls.of[number].placed_ns = self->now_ns;
    if (server->is_down) {
        end_call(self, number, UNAVAILABLE);
    } else if (server->model->slots != 0 &&
               server->n_busy >= server->model->slots) {
        fleet_list_add(&self->calls, &server->waiting, number);
    } else {
        begin_service(self, number);
    }
}

static void place(world *self, uint32_t number);

void world_place_parked(world *self, uint32_t who)
{
    fleet_list parked = self->clients[who].parked;
    uint32_t number;

    self->clients[who].parked = fleet_list_none();
    while ((number = fleet_list_take(&self->calls, &parked)) != FLEET_NOBODY) {
        place(self, number);
    }
}

static void place(world *self, uint32_t number)
{
    fleet_call *call = &self->calls.of[number];
    client *caller = &self->clients[call->client];
    uint32_t server = FLEET_NOBODY;
    muster_testkit_pick pick = client_pick(caller, call, number, &server);

    if (pick.verdict == MUSTER_PICK_INDEX && server != FLEET_NOBODY) {
        call->id = pick.id;
        serve(self, number, server);
        return;
    }
    if (pick.verdict == MUSTER_PICK_FAIL) {
        end_call(self, number, pick.status);
        return;
    }
    if (pick.verdict == MUSTER_PICK_QUEUE && client_is_failing(caller)) {
        end_call(self, number, UNAVAILABLE); /* calls are fail-fast */
        return;
    }
    fleet_list_add(&self->calls, &caller->parked, number);
    if (pick.verdict == MUSTER_PICK_CONNECT) {
        world_connect_wanted(self, call->client);
    }
}

/* Before the first of the rates, nobody calls. */
static double rate_now(world *self)
{
    const scenario *plan = self->plan;

    while (self->n_rates < plan->n_rates &&
           plan->rates[self->n_rates].at_ns <= self->now_ns) {
        self->n_rates++;
    }
    return self->n_rates == 0 ? 0 : plan->rates[self->n_rates - 1].per_s;
}

/* A Poisson process. It has no memory: a pause that the rate changes in is left
 * there, and another one, of another number, is drawn at the new rate. */
void world_expect_arrival(world *self, uint32_t number)
{
    const scenario *plan = self->plan;
    double per_s = rate_now(self);
    double pause = draw_pause(plan->seed, DRAW_PAUSE, number);
    uint64_t pause_ns =
        per_s > 0 ? draw_ns(pause / per_s * 1e9) : SCENARIO_NEVER;
    uint64_t rest_ns = self->n_rates < plan->n_rates
                           ? plan->rates[self->n_rates].at_ns - self->now_ns
                           : SCENARIO_NEVER;

    if (rest_ns < pause_ns) {
        world_add(self, rest_ns, EVENT_ARRIVAL, 1, number);
    } else if (pause_ns != SCENARIO_NEVER) {
        world_add(self, pause_ns, EVENT_ARRIVAL, 0, number);
    }
}

static void begin_call(world *self)
{
    const scenario *plan = self->plan;
    uint64_t seed = plan->seed;
    uint32_t number = 0;
    fleet_call *call;

    if (!fleet_begin_call(&self->calls, self->now_ns, &number)) {
        world_fail_memory(self);
        return;
    }
    call = &self->calls.of[number];
    call->client =
        (uint32_t)(draw_bits(seed, DRAW_CLIENT, number) % plan->n_clients);
    if (plan->n_keys > 0) {
        call->key =
            1 + (uint32_t)(draw_bits(seed, DRAW_KEY, number) % plan->n_keys);
    }
    if (plan->deadline_ns != SCENARIO_NEVER) {
        world_add(self, plan->deadline_ns, EVENT_DEADLINE, 0, number);
    }
    world_look_at(self, call->client);
    place(self, number);
}

/* who: whether this is no call, but a look at the rate. */
void world_on_arrival(world *self, uint32_t who, uint32_t number)
{
    if (world_is_over(self)) {
        return;
    }
    if (who == 0) {
        begin_call(self);
    }
    world_expect_arrival(self, number + 1);
}

/* ---- of a server ---- */

void world_end_calls_of(world *self, uint32_t server)
{
    for (uint32_t i = 0; i < self->calls.n; i++) {
        fleet_call *call = &self->calls.of[i];

        if (call->server == server && call->end_ns == 0) {
            end_call(self, i, UNAVAILABLE);
        }
    }
    self->servers[server].n_busy = 0;
    self->servers[server].waiting = fleet_list_none();
}

void world_resume_calls_of(world *self, uint32_t server)
{
    for (uint32_t i = 0; i < self->calls.n; i++) {
        fleet_call *call = &self->calls.of[i];

        if (call->server == server && call->is_stuck && call->end_ns == 0) {
            call->is_stuck = false;
            world_add(self, 0, EVENT_SERVED, 0, i);
        }
    }
}
