/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's arithmetic of priority levels. */
#include "load.h"

#include <stddef.h>

static uint32_t least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

uint32_t muster__load_health(uint32_t n_healthy, uint32_t n_known,
                             uint32_t overprovisioning_factor)
{
    return n_known == 0 ? 0
                        : least(100, (uint64_t)overprovisioning_factor *
                                         n_healthy / n_known);
}

static uint32_t total_health(load_level *levels, uint32_t n,
                             uint32_t overprovisioning_factor)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < n; i++) {
        levels[i].health =
            levels[i].is_assumed_healthy
                ? 100
                : muster__load_health(levels[i].n_healthy, levels[i].n_known,
                                      overprovisioning_factor);
        total += levels[i].health;
    }
    return least(100, total);
}

/* In proportion to amounts whose sum is total; each share is rounded, which is
 * what Envoy's documents show, and what that leaves is the first one's. */
static void divide(load_level *levels, uint32_t n, uint64_t total,
                   uint64_t (*amount_of)(const load_level *of))
{
    load_level *first = NULL;
    uint32_t left = 100;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t amount = amount_of(&levels[i]);

        levels[i].load = least(left, (amount * 200 + total) / (2 * total));
        left -= levels[i].load;
        if (first == NULL && amount > 0) {
            first = &levels[i];
        }
    }
    if (first != NULL) {
        first->load += left;
    }
}

static uint64_t health_of(const load_level *of)
{
    return of->health;
}

static uint64_t connected_of(const load_level *of)
{
    return of->n_connected;
}

/* Whether all of which anything is known are. */
static bool mark_panic(load_level *levels, uint32_t n, uint32_t threshold)
{
    bool is_total = true;
    uint32_t n_in_panic = 0;

    for (uint32_t i = 0; i < n; i++) {
        load_level *of = &levels[i];

        of->is_in_panic =
            of->n_known > 0 &&
            (uint64_t)of->n_healthy * 100 < (uint64_t)threshold * of->n_known;
        n_in_panic += of->is_in_panic;
        is_total &= of->is_in_panic || of->n_known == 0;
    }
    return is_total && n_in_panic > 0;
}

/* Nothing is healthy: whatever is connected takes its part. */
static void share_out_in_panic(load_level *levels, uint32_t n)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < n; i++) {
        total += levels[i].n_connected;
    }
    if (total > 0) {
        divide(levels, n, total, connected_of);
    }
}

uint32_t muster__load_share_out(load_level *levels, uint32_t n,
                                uint32_t overprovisioning_factor,
                                uint32_t panic_threshold)
{
    uint32_t total = total_health(levels, n, overprovisioning_factor);

    for (uint32_t i = 0; i < n; i++) {
        levels[i].load = 0;
        levels[i].is_in_panic = false;
    }
    if (n == 0) {
        return 0;
    }
    if (total > 0) {
        divide(levels, n, total, health_of);
    } else {
        levels[0].load = 100;
    }
    if (total < 100 && mark_panic(levels, n, panic_threshold)) {
        share_out_in_panic(levels, n);
    }
    return total;
}
