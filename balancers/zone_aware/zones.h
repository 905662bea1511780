/* SPDX-License-Identifier: Apache-2.0 */
/* The zones of a list: its endpoints by zone, each zone with a child. */
#ifndef MUSTER_BALANCERS_ZONE_AWARE_ZONES_H
#define MUSTER_BALANCERS_ZONE_AWARE_ZONES_H

#include "../groups.h"

/* Endpoints of the best priority that serves, or their weights. */
typedef struct zone_counts {
    uint64_t listed;
    uint64_t healthy;   /* READY and fit; and those to connect on demand */
    uint64_t failing;   /* failed, unhealthy or ejected */
    uint64_t connected; /* healthy or not */
    uint64_t n_healthy; /* these whatever their weights */
    uint64_t n_ready;   /* and only those that are READY */
    uint64_t n_stuck;   /* failed, or wanted and not READY */
} zone_counts;

typedef struct zone {
    group group; /* first */
    char *name;  /* "" for endpoints that have none */
    bool is_item;
    zone_counts counts;
} zone;

/* An endpoint's state. */
typedef struct zone_endpoint {
    group_state group; /* first */
    bool is_wanted;
} zone_endpoint;

typedef struct zones {
    groups groups; /* first */
    zone **items;  /* those with endpoints */
    uint32_t n;
    uint32_t capacity;
    bool is_by_weight;
} zones;

/* Puts every endpoint into its zone. */
void muster__zones_take(zones *self, const muster_balancer_update *update);

/* wanted is NULL when the children were not asked. */
void muster__zones_count(zones *self, const muster_balancer_update *update,
                         const uint8_t *wanted);

void muster__zones_fini(zones *self);

static inline zone *zone_of(group *of)
{
    return (zone *)(void *)of;
}

#endif
