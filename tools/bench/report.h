/* SPDX-License-Identifier: Apache-2.0 */
/* What a benchmark found, as JSON and as text. */
#ifndef MUSTER_TOOLS_BENCH_REPORT_H
#define MUSTER_TOOLS_BENCH_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "../output.h"
#include "run.h"
#include "threshold.h"

/* A new object; NULL when out of memory. README.md describes it. */
json_t *report_model(const run_plan *plan, const run_outcome *outcome,
                     const thresholds *limits);

/* For people, from that object. False: out of memory. */
bool report_write(FILE *out, output *format, const json_t *model);

#endif
