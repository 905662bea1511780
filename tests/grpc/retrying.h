/* SPDX-License-Identifier: Apache-2.0 */
/* Channels whose calls are retried, and what became of them. Each function
 * fails the test when it cannot do what it says. */
#ifndef MUSTER_TESTS_RETRYING_H
#define MUSTER_TESTS_RETRYING_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "calling.h"

/* A retryPolicy of four attempts for all methods, in which ' stands for ". */
#define RETRYING(initial, others)                                              \
    "{'methodConfig': [{'name': [{}], 'retryPolicy': {'maxAttempts': 4, "      \
    "'initialBackoff': '" initial "', 'maxBackoff': '100s', "                  \
    "'backoffMultiplier': 2, 'retryableStatusCodes': "                         \
    "['UNAVAILABLE']}}]" others "}"

#define QUICK RETRYING("0.001s", "")
#define SLOW RETRYING("1000s", "")

/* To n servers, under that config. grpc_options may be NULL. */
muster_channel *open_retrying(const backend *servers, size_t n,
                              const char *config,
                              const muster_grpc_options *grpc_options);

/* A call that sends these headers, "name", "value", ..., NULL. */
muster_call *make_call_with(muster_channel *channel, uint64_t deadline_ns,
                            const char *const *headers);

/* The same, without a deadline, and it waits for an endpoint. */
muster_call *make_call_waiting(muster_channel *channel,
                               const char *const *headers);

muster_channel_stats stats_of(muster_channel *channel);

/* Polls for a millisecond, in which no event comes. */
void hear_nothing(muster_call_queue *queue);

/* Waits until so many picks are parked. */
void await_parked(muster_channel *channel, uint64_t n);

#endif
