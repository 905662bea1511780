/* SPDX-License-Identifier: Apache-2.0 */
/* Whether another attempt of a hedged call is begun, and which one it ends
 * with: gRFC A6. Knows neither gRPC nor clocks. The caller's memory; one thread
 * at a time. */
#ifndef MUSTER_CORE_GRPC_HEDGING_H
#define MUSTER_CORE_GRPC_HEDGING_H

#include <stdbool.h>
#include <stdint.h>

#include "../retry/retry.h"

/* All zero but max_attempts of 1: nothing is hedged. */
typedef struct muster__hedging_rules {
    uint32_t max_attempts; /* the first one included */
    uint32_t status_codes; /* not fatal: bit n is status code n */
    uint64_t delay_ns;     /* 0: all at once */
    double percentile;     /* of latency, for the delay; 0: delay_ns */
} muster__hedging_rules;

/* Of one call. All zero but rules to begin with. */
typedef struct muster__hedging {
    muster__hedging_rules rules;
    uint32_t n_begun; /* attempts */
    uint32_t n_out;   /* of them, have not ended */
    bool is_stopped;  /* by the server */
} muster__hedging;

/* Another attempt is allowed by all but throttling. */
bool muster__hedging_may_begin(const muster__hedging *hedging);

/* One is begun, one has ended; that never left, so it counts as not begun. */
void muster__hedging_begin(muster__hedging *hedging);
void muster__hedging_end(muster__hedging *hedging);
void muster__hedging_take_back(muster__hedging *hedging);

/* What the end of an attempt is to retryThrottling. */
muster__retry_class muster__hedging_classify(const muster__hedging *hedging,
                                             const muster__retry_end *end);

typedef enum muster__hedging_verdict {
    MUSTER__HEDGING_DECIDED = 0, /* the call ends as this attempt did */
    MUSTER__HEDGING_WAITS,       /* others are out */
    MUSTER__HEDGING_NEXT,        /* another one is due, after *ret_delay_ns */
    /* Nothing is out and nothing will be: the call ends as this one did. */
    MUSTER__HEDGING_EXHAUSTED,
    MUSTER__HEDGING_REFUSED,  /* by the server */
    MUSTER__HEDGING_THROTTLED /* one would be due otherwise */
} muster__hedging_verdict;

/* An attempt has ended, and muster__hedging_end() was told. is_allowed: by
 * throttling, after this end was counted. */
muster__hedging_verdict muster__hedging_judge(muster__hedging *hedging,
                                              const muster__retry_end *end,
                                              bool is_allowed,
                                              uint64_t *ret_delay_ns);

#endif
