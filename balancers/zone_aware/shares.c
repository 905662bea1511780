/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's arithmetic of zone aware routing. */
#include "shares.h"

#include <stddef.h>

#define WHOLE                                                                  \
    UINT64_C(10000) /* as Envoy counts: in hundredths of a percent             \
                     */

static uint64_t part_of(uint64_t amount, uint64_t total)
{
    while (total > UINT64_MAX / WHOLE) { /* sums of large weights */
        amount /= 2;
        total /= 2;
    }
    return total == 0 ? 0 : amount * WHOLE / total;
}

static uint64_t n_servers(const zone_shares *zones, uint32_t n)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < n; i++) {
        total += zones[i].servers;
    }
    return total;
}

void muster__shares_by_servers(zone_shares *zones, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        zones[i].share = zones[i].servers;
    }
}

static const zone_shares *local_of(const zone_shares *zones, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (zones[i].is_local) {
            return &zones[i];
        }
    }
    return NULL;
}

/* What a zone can take beside the calls of its own clients. */
static uint64_t residue_of(const zone_shares *zone, uint64_t total_servers,
                           uint64_t total_clients)
{
    uint64_t servers = part_of(zone->servers, total_servers);
    uint64_t clients = part_of(zone->clients, total_clients);

    return !zone->is_local && servers > clients ? servers - clients : 0;
}

/* kept of WHOLE are for the local zone; the rest goes by residues. When there
 * are none, which rounding may make of little ones, any zone will do. */
static void share_out(zone_shares *zones, uint32_t n, uint64_t kept,
                      uint64_t total_servers, uint64_t total_clients)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < n; i++) {
        total += residue_of(&zones[i], total_servers, total_clients);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t residue = residue_of(&zones[i], total_servers, total_clients);

        zones[i].share =
            (WHOLE - kept) * (total == 0 ? 1 : residue) +
            (zones[i].is_local ? kept * (total == 0 ? n : total) : 0);
    }
}

static void route(zone_shares *zones, uint32_t n, uint64_t n_clients,
                  bool is_forced)
{
    const zone_shares *local = local_of(zones, n);
    uint64_t total = n_servers(zones, n);
    uint64_t servers = local == NULL ? 0 : part_of(local->servers, total);
    uint64_t clients = local == NULL ? 0 : part_of(local->clients, n_clients);
    uint64_t kept = 0;

    if (servers > 0 && (is_forced || servers >= clients)) {
        kept = WHOLE;
    } else if (clients > 0) {
        kept = servers * WHOLE / clients;
    }
    share_out(zones, n, kept, total, n_clients);
}

void muster__shares_by_zones(zone_shares *zones, uint32_t n, uint64_t n_clients,
                             bool is_forced, uint32_t enabled)
{
    uint64_t total = n_servers(zones, n);
    uint64_t routed = 0;
    uint64_t others = 0;

    route(zones, n, n_clients, is_forced);
    for (uint32_t i = 0; i < n; i++) {
        routed += zones[i].share;
        others += part_of(zones[i].servers, total);
    }
    if (enabled >= 100 || routed == 0 || others == 0) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        zones[i].share =
            zones[i].share * enabled * others +
            part_of(zones[i].servers, total) * (100 - enabled) * routed;
    }
}
