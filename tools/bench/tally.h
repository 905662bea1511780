/* SPDX-License-Identifier: Apache-2.0 */
/* What became of calls: by status, and by the endpoint that answered. */
#ifndef MUSTER_TOOLS_BENCH_TALLY_H
#define MUSTER_TOOLS_BENCH_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <muster/grpc.h>

#include <status_code_name.h>

#include "latency.h"

/* Latencies, here and below, are those of the calls that ended OK. */
typedef struct tally_endpoint {
    char *address; /* NULL: of calls that reached none */
    uint64_t n_calls;
    uint64_t n_errors;
    latency latency;
} tally_endpoint;

typedef struct tally_status {
    uint64_t n_calls;
    char *example; /* the first message, without the target; NULL: none */
} tally_status;

typedef struct tally {
    uint64_t n_calls;
    uint64_t n_ok;
    uint64_t n_attempts;
    latency latency;
    tally_status statuses[MUSTER__N_STATUS_CODES];
    tally_endpoint **endpoints;
    size_t n_endpoints;
    json_t *places; /* of an address: its index in endpoints */
    bool is_out_of_memory;
} tally;

void tally_init(tally *self);
void tally_release(tally *self);

/* Counts a call to target that took duration_ns; peer may be NULL. */
void tally_add(tally *self, const char *target, const char *peer,
               const muster_call_result *result, uint64_t duration_ns);

void tally_merge(tally *self, const tally *other);

/* By address, those of calls that reached none at the end. */
void tally_sort(tally *self);

#endif
