/* SPDX-License-Identifier: Apache-2.0 */
/* "p99>5ms": what a run must not be. */
#ifndef MUSTER_TOOLS_BENCH_THRESHOLD_H
#define MUSTER_TOOLS_BENCH_THRESHOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "run.h"

enum { THRESHOLD_MAX = 32, THRESHOLD_MAX_TEXT = 64 };

typedef struct threshold_figure threshold_figure;

typedef struct threshold {
    char text[THRESHOLD_MAX_TEXT];
    const threshold_figure *figure;
    double share; /* of a percentile */
    char comparison[3];
    double limit;
    bool is_percent;
} threshold;

typedef struct thresholds {
    threshold of[THRESHOLD_MAX];
    size_t n;
} thresholds;

/* Adds those of text, which are separated by commas. False: err says which part
 * is wrong, and what is accepted. */
bool thresholds_add(thresholds *self, const char *text, muster_error *err);

/* Calls that ended OK, a second. */
double threshold_rate(const run_outcome *outcome);

/* The calls of the most called endpoint by those of the least called; NAN when
 * there are none, INFINITY when one that is listed got none. */
double threshold_fairness(const run_outcome *outcome);

/* Behind a value: " ms", " %" or "". */
const char *threshold_unit(const threshold *self);

/* Whether it is as text says, and so the run fails; also when there is nothing
 * to compare (*ret_value is NAN). Times are in milliseconds. */
bool threshold_is_hit(const threshold *self, const run_outcome *outcome,
                      double *ret_value);

#endif
