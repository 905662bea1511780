/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the calls of a simulation. */
#ifndef MUSTER_TOOLS_MEASURE_H
#define MUSTER_TOOLS_MEASURE_H

#include <stdbool.h>

#include "fleet.h"

#define MEASURE_WINDOWS 120 /* of equal length */
#define MEASURE_CURVE 81    /* points of the curve of latencies */

/* Latencies are those of calls that were answered well. */
typedef struct measure_window {
    uint32_t n_calls;
    uint32_t n_lost;
    double p50_ms;
    double p99_ms;
} measure_window;

typedef struct measure {
    uint64_t n_calls;
    uint64_t n_lost; /* failed, late, or never answered */
    double mean_ms;
    double p50_ms;
    double p90_ms;
    double p99_ms;
    double p999_ms;
    double max_ms;
    uint64_t *placed; /* calls on each server */
    size_t n_servers;
    measure_window windows[MEASURE_WINDOWS];
    double curve_ms[MEASURE_CURVE]; /* see measure_curve_share() */
} measure;

/* The share of calls that are below point i of the curve: 1 - 10^(-i/16), so 0,
 * 90 % at 16, 99 % at 32 ... */
double measure_curve_share(unsigned i);

/* False: out of memory. */
bool measure_calls(measure *self, const fleet_calls *calls,
                   const scenario *plan);
void measure_release(measure *self);

#endif
