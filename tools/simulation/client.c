/* SPDX-License-Identifier: Apache-2.0 */
/* One client of a simulation. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>

/* Shards that two calls in a row rarely share, as with many threads. */
#define N_SHARDS 16

muster_status client_open(client *self, const policies *known,
                          const policy_choice *choice, size_t n_servers,
                          uint64_t seed, muster_error *err)
{
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = choice->class_,
        .config_json = choice->config_json,
        .children = known->classes,
        .n_children = (uint32_t)known->n,
        .seed = seed};

    *self = (client){.n_servers = n_servers,
                     .parked = fleet_list_none(),
                     .is_list_due = true};
    self->states = calloc(n_servers, sizeof *self->states);
    self->backoffs = calloc(n_servers, sizeof *self->backoffs);
    self->listed = calloc(n_servers, sizeof *self->listed);
    if (self->states == NULL || self->backoffs == NULL ||
        self->listed == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return muster_testkit_balancer_create(&options, &self->kit, err);
}

void client_release(client *self)
{
    muster_testkit_balancer_destroy(self->kit);
    free(self->states);
    free(self->backoffs);
    free(self->listed);
}

bool client_advance(client *self, uint64_t now_ns)
{
    uint64_t then_ns = muster_testkit_balancer_now_ns(self->kit);
    uint64_t n_builds;

    if (now_ns > then_ns) {
        (void)muster_testkit_balancer_advance_ns(self->kit, now_ns - then_ns);
    }
    n_builds = muster_testkit_balancer_get(self->kit)->n_builds;
    if (n_builds == self->n_builds) {
        return false;
    }
    self->n_builds = n_builds;
    return true;
}

/* ---- the list ---- */

/* The address tells which server it is. */
static void write_address(char *buffer, size_t size, uint32_t server)
{
    (void)snprintf(buffer, size, "10.%u.%u.%u:80",
                   (unsigned)(server >> 16 & 255),
                   (unsigned)(server >> 8 & 255), (unsigned)(server & 255));
}

static uint32_t read_address(const char *address)
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;

    (void)sscanf(address, "10.%u.%u.%u", &a, &b, &c);
    return a << 16 | b << 8 | c;
}

static muster_status set_list(client *self, const fleet_server *servers)
{
    muster_endpoint *endpoints = calloc(self->n_servers + 1, sizeof *endpoints);
    char(*addresses)[32] = calloc(self->n_servers + 1, sizeof *addresses);
    muster_status status = MUSTER_NOMEM;

    self->n_listed = 0;
    for (uint32_t i = 0;
         i < self->n_servers && endpoints != NULL && addresses != NULL; i++) {
        const scenario_server *model = servers[i].model;

        if (!servers[i].is_listed) {
            self->states[i] = MUSTER_IDLE;
            self->backoffs[i] = 0;
            continue;
        }
        write_address(addresses[self->n_listed], sizeof *addresses, i);
        endpoints[self->n_listed] = (muster_endpoint){
            .address = addresses[self->n_listed],
            .weight = model->weight,
            .priority = model->priority,
            .zone = model->zone[0] == '\0' ? NULL : model->zone};
        self->listed[self->n_listed++] = i;
    }
    if (endpoints != NULL && addresses != NULL) {
        status = muster_testkit_balancer_set(self->kit, endpoints,
                                             self->n_listed, MUSTER_IDLE);
    }
    free(endpoints);
    free(addresses);
    return status;
}

muster_status client_publish(client *self, const fleet_server *servers,
                             muster_error *err)
{
    self->is_publishing = false;
    if (self->is_list_due) {
        muster_status status = set_list(self, servers);

        if (status != MUSTER_OK) {
            return muster_error_set(err, status, "out of memory");
        }
        self->is_list_due = false;
    }
    for (size_t i = 0; i < self->n_listed; i++) {
        muster_connectivity state = self->states[self->listed[i]];

        muster_testkit_balancer_set_state(
            self->kit, i, state,
            state == MUSTER_TRANSIENT_FAILURE ? "connection refused" : NULL);
    }
    return muster_testkit_balancer_publish(self->kit, err);
}

static size_t index_of(const client *self, uint32_t server)
{
    size_t low = 0;
    size_t high = self->n_listed;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (self->listed[middle] < server) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < self->n_listed && self->listed[low] == server ? low
                                                               : self->n_listed;
}

bool client_wants(const client *self, uint32_t server)
{
    return muster_testkit_balancer_is_wanted(self->kit,
                                             index_of(self, server)) != 0;
}

bool client_is_failing(const client *self)
{
    size_t n_failing = 0;

    for (size_t i = 0; i < self->n_listed; i++) {
        uint32_t server = self->listed[i];

        if (self->backoffs[server] > 0) {
            n_failing++; /* until it is READY, however often it connects */
        } else if (self->states[server] == MUSTER_READY ||
                   client_wants(self, server)) {
            return false;
        }
    }
    return n_failing > 0 || (self->n_listed == 0 && !self->is_list_due);
}

void client_set_state(client *self, uint32_t server, muster_connectivity state)
{
    self->states[server] = state;
}

muster_testkit_pick client_pick(client *self, const fleet_call *call,
                                uint32_t number, uint32_t *ret_server)
{
    char key[16];
    const muster_call_info info = {.struct_size = (uint32_t)sizeof info,
                                   .hash_key = call->key == 0 ? NULL : key};
    muster_testkit_pick pick;

    (void)snprintf(key, sizeof key, "%u", (unsigned)call->key);
    muster_testkit_balancer_pick(self->kit, &info, number % N_SHARDS, &pick);
    if (pick.verdict == MUSTER_PICK_INDEX && pick.endpoint != NULL) {
        *ret_server = read_address(pick.endpoint->address);
    }
    return pick;
}
