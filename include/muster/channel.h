/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_CHANNEL_H
#define MUSTER_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include <muster/call.h>
#include <muster/endpoint.h>
#include <muster/export.h>
#include <muster/status.h>
#include <muster/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A channel: a target's endpoints, connected and kept current, and a balancer
 * that chooses one for each call. */
typedef struct muster_channel muster_channel;

/* Which of an endpoint's connections a call gets. */
typedef enum muster_connection_choice {
    MUSTER_CONNECTION_ROUND_ROBIN = 0,
    MUSTER_CONNECTION_LEAST_LOADED = 1 /* with the fewest calls in flight */
} muster_connection_choice;

/* All zero but struct_size means the defaults. Times are in milliseconds. */
typedef struct muster_channel_options {
    uint32_t struct_size;
    uint32_t max_parked;     /* waiting calls; 0: 10 000 */
    uint32_t max_connecting; /* connects at a time; 0: 32 */
    uint32_t reserved;
    const muster_transport_class *transport; /* NULL: "none" */
    void *transport_arg;
    /* NULL: that of the service config; without one round_robin, or weighted_
     * when weights differ. One that is named here wins over service configs
     * (C core's grpc.lb_policy_name loses), since who names it means it. */
    const char *policy;
    /* Of the policy named above, or of the default one; NULL: "{}". */
    const char *policy_config_json;
    const char *authority; /* for TLS and :authority; NULL: the resolver's */
    uint64_t replace_timeout_ms;  /* 0: 10 000. How long an old list may serve
                                     while nothing of the new one is READY */
    uint64_t failover_timeout_ms; /* 0: 10 000 (gRFC A56) */
    uint64_t drain_deadline_ms;   /* 0: none; then calls on removed endpoints
                                     are cancelled */
    /* Reconnecting (gRPC's doc/connection-backoff.md). */
    uint64_t initial_backoff_ms; /* 0: 1 000 */
    uint64_t max_backoff_ms;     /* 0: 120 000 */
    uint64_t connect_timeout_ms; /* 0: 20 000. Of each address by itself */
    /* Asking the resolver again after it failed. */
    uint64_t resolver_initial_backoff_ms; /* 0: 1 000 */
    uint64_t resolver_max_backoff_ms;     /* 0: 30 000 */
    /* How long an address of an endpoint has before the next one is tried, too
     * (RFC 8305). 0: 250; less than 100 or more than 2 000 reads as that (gRFC
     * A61). */
    uint64_t connection_attempt_delay_ms;
    /* gRPC service config (JSON; service_config.h), for as long as the resolver
     * has none; NULL: none. One that is invalid is an error. Of the resolver's
     * the last valid one stays in force; while there has been none, an invalid
     * one puts the channel into TRANSIENT_FAILURE. */
    const char *service_config;
    /* How far each backoff strays from its nominal length, either way: 1 to 100
     * percent. 0: 20; more than 100 reads as that. */
    uint32_t backoff_jitter_percent;
    uint32_t reserved_1;
    /* 0: 1; at most 64. An endpoint is READY while one of its connections is;
     * policies, states and counts of endpoints know of no more than one.
     * max_connecting is of connections, and the first of every endpoint comes
     * before the second of any. The health of each is watched, for each may
     * reach another server process: one that does not serve gets no calls, and
     * the endpoint has failed when none does. Without a transport: 1. */
    uint32_t connections_per_endpoint;
    muster_connection_choice connection_choice;
    /* After so long without a pick and a call in flight, or half as long again
     * at most, the channel becomes IDLE: its resolver is stopped, its balancer
     * and connections are given up. The next pick, or muster_channel_connect(),
     * begins anew; that pick waits, or is told MUSTER_QUEUED, as before the
     * first list. 0: never, where gRPC has 30 minutes: a list that is kept
     * current, and connections that are there when the rare call comes, are
     * what a channel is for. It is for programs with many channels of which few
     * are in use. */
    uint64_t idle_timeout_ms;
} muster_channel_options;

/* A call in flight: pins one connection, never a whole list. Made by a pick,
 * ended by muster_lease_finish(), on any thread. Copying it moves it: one of
 * the copies is finished. All zero is no lease. */
typedef struct muster_lease {
    void *slot_;
    uint64_t data_;
} muster_lease;

