/* SPDX-License-Identifier: Apache-2.0 */
/* What the command "counts" tells:
 *
 *   calls         of echo.Echo, begun
 *   failed        of these, asked to fail by a flag or by the request
 *   retries       of the calls, those with grpc-previous-rpc-attempts
 *   cancelled     of the calls, ended by the client or its deadline
 *   health-calls  Check and Watch, begun
 *   watches       Watch, open now
 *   accepted      connections in all, from when TCP has them
 *   connections   those that are up now, TLS included; one that is lost counts
 *                 until its delayed calls have ended
 *
 * Pings are C core's secret: h2_relay.h counts them on their way. */
#ifndef MUSTER_TESTS_ECHO_COUNTS_H
#define MUSTER_TESTS_ECHO_COUNTS_H

#include <stddef.h>

typedef enum count {
    COUNT_CALLS,
    COUNT_FAILED,
    COUNT_RETRIES,
    COUNT_CANCELLED,
    COUNT_HEALTH_CALLS,
    COUNT_WATCHES,
    COUNT_ACCEPTED,
    N_COUNTS
} count;

/* Thread: any. */
void counts_add(count which);
void counts_subtract(count which);

/* "calls=1 failed=0 ...". Thread: any. */
void counts_print(char *text, size_t size);

#endif
