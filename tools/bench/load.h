/* SPDX-License-Identifier: Apache-2.0 */
/* Makes calls, as many at a time or a second as a plan has it. */
#ifndef MUSTER_TOOLS_BENCH_LOAD_H
#define MUSTER_TOOLS_BENCH_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/muster.h>

#include "../call/request.h"
#include "tally.h"

#define LOAD_NO_LIMIT UINT64_MAX

typedef struct load_plan {
    const char *target;
    const char *method;     /* with a slash in front */
    const request *request; /* what is sent, and how long a call may take */
    uint64_t n_calls;       /* or LOAD_NO_LIMIT */
    uint64_t duration_ns;   /* calls begin within it; or LOAD_NO_LIMIT */
    /* Calls a second, each due at a moment that does not depend on how those
     * before it went, and timed from then. 0: a call begins when one ends. */
    double rate;
    unsigned n_at_once; /* no more calls are out */
    unsigned n_threads; /* that take calls' ends; at most n_at_once */
} load_plan;

/* Of calls while they are made, for others to look at. */
typedef struct load_progress {
    _Atomic uint64_t n_ended;
    _Atomic uint64_t n_errors;
    atomic_bool is_interrupted; /* to be set: no further call is begun, and what
                                   does not end OK does not count */
} load_progress;

typedef struct load_outcome {
    tally tally;
    uint64_t elapsed_ns;  /* from the first call's begin to the last's end */
    uint64_t n_unsent;    /* were due, but n_at_once were out until the end */
    uint64_t n_cancelled; /* by the interruption */
    uint64_t n_late;      /* begun over a millisecond after they were due */
    uint64_t longest_delay_ns;
} load_outcome;

/* Returns when the last call has ended. Who interrupts also shuts the channel
 * down, so that calls end. MUSTER_NOMEM and what muster_call_create() and
 * muster_call_queue_create() answer: err says why, and nothing was measured. On
 * success *ret_outcome's tally is to be released. */
muster_status load_run(const load_plan *plan, muster_channel *channel,
                       load_progress *progress, load_outcome *ret_outcome,
                       muster_error *err);

#endif
