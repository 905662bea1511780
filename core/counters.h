/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies of a channel count: numbers by name and labels. Thread:
 * control. */
#ifndef MUSTER_CORE_COUNTERS_H
#define MUSTER_CORE_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <muster/endpoint.h>

struct json_t;

/* All zero: none. */
typedef struct muster__counters {
    struct json_t *list; /* an array of {name, labels, value}, or NULL */
} muster__counters;

/* See muster_balancer_host.count. */
void muster__counters_add(muster__counters *counters, const char *name,
                          const muster_attribute *labels, size_t n_labels,
                          uint64_t delta);

/* Writes them as JSON. False: memory is short. */
bool muster__counters_dump(const muster__counters *counters, FILE *out);

void muster__counters_fini(muster__counters *counters);

#endif
