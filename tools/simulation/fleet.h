/* SPDX-License-Identifier: Apache-2.0 */
/* The servers of a simulation: how fast they are, what waits at them. */
#ifndef MUSTER_TOOLS_FLEET_H
#define MUSTER_TOOLS_FLEET_H

#include "scenario.h"

/* No call, at the end of a list of them. */
#define FLEET_NOBODY UINT32_MAX

/* A call on its way. It is never forgotten: measure.h reads them all. */
typedef struct fleet_call {
    uint64_t begin_ns;
    uint64_t end_ns; /* 0: not yet */
    uint64_t placed_ns;
    uint64_t id; /* of its endpoint, as its client's policy knows it */
    uint32_t client;
    uint32_t server; /* FLEET_NOBODY: not placed yet */
    uint32_t next;   /* in a list of waiting ones */
    uint32_t key;
    bool is_lost;
    bool fails;
    bool is_stuck; /* its server hung when it should have ended */
    bool is_served;
} fleet_call;

typedef struct fleet_calls {
    fleet_call *of;
    size_t n;
    size_t n_max;
} fleet_calls;

typedef struct fleet_list {
    uint32_t first;
    uint32_t last;
} fleet_list;

typedef struct fleet_server {
    const scenario_server *model;
    double speed; /* at ramp_end_ns and from then on */
    double speed_before;
    double errors;
    uint64_t extra_ns;
    uint64_t ramp_begin_ns;
    uint64_t ramp_end_ns;
    fleet_list waiting; /* for a slot */
    uint32_t n_busy;
    bool is_down;
    bool is_hung;
    bool is_listed;
} fleet_server;

/* False: out of memory. *ret_number is the new call's. */
bool fleet_begin_call(fleet_calls *self, uint64_t now_ns, uint32_t *ret_number);

fleet_server fleet_server_open(const scenario_server *model);

/* What happens to its speed, errors and state. */
void fleet_server_change(fleet_server *self, const scenario_change *change,
                         uint64_t now_ns);

/* How long the call that is number takes when it begins to be served now. */
uint64_t fleet_service_ns(const fleet_server *self, uint64_t seed,
                          uint32_t number, uint64_t now_ns);

/* Lists of calls. */
fleet_list fleet_list_none(void);
void fleet_list_add(fleet_calls *calls, fleet_list *list, uint32_t number);

/* Takes the first that has not ended meanwhile; FLEET_NOBODY: there is none. */
uint32_t fleet_list_take(const fleet_calls *calls, fleet_list *list);

#endif