/* Makes a channel for target (core/TARGETS.md has the grammar) and begins to
 * resolve and connect. Thread: any. options may be NULL and is copied, but for
 * transport_arg. *ret_channel is the caller's, until muster_channel_destroy().
 * MUSTER_INVAL, MUSTER_NOTFOUND (scheme or policy), MUSTER_ABI or
 * MUSTER_PERMISSION (their plugin), what that one's create() answers,
 * MUSTER_NOMEM, MUSTER_FORKED; MUSTER_UNAVAILABLE when the control thread
 * cannot be started; MUSTER_TIMEOUT when a plugin has held it for 5 s: there is
 * no channel then. err (may be NULL) says why. */
MUSTER_API muster_status
muster_channel_create(const char *target, const muster_channel_options *options,
                      muster_channel **ret_channel, muster_error *err);

/* Closes: picks fail with MUSTER_CLOSED, parked ones too; the resolver stops;
 * connections close when their last lease is finished. Waits until no callback
 * of this channel is running or will run; on the control thread it returns at
 * once and completes later. Calling it again is allowed. MUSTER_TIMEOUT when a
 * plugin or the control thread hangs for 5 s: the plugin's instance is then
 * leaked. Thread: any. */
MUSTER_API muster_status muster_channel_close(muster_channel *channel);

/* Closes, and gives up the caller's hold. Leases may outlive it. No other
 * thread is in a function of the channel: muster_channel_close() first wakes
 * those that wait. NULL is ignored. Thread: any. */
MUSTER_API void muster_channel_destroy(muster_channel *channel);

/* The channel's state now (rule: any READY; else CONNECTING; else
 * TRANSIENT_FAILURE; IDLE by idle_timeout_ms alone). Thread: any. */
MUSTER_API muster_connectivity
muster_channel_state(const muster_channel *channel);

/* Asks the resolver to look again; rate-limited. Thread: any. */
MUSTER_API void muster_channel_refresh(muster_channel *channel);

/* Picks without waiting. call may be NULL. Thread: any; wait-free; not in a
 * signal handler. MUSTER_OK: *ret_lease is the caller's to finish.
 * MUSTER_QUEUED: nothing is ready yet. MUSTER_UNAVAILABLE: fail-fast, and the
 * channel is in TRANSIENT_FAILURE or the policy said so. MUSTER_CLOSED,
 * MUSTER_FORKED. err (may be NULL) gets the reason. */
MUSTER_API muster_status muster_channel_pick(muster_channel *channel,
                                             const muster_call_info *call,
                                             muster_lease *ret_lease,
                                             muster_error *err);

/* Picks, waiting while nothing is ready: to call->deadline_ns, or to the
 * timeout that the service config gives its method, first come first served.
 * Thread: any but control (MUSTER_WOULD_DEADLOCK). As muster_channel_pick(),
 * but MUSTER_TIMEOUT and MUSTER_EXHAUSTED (max_parked) instead of
 * MUSTER_QUEUED. */
MUSTER_API muster_status muster_channel_pick_wait(muster_channel *channel,
                                                  const muster_call_info *call,
                                                  muster_lease *ret_lease,
                                                  muster_error *err);

/* status is what muster_channel_pick_wait() would answer. On MUSTER_OK lease is
 * the callee's: copy it, and finish the copy. err is borrowed. Thread: control.
 */
typedef void (*muster_pick_fn)(void *arg, muster_status status,
                               muster_lease *lease, const muster_error *err);

/* Picks, and tells fn later: once, always later, also when the channel closes.
 * call and its strings are copied; its headers and tried ids must live until
 * then. *ret_pick (may be NULL) names the pick for cancelling. Thread: any.
 * MUSTER_NOMEM, MUSTER_FORKED, MUSTER_CLOSED, MUSTER_EXHAUSTED (max_parked): fn
 * is not called. */
MUSTER_API muster_status muster_channel_pick_async(muster_channel *channel,
                                                   const muster_call_info *call,
                                                   muster_pick_fn fn, void *arg,
                                                   uint64_t *ret_pick);

/* The same, but picks no earlier than not_before_ns (CLOCK_MONOTONIC), for a
 * call that is to be tried again then. Meanwhile it counts as parked, and
 * closing the channel ends it. Thread: any. Statuses as
 * muster_channel_pick_async(). */
