/* SPDX-License-Identifier: Apache-2.0 */
/* Delays and failures of echo calls, by flag and by what a request asks for in
 * its metadata. Where Envoy has a name for it, that is it:
 *
 *   x-envoy-fault-delay-request: N       answer after N ms, not after the time
 *                                        of the flags (x-delay-ms is short)
 *   x-envoy-fault-delay-request-percentage: P   so, for P % of such calls
 *   x-envoy-fault-abort-grpc-request: N  end with status N (x-status is short)
 *   x-envoy-fault-abort-request-percentage: P   so, for P % of such calls
 *   x-fail-attempts: N                   fail, UNAVAILABLE or as said above,
 *                                        when fewer than N attempts came before
 *                                        (grpc-previous-rpc-attempts), and do
 *                                        not when as many did
 *   x-fail-after-headers: any            send headers before failing, where
 *                                        else trailers are all there is
 *   x-echo-message: TEXT                 the text of that status
 *   x-echo-abort: reset                  reset the connection, with all of its
 *                                        calls; TCP over IPv4 only, elsewhere
 *                                        the call ends UNAVAILABLE
 *   x-echo-trailer-NAME: VALUE           trailing metadata NAME, for instance
 *                                        grpc-retry-pushback-ms
 *   x-echo: TEXT                         comes back in initial and in trailing
 *                                        metadata
 *
 * A call fails after its delay. A stream that is to fail does so at its end,
 * which is when its client has finished sending, unless it asks for something
 * else:
 *
 *   x-echo-copies: N      each message comes back N times
 *   x-echo-collect: any   nothing comes back before the client has finished,
 *                         and then all messages in one
 *   x-echo-end-after: N   the stream ends when N messages have come, and have
 *                         been sent back; 0: at once. Not so for a call that
 *                         x-fail-attempts does not let fail any more
 */
#ifndef MUSTER_TESTS_ECHO_FAULTS_H
#define MUSTER_TESTS_ECHO_FAULTS_H

#include <stdbool.h>

#include <grpc/support/time.h>

#include "session.h"

/* From now on that share of the calls fails, 0 to 1, whatever --error-rate
 * says. Thread: any. */
void faults_set_error_rate(double rate);

/* Sets how the call is to end. Returns the delay in ms. */
long faults_read(session *self);

/* What --delay-ms said is void from now on. Thread: any. */
void faults_set_delay(long delay_ms);

/* Keeps a call for so long; faults_resume() gives it to resume. */
void faults_delay(session *self, long delay_ms);
gpr_timespec faults_next_due(void);
void faults_resume(session_fn resume);

/* Cuts the call's connection. False: it is of a kind that this cannot be done
 * to. */
bool faults_reset(const session *self);

#endif
