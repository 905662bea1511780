/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's arithmetic of priority levels: in whole percent, what each level can
 * take, what it gets, and which are in panic.
 * https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/
 * load_balancing/priority and .../panic_threshold */
#ifndef MUSTER_BALANCERS_PRIORITY_LOAD_H
#define MUSTER_BALANCERS_PRIORITY_LOAD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct load_level {
    /* In. Endpoints: healthy ones, of those of which it is known, and connected
     * ones whatever their health. */
    uint32_t n_healthy;
    uint32_t n_known;
    uint32_t n_connected;
    bool is_assumed_healthy; /* nothing is known of it, and need not be */

    /* Out. */
    uint32_t health; /* 0 to 100 */
    uint32_t load;   /* 0 to 100 */
    bool is_in_panic;
} load_level;

/* 0 to 100: n_healthy of n_known, in percent, with that factor. */
uint32_t muster__load_health(uint32_t n_healthy, uint32_t n_known,
                             uint32_t overprovisioning_factor);

/* Fills in what is out; of n levels, best first. Loads make 100, but when there
 * is no level. Answers the normalized total health. panic_threshold is in
 * percent; 0: there is no panic. */
uint32_t muster__load_share_out(load_level *levels, uint32_t n,
                                uint32_t overprovisioning_factor,
                                uint32_t panic_threshold);

#endif
