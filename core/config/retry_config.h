/* SPDX-License-Identifier: Apache-2.0 */
/* Retrying and hedging as a service config has them: gRFC A6. Thread: any one;
 * false: a problem was added, and the output is untouched. */
#ifndef MUSTER_CORE_CONFIG_RETRY_CONFIG_H
#define MUSTER_CORE_CONFIG_RETRY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "problems.h"

/* gRFC A6: more count as these. */
enum { MUSTER__MAX_ATTEMPTS = 5 };

typedef struct muster__retry_policy {
    uint32_t max_attempts; /* 2 to 5, the first one included */
    uint32_t codes;        /* retryable: bit n is status code n */
    uint64_t initial_backoff_ns;
    uint64_t max_backoff_ns;
    uint64_t per_attempt_timeout_ns; /* perAttemptRecvTimeout; 0: none */
    double backoff_multiplier;
} muster__retry_policy;

typedef struct muster__hedging_policy {
    uint32_t max_attempts; /* 2 to 5 */
    uint32_t codes;        /* not fatal: bit n is status code n */
    uint64_t delay_ns;     /* 0: all at once */
    double percentile;     /* of latency, in place of it; 0: none */
} muster__hedging_policy;

typedef struct muster__retry_throttling {
    uint32_t max_milli_tokens;  /* 1 000 to 1 000 000 */
    uint32_t milli_token_ratio; /* over 0 */
} muster__retry_throttling;

bool muster__config_retry(muster__problems *problems, const json_t *value,
                          muster__retry_policy *ret_policy);
bool muster__config_hedging(muster__problems *problems, const json_t *value,
                            muster__hedging_policy *ret_policy);
bool muster__config_throttling(muster__problems *problems, const json_t *value,
                               muster__retry_throttling *ret_throttling);

#endif
