/* SPDX-License-Identifier: Apache-2.0 */
/* Whether, and when, a call is tried again: gRFC A6. Knows neither gRPC nor
 * clocks: who asks says how the attempt ended, and gets a delay. The caller's
 * memory; one thread at a time. */
#ifndef MUSTER_CORE_GRPC_RETRY_H
#define MUSTER_CORE_GRPC_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "pushback.h"

/* More attempts than max_attempts can allow: gRFC A6. */
enum { MUSTER__RETRY_MAX_TRIED = 5 };

/* All zero: nothing is tried again. */
typedef struct muster__retry_rules {
    uint32_t max_attempts; /* the first one included */
    uint32_t status_codes; /* retryable: bit n is status code n */
    uint64_t initial_backoff_ns;
    uint64_t max_backoff_ns;
    double backoff_multiplier;
} muster__retry_rules;

/* Of one call. All zero but rules to begin with. */
typedef struct muster__retry {
    muster__retry_rules rules;
    double backoff_ns;   /* of the next retry, before jitter; 0: initial */
    uint32_t n_failed;   /* attempts that ended, and another was due */
    uint32_t n_unplaced; /* picks that did */
    uint32_t n_tried;
    uint64_t tried[MUSTER__RETRY_MAX_TRIED]; /* endpoints, the last one last */
} muster__retry;

/* How an attempt ended. */
typedef struct muster__retry_end {
    int status;        /* 0: OK */
    bool is_committed; /* something the application may see has come */
    bool is_too_large; /* the request was not worth keeping */
    muster__pushback pushback;
} muster__retry_end;

/* What it is to retryThrottling. */
typedef enum muster__retry_class {
    MUSTER__RETRY_NEUTRAL = 0,
    MUSTER__RETRY_SUCCESS,
    MUSTER__RETRY_FAILURE
} muster__retry_class;

muster__retry_class muster__retry_classify(const muster__retry *retry,
                                           const muster__retry_end *end);

typedef enum muster__retry_verdict {
    MUSTER__RETRY_OVER = 0, /* it succeeded, or is not to be retried */
    MUSTER__RETRY_AGAIN,    /* after *ret_delay_ns */
    /* It would be, but: */
    MUSTER__RETRY_COMMITTED,
    MUSTER__RETRY_TOO_LARGE,
    MUSTER__RETRY_EXHAUSTED,
    MUSTER__RETRY_REFUSED, /* by the server */
    MUSTER__RETRY_THROTTLED
} muster__retry_verdict;

/* An attempt on the endpoint has ended. is_allowed: by throttling, after this
 * end was counted. random: 64 bits. */
muster__retry_verdict muster__retry_judge(muster__retry *retry,
                                          const muster__retry_end *end,
                                          uint64_t endpoint, bool is_allowed,
                                          uint64_t random,
                                          uint64_t *ret_delay_ns);

/* The call is, or was, on the endpoint. */
void muster__retry_note_tried(muster__retry *retry, uint64_t endpoint);

/* No endpoint was there for an attempt, which failed with that status: none was
 * made, but another is as after one that was. Such attempts are limited, and
 * nothing but their number counts them. */
muster__retry_verdict muster__retry_judge_pick(muster__retry *retry, int status,
                                               uint64_t random,
                                               uint64_t *ret_delay_ns);

#endif