MUSTER_API muster_status muster_channel_pick_after(muster_channel *channel,
                                                   const muster_call_info *call,
                                                   uint64_t not_before_ns,
                                                   muster_pick_fn fn, void *arg,
                                                   uint64_t *ret_pick);

/* Ends a pick that still waits: its fn gets MUSTER_CANCELLED. MUSTER_NOTFOUND
 * when it no longer waits. Thread: any. */
MUSTER_API muster_status muster_channel_pick_cancel(muster_channel *channel,
                                                    uint64_t pick);

/* The call has ended; *lease becomes all zero. outcome may be NULL (success).
 * A lease of all zero is ignored. Thread: any; wait-free. */
MUSTER_API void muster_lease_finish(muster_lease *lease,
                                    const muster_outcome *outcome);

/* The endpoint, as it was when its connection was made: with all its addresses,
 * whichever is connected. Borrowed until the lease is finished. Thread: any. */
MUSTER_API const muster_endpoint *
muster_lease_endpoint(const muster_lease *lease);

/* Its number among the channel's, for muster_call_info.tried. Thread: any. */
MUSTER_API uint64_t muster_lease_id(const muster_lease *lease);

/* The transport's connection (what its create() made). Borrowed until the lease
 * is finished. Thread: any. */
MUSTER_API void *muster_lease_connection(const muster_lease *lease);

/* Counters since creation, and numbers of now. list_generation, updates_...,
 * resolver_failures and late_reports are of the resolver, which channels and
 * watches of one target share: since the first of them, so that a channel may
 * begin with more than 0; and 0 while it has none, IDLE or closed. */
typedef struct muster_channel_stats {
    uint32_t struct_size;
    muster_connectivity state;
    uint64_t generation;      /* of the published picker */
    uint64_t list_generation; /* of the resolver's list */
    uint64_t endpoints;       /* in the list */
    uint64_t ready;           /* in the published picker */
    uint64_t parked;          /* waiting now, also to be retried */
    uint64_t picks_parked;    /* that had to wait */
    uint64_t picks_failed;    /* by TRANSIENT_FAILURE or the policy */
    uint64_t picks_timed_out;
    uint64_t picks_exhausted;  /* by max_parked */
    uint64_t picks_given_back; /* that found their connection gone */
    uint64_t in_flight;        /* leases not finished */
    uint64_t updates_accepted;
    uint64_t updates_refused;
    uint64_t updates_unchanged;
    uint64_t resolver_failures;
    uint64_t connections_created; /* each counts once for all its addresses */
    uint64_t connections_ready;
    uint64_t connections_failed;
    uint64_t connections_destroyed;
    uint64_t draining;     /* connections that wait for their last lease */
    uint64_t late_reports; /* by the resolver, after it stopped */
    /* Of calls that a retryPolicy is for; muster_retry_event has the words. */
    uint64_t retries;           /* attempts that followed another */
    uint64_t retries_throttled; /* not made, by retryThrottling */
    uint64_t retries_refused;   /* not made: the server does not want them */
    uint64_t retries_exhausted; /* not made: the attempts were used up */
    uint64_t hedges; /* attempts of a hedgingPolicy that were made beside
                        others, or after them */
} muster_channel_stats;

/* Fills *ret_stats up to its struct_size, which the caller sets. Thread: any;
 * on other threads than control it waits for the control thread, which answers
 * for a closed channel, too. MUSTER_NOMEM, MUSTER_FORKED; MUSTER_TIMEOUT when a
 * plugin has held the control thread for 5 s. */
MUSTER_API muster_status muster_channel_get_stats(
    muster_channel *channel, muster_channel_stats *ret_stats);

/* The channel as JSON: target, state, list age and staleness, and for each
 * endpoint state, connected address, weight, calls in flight, last reason,
 * backoff left. Schema in core/README.md. *ret_json is the caller's, to be
 * given to free(3). Thread and errors: as muster_channel_get_stats(). */
MUSTER_API muster_status muster_channel_dump_json(muster_channel *channel,
                                                  char **ret_json);

/* Ends muster in this process: stops the control thread and calls the plugins'
 * fini. Not needed before exit(). Thread: any but control. MUSTER_BUSY while a
 * channel or watch exists; MUSTER_WOULD_DEADLOCK. The next create starts it
 * again. */
MUSTER_API muster_status muster_shutdown(void);

#ifdef __cplusplus
}
#endif

#endif
