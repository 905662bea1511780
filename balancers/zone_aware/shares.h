/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's arithmetic of zone aware routing: how much of a client's calls each
 * zone gets.
 * https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/
 * load_balancing/zone_aware */
#ifndef MUSTER_BALANCERS_ZONE_AWARE_SHARES_H
#define MUSTER_BALANCERS_ZONE_AWARE_SHARES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct zone_shares {
    uint64_t servers; /* in: how many are healthy, or their weights */
    uint64_t clients; /* in: how many there are, or any multiple of it */
    bool is_local;    /* in: ours; of one at most */
    uint64_t share;   /* out: in proportion */
} zone_shares;

/* By the servers alone. */
void muster__shares_by_servers(zone_shares *zones, uint32_t n);

/* So that all servers get alike, from clients in all zones, of which each keeps
 * as much in its zone as it can; n_clients counts those of zones without
 * servers, too. is_forced: all of it stays in the zone. The percentage of the
 * calls that are routed so is enabled; of the others the servers alone decide.
 */
void muster__shares_by_zones(zone_shares *zones, uint32_t n, uint64_t n_clients,
                             bool is_forced, uint32_t enabled);

#endif
