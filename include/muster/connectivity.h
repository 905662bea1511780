/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_CONNECTIVITY_H
#define MUSTER_CONNECTIVITY_H

#include <stdint.h>

#include <muster/channel.h>
#include <muster/endpoint.h>
#include <muster/export.h>
#include <muster/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The states of a channel and of its subchannels (an endpoint of the channel
 * with its connection), as they change; waiting for one; and hurrying. */

typedef struct muster_state_watcher muster_state_watcher;

/* Whose state it is. Also flags. */
typedef enum muster_state_kind {
    MUSTER_STATE_CHANNEL = 1,
    MUSTER_STATE_SUBCHANNEL = 2
} muster_state_kind;

/* All of it is borrowed for the callback. */
typedef struct muster_state_event {
    uint32_t struct_size;
    muster_state_kind kind;
    uint64_t id;         /* of the subchannel, as muster_lease_id(); else 0 */
    const char *address; /* of the subchannel; else NULL */
    muster_connectivity previous; /* equal to state when it is first told of */
    muster_connectivity state;
    uint64_t time_ns;  /* of the change, on CLOCK_MONOTONIC */
    const char *cause; /* text, or NULL: it speaks for itself */
} muster_state_event;

/* Thread: control. May call any function of muster that does not block (those
 * that do answer MUSTER_WOULD_DEADLOCK), and muster_state_watcher_destroy() of
 * any watcher. What it changes is told after it has returned. */
typedef void (*muster_state_fn)(void *arg, const muster_state_event *event);

/* NULL, and all zero but struct_size, mean the defaults. */
typedef struct muster_state_watch_options {
    uint32_t struct_size;
    uint32_t flags; /* of muster_state_kind, what to tell of; 0: both */
} muster_state_watch_options;

/* Tells fn of every change of state, each once and in their order. First come
 * the states of now, each as a change from itself. So does a subchannel that is
 * new; one that is gone ends in MUSTER_SHUTDOWN. The last event of all,
 * whatever the flags, is the channel's MUSTER_SHUTDOWN: when it is closed or
 * destroyed, which the watcher may outlive. Watching needs no memory for each
 * event, so none is lost for want of it.
 *
 * Thread: any; on the control thread fn is called before it returns.
 * *ret_watcher, set before the first event, is the caller's. MUSTER_INVAL,
 * MUSTER_CLOSED, MUSTER_NOMEM, MUSTER_FORKED; MUSTER_TIMEOUT when a plugin has
 * the control thread stuck for 5 s. */
MUSTER_API muster_status muster_channel_watch_state(
    muster_channel *channel, const muster_state_watch_options *options,
    muster_state_fn fn, void *arg, muster_state_watcher **ret_watcher);

/* Ends it, before or after its channel. fn is not running and will not run
 * after it returns; called inside fn it returns at once and takes effect after
 * it. NULL is ignored. Thread: any. */
MUSTER_API void muster_state_watcher_destroy(muster_state_watcher *watcher);

/* Waits until the channel has that state, or has had it since the call began:
 * one that passes quickly is not missed. Who waits for READY wants the channel,
 * as a waiting call does: by idle_timeout_ms it does not become IDLE meanwhile,
 * and one that is IDLE connects. Watching, and waiting for anything else, is no
 * use of the channel. deadline_ns is on CLOCK_MONOTONIC; 0: none. Thread: any;
 * MUSTER_WOULD_DEADLOCK on the control thread, unless it is in that state now.
 * MUSTER_TIMEOUT; MUSTER_CLOSED, as soon as it cannot come any more;
 * MUSTER_INVAL, MUSTER_NOMEM, MUSTER_FORKED. */
MUSTER_API muster_status muster_channel_wait_for_state(
    muster_channel *channel, muster_connectivity state, uint64_t deadline_ns);

/* The same for any state but last_observed. muster_channel_state() says which;
 * it may have become last_observed again meanwhile. */
MUSTER_API muster_status muster_channel_wait_for_change(
    muster_channel *channel, muster_connectivity last_observed,
    uint64_t deadline_ns);

/* Connects now what is IDLE and wanted by the policy, as gRPC's "try to
 * connect" does, the channel itself included. Backoff goes on where it runs.
 * Thread: any. */
MUSTER_API void muster_channel_connect(muster_channel *channel);

/* For when the program knows better, say, that the network is back: every
 * subchannel in backoff connects at once, the resolver is asked at once when it
 * had failed, and the backoff of each starts anew. Channels that share the
 * resolver profit. Thread: any. */
MUSTER_API void muster_channel_reset_backoff(muster_channel *channel);

#ifdef __cplusplus
}
#endif

#endif
