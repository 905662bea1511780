/* SPDX-License-Identifier: Apache-2.0 */
/* --retry and --hedge: a service config in two options. */
#ifndef MUSTER_TOOLS_CALL_REPEATING_H
#define MUSTER_TOOLS_CALL_REPEATING_H

/* N attempts at most, one after the other: a retryPolicy for all methods. For
 * free(3). NULL: text is no number from 2 to 5, or out of memory. */
char *repeating_retry(const char *text);

/* A second attempt after that time ("20ms"), or that percentile of latency
 * ("p95"): a hedgingPolicy for all methods. For free(3). NULL: text is neither,
 * or out of memory. */
char *repeating_hedge(const char *text);

#endif
