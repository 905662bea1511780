/* SPDX-License-Identifier: Apache-2.0 */
/* Plays a scenario with one policy: events in the order of their time. */
#include "world_internal.h"

#include <stdlib.h>

#include "draw.h"

void world_fail_memory(world *self)
{
    if (self->status == MUSTER_OK) {
        self->status =
            muster_error_set(self->err, MUSTER_NOMEM, "out of memory");
    }
}

void world_add(world *self, uint64_t delay_ns, event_kind kind, uint32_t who,
               uint32_t what)
{
    uint64_t most_ns = UINT64_MAX - self->now_ns;
    uint64_t at_ns = self->now_ns + (delay_ns < most_ns ? delay_ns : most_ns);

    if (!queue_add(&self->queue, (queue_event){.at_ns = at_ns,
                                               .kind = (unsigned)kind,
                                               .who = who,
                                               .what = what})) {
        world_fail_memory(self);
    }
}

bool world_is_over(const world *self)
{
    return self->now_ns >= self->plan->duration_ns;
}

/* ---- changes ---- */

static void tell_clients(world *self, uint32_t server, scenario_state state)
{
    for (uint32_t who = 0; who < self->plan->n_clients; who++) {
        client *caller = &self->clients[who];

        if (state == SCENARIO_LISTED || state == SCENARIO_GONE) {
            caller->is_list_due = true;
            world_publish_soon(self, who);
        } else if (state == SCENARIO_DOWN &&
                   caller->states[server] == MUSTER_READY) {
            world_lose(self, who, server);
        }
    }
}

static void on_change(world *self, uint32_t index)
{
    const scenario_change *change = &self->plan->changes[index];

    if (world_is_over(self)) {
        return;
    }
    for (uint32_t i = 0; i < change->n; i++) {
        uint32_t server = change->first + i;

        fleet_server_change(&self->servers[server], change, self->now_ns);
        tell_clients(self, server, change->state);
        if (change->state == SCENARIO_DOWN) {
            world_end_calls_of(self, server);
        } else if (change->state == SCENARIO_UP) {
            world_resume_calls_of(self, server);
        }
    }
    if (change->every_ns > 0) {
        world_add(self, change->every_ns, EVENT_CHANGE, 0, index);
    }
}

static void on_tick(world *self, uint32_t who)
{
    world_look_at(self, who);
    if (!world_is_over(self)) {
        world_add(self, WORLD_TICK_NS, EVENT_TICK, who, 0);
    }
}

/* ---- playing ---- */

static void handle(world *self, const queue_event *event)
{
    switch ((event_kind)event->kind) {
    case EVENT_ARRIVAL:
        world_on_arrival(self, event->who, event->what);
        break;
    case EVENT_SERVED:
        world_on_served(self, event->what);
        break;
    case EVENT_DEADLINE:
        world_on_deadline(self, event->what);
        break;
    case EVENT_CHANGE:
        on_change(self, event->what);
        break;
    case EVENT_PUBLISH:
        world_on_publish(self, event->who);
        break;
    case EVENT_CONNECT:
        world_on_connect(self, event->who, event->what);
        break;
    case EVENT_CONNECTED:
        world_on_connected(self, event->who, event->what);
        break;
    case EVENT_TICK:
        on_tick(self, event->who);
        break;
    case N_EVENTS:
        break;
    }
}

static void begin(world *self, const policies *known,
                  const policy_choice *choice)
{
    const scenario *plan = self->plan;

    for (uint32_t i = 0; i < plan->n_servers; i++) {
        self->servers[i] = fleet_server_open(&plan->servers[i]);
    }
    for (uint32_t i = 0; i < plan->n_clients && self->status == MUSTER_OK;
         i++) {
        self->status =
            client_open(&self->clients[i], known, choice, plan->n_servers,
                        draw_mix(plan->seed + i), self->err);
        world_publish_soon(self, i);
        world_add(self, WORLD_TICK_NS, EVENT_TICK, i, 0);
    }
    for (uint32_t i = 0; i < plan->n_changes; i++) {
        world_add(self, plan->changes[i].at_ns, EVENT_CHANGE, 0, i);
    }
    world_expect_arrival(self, 0);
}

static void check_rules(world *self, const policy_choice *choice)
{
    for (uint32_t i = 0; i < self->plan->n_clients; i++) {
        const char *broken =
            self->clients[i].kit == NULL
                ? ""
                : muster_testkit_balancer_violations(self->clients[i].kit);

        if (broken[0] != '\0' && self->status == MUSTER_OK) {
            self->status =
                muster_error_set(self->err, MUSTER_INVAL,
                                 "policy %s breaks the plugin's rules: %s",
                                 choice->label, broken);
        }
    }
}

muster_status world_play(const scenario *plan, const policies *known,
                         const policy_choice *choice, fleet_calls *ret_calls,
                         muster_error *err)
{
    world self = {.plan = plan, .status = MUSTER_OK, .err = err};
    queue_event event;

    self.clients = calloc(plan->n_clients, sizeof *self.clients);
    self.servers = calloc(plan->n_servers, sizeof *self.servers);
    if (self.clients == NULL || self.servers == NULL) {
        world_fail_memory(&self);
    } else {
        begin(&self, known, choice);
    }
    while (self.status == MUSTER_OK && queue_take(&self.queue, &event)) {
        self.now_ns = event.at_ns;
        handle(&self, &event);
    }
    if (self.clients != NULL) {
        check_rules(&self, choice);
        for (uint32_t i = 0; i < plan->n_clients; i++) {
            client_release(&self.clients[i]);
        }
    }
    free(self.clients);
    free(self.servers);
    queue_release(&self.queue);
    *ret_calls = self.calls;
    return self.status;
}
