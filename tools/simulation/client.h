/* SPDX-License-Identifier: Apache-2.0 */
/* One client of a simulation: a real policy on a host with virtual time, and
 * what it is connected to. */
#ifndef MUSTER_TOOLS_CLIENT_H
#define MUSTER_TOOLS_CLIENT_H

#include <muster/testkit.h>

#include "fleet.h"
#include "policies.h"

typedef struct client {
    muster_testkit_balancer *kit;
    muster_connectivity *states; /* of each server */
    uint32_t *backoffs;          /* of each: failed attempts in a row */
    uint32_t *listed;            /* servers in the order of the list */
    size_t n_listed;
    size_t n_servers;
    fleet_list parked; /* calls that wait for a picker */
    uint64_t n_builds; /* of the kit, as last seen */
    bool is_publishing;
    bool is_list_due; /* what is listed has changed */
} client;

/* self is filled, and to be released, in any case. */
muster_status client_open(client *self, const policies *known,
                          const policy_choice *choice, size_t n_servers,
                          uint64_t seed, muster_error *err);
void client_release(client *self);

/* Lets the policy's timers run. True: it has built a new table meanwhile, so
 * that parked calls should be placed again. */
bool client_advance(client *self, uint64_t now_ns);

/* Shows the policy how things are. */
muster_status client_publish(client *self, const fleet_server *servers,
                             muster_error *err);

/* Whether server is in the list, and the policy wants it connected. */
bool client_wants(const client *self, uint32_t server);

/* Whether none of the list is READY, some have failed, and of the others none
 * is on its way; or the list is empty. As the core judges a channel. */
bool client_is_failing(const client *self);

/* Sets it for the next client_publish(). */
void client_set_state(client *self, uint32_t server, muster_connectivity state);

/* Asks the policy; *ret_server is set when it is MUSTER_PICK_INDEX. */
muster_testkit_pick client_pick(client *self, const fleet_call *call,
                                uint32_t number, uint32_t *ret_server);

#endif
