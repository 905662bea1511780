/* SPDX-License-Identifier: Apache-2.0 */
/* Draws what a simulation measured: an SVG that a browser shows. */
#ifndef MUSTER_TOOLS_PLOT_H
#define MUSTER_TOOLS_PLOT_H

#include <stdbool.h>
#include <stdio.h>

#include "measure.h"

/* One line of the plot. */
typedef struct plot_series {
    const char *label;
    const measure *measure;
} plot_series;

/* Latencies over the time, and by their share; lost calls over the time when
 * there are any. False: writing failed. */
bool plot_write(FILE *out, const char *title, double duration_s,
                const plot_series *series, size_t n);

#endif
