/* SPDX-License-Identifier: Apache-2.0 */
/* What a process said of its channels at one moment, and what follows from two
 * such moments: rates. */
#ifndef MUSTER_TOOLS_TOP_SNAPSHOT_H
#define MUSTER_TOOLS_TOP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <muster/status.h>

/* No rate: new, or counted from the start again. */
#define TOP_NO_RATE (-1.0)

typedef struct top_endpoint {
    int64_t id;
    char *address;
    char *state;  /* gRPC's, but EJECTED or DRAINING when it is that */
    char *reason; /* why it is not READY; NULL */
    int64_t weight;
    int64_t in_flight;
    int64_t calls;
    int64_t backoff_left_ms;
    double rate;  /* calls a second; TOP_NO_RATE */
    double share; /* of its target's rate, 0 to 1; TOP_NO_RATE */
} top_endpoint;

typedef struct top_target {
    int64_t id;
    char *name;
    char *state;
    char *policy;  /* NULL before the first list */
    char *failure; /* of the source; NULL */
    bool has_list;
    bool is_stale;
    bool is_held;
    int64_t age_ms;
    top_endpoint *endpoints;
    size_t n_endpoints;
    size_t n_listed; /* all but those that drain */
    size_t n_ready;
    int64_t in_flight;
    double rate; /* of those endpoints that have one; TOP_NO_RATE: none has */
} top_target;

typedef struct top_snapshot {
    int64_t pid;
    char *program;
    char *version; /* of muster */
    int64_t time_ms;
    top_target *targets;
    size_t n_targets;
    size_t n_endpoints;
    size_t n_listed; /* all but those that drain */
    size_t n_ready;
    int64_t in_flight;
    double rate; /* of all targets; TOP_NO_RATE: none has one */
} top_snapshot;

/* answer is what the admin socket answers to "channels": see README.md. *ret is
 * the caller's. MUSTER_PROTOCOL: it is not that, and err says how;
 * MUSTER_UNAVAILABLE: it is an error of the process, which err repeats. */
muster_status top_snapshot_parse(const json_t *answer, top_snapshot **ret,
                                 muster_error *err);

/* Fills in the rates, from the same process's snapshot before (NULL: none). */
void top_snapshot_compare(top_snapshot *self, const top_snapshot *before);

void top_snapshot_destroy(top_snapshot *self); /* NULL is ignored */

typedef enum top_order {
    TOP_BY_CALLS,
    TOP_BY_IN_FLIGHT,
    TOP_BY_STATE, /* the worst first */
    TOP_BY_ADDRESS
} top_order;

/* "calls", "inflight", "state", "address". */
const char *top_order_name(top_order order);
bool top_order_parse(const char *text, top_order *ret_order);

/* Endpoints within their targets; equal ones by address. */
void top_snapshot_sort(top_snapshot *self, top_order order);

#endif
