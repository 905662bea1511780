/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_SHUTDOWN_H
#define MUSTER_SHUTDOWN_H

#include <stdint.h>

#include <muster/channel.h>
#include <muster/export.h>
#include <muster/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Graceful shutdown: no new calls, and some time for those in flight. */

/* The caller sets struct_size. A call is a lease that is not finished. */
typedef struct muster_shutdown_numbers {
    uint32_t struct_size;
    uint32_t channels;
    uint64_t finished;      /* calls in flight at the beginning, that ended */
    uint64_t cancelled;     /* those that had not when the time was over */
    uint64_t parked_failed; /* picks that waited; they got MUSTER_CLOSED */
} muster_shutdown_numbers;

/* Closes the channel (see muster_channel_close()) and gives calls in flight
 * grace_ms to end (MUSTER_FOREVER: as long as they take); then the transport is
 * told to cancel the rest. A transport that cannot, and "none", leave them to
 * the program. Returns when the last call has ended, or when the rest were told
 * to, and no callback of the channel is running or will run. The channel is
 * still to be destroyed.
 *
 * May be called again, by several threads, and after muster_channel_close():
 * the earliest end of the grace period holds, and each gets the same numbers.
 * On the control thread, inside a callback, it returns MUSTER_OK at once, with
 * numbers all zero, and completes later.
 *
 * ret_numbers may be NULL. Thread: any. MUSTER_TIMEOUT when a plugin or the
 * control thread hangs for 5 s, as muster_channel_close(); MUSTER_FORKED. */
MUSTER_API muster_status
muster_channel_shutdown(muster_channel *channel, uint64_t grace_ms,
                        muster_shutdown_numbers *ret_numbers);

/* The same for all channels that the process has now, at the same time. The
 * numbers are sums over those whose shutdown was not complete when it was
 * called. Thread: any. MUSTER_NOMEM, and what muster_channel_shutdown() and
 * starting the control thread answer. */
MUSTER_API muster_status
muster_shutdown_all(uint64_t grace_ms, muster_shutdown_numbers *ret_numbers);

/* All channels have been shut down because of the signal. numbers is borrowed.
 * Thread: control; may call any function of muster that does not block. */
typedef void (*muster_shutdown_fn)(void *arg, int signal_number,
                                   const muster_shutdown_numbers *numbers);

/* On SIGTERM or SIGINT shuts all channels down, and tells fn when that is done:
 * the program ends itself. A second signal meanwhile ends the grace period. A
 * signal after fn was called begins anew. The handler only writes a byte to a
 * pipe. Handlers that the program had are put aside; a signal that it ignores
 * stays ignored. In a fork child the signal does what it did before.
 *
 * Once a process: MUSTER_BUSY when it is on. It counts as a user of muster for
 * muster_shutdown(). Thread: any; it waits for the control thread.
 * MUSTER_INVAL (no fn), MUSTER_NOMEM, MUSTER_UNAVAILABLE (no descriptors or
 * thread), MUSTER_FORKED; err (may be NULL) says why. */
MUSTER_API muster_status muster_shutdown_on_signals(uint64_t grace_ms,
                                                    muster_shutdown_fn fn,
                                                    void *arg,
                                                    muster_error *err);

/* Undoes that: the handlers that were there are back, unless the program has
 * set others since. fn is not running and will not run after it returns; called
 * inside fn it returns at once. A shutdown that was begun goes on. Nothing when
 * it is not on. Thread: any; it waits for the control thread. */
MUSTER_API void muster_shutdown_off_signals(void);

#ifdef __cplusplus
}
#endif

#endif
