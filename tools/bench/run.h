/* SPDX-License-Identifier: Apache-2.0 */
/* A benchmark: connect, warm up, measure; ended early by SIGINT or SIGTERM. */
#ifndef MUSTER_TOOLS_BENCH_RUN_H
#define MUSTER_TOOLS_BENCH_RUN_H

#include "load.h"

typedef struct run_plan {
    load_plan warmup; /* n_calls 0: none */
    load_plan measured;
} run_plan;

typedef struct run_outcome {
    load_outcome load;
    bool was_ready; /* before the first call: some endpoint was connected */
    uint64_t ready_ns;
    uint64_t n_listed; /* endpoints, at the end */
    bool is_interrupted;
} run_outcome;

/* Shows its progress on stderr when that is a terminal. As load_run(). */
muster_status run_bench(const run_plan *plan, muster_channel *channel,
                        run_outcome *ret_outcome, muster_error *err);

#endif
