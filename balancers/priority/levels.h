/* SPDX-License-Identifier: Apache-2.0 */
/* The levels of a list: its endpoints by priority, each level with a child; how
 * they are, which are in use, and the failover timers (gRFC A56). What is made
 * of it, the policy's decide() says. Thread: control. */
#ifndef MUSTER_BALANCERS_PRIORITY_LEVELS_H
#define MUSTER_BALANCERS_PRIORITY_LEVELS_H

#include "../groups.h"

/* How many endpoints of a level are of each kind; a kind each. */
typedef struct level_counts {
    uint32_t listed;
    uint32_t healthy; /* READY, and neither unhealthy nor ejected */
    uint32_t failing; /* failed since they were READY, unhealthy or ejected */
    uint32_t pending; /* connect for the first time, in good time */
    uint32_t late;    /* connect, and are not pending */
    uint32_t idle;    /* nobody wants them */
    uint32_t asked;   /* of the pending: not wanted, but for a call */
    /* Of all these: connected, healthy or not. */
    uint32_t connected;
} level_counts;

typedef struct level {
    group group; /* first */
    uint32_t priority;
    level_counts counts;
    muster_connectivity state; /* of what gRPC's child would report */
    bool is_item;              /* it has endpoints */
    bool is_started;           /* its endpoints are connected as it likes */
    bool has_come;             /* READY or IDLE after it last failed */
    uint64_t deadline_ns;      /* the failover timer; 0: it does not run */
    uint64_t stops_ns; /* is no more in use then; 0: a better one is not */
} level;

/* An endpoint's state. */
typedef struct level_endpoint {
    group_state group; /* first */
    bool is_wanted;    /* by its level's child, and the level is in use; or by a
                          call, while it connects */
    bool is_asked;     /* that one */
    bool is_known;     /* was READY or has failed since it is wanted */
    uint64_t late_ns;  /* not pending from then on; 0: not wanted yet */
} level_endpoint;

typedef struct levels {
    groups groups; /* first */
    level **items; /* those with endpoints, best first */
    uint32_t n;
    uint32_t capacity;
    uint64_t failover_ns;
    uint64_t keep_ns;
    uint64_t timer;    /* 0: not running */
    uint64_t timer_ns; /* when it fires */
    uint64_t now_ns;   /* of the step under way */
    bool was_asked;    /* want() has been called */

    /* Starts and stops levels, makes the plan. True when which are in use has
     * changed: then their endpoints are looked at again. */
    bool (*decide)(struct levels *self);
} levels;

/* Reads childPolicy, failoverTimeout and retention; the rest is the caller's,
 * whose settings are open. The first child tells whether they are right. */
void muster__levels_read(levels *self, config *settings);
muster_status muster__levels_init(levels *self, const muster_balancer_env *env,
                                  muster_error *err);

/* A class's functions. */
void muster__levels_update(void *policy, const muster_balancer_update *update);
void muster__levels_want(void *policy, const muster_balancer_update *update,
                         uint8_t *ret_wanted);
void muster__levels_destroy(void *policy);

/* Begins to use a level; a better one is to be used instead, so it is in use
 * for keep_ns only; it is not after all. True when that changes what is in use.
 */
bool muster__level_start(const levels *self, level *of);
void muster__level_retire(const levels *self, level *of);

static inline level *level_of(group *of)
{
    return (level *)(void *)of;
}

static inline bool level_is_waited_for(const levels *self, const level *of)
{
    return of->deadline_ns > self->now_ns;
}

#endif
