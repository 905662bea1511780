/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_SERVICE_CONFIG_H
#define MUSTER_SERVICE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include <muster/channel.h>
#include <muster/export.h>
#include <muster/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* gRPC's service config: JSON by which a service tells its clients how to
 * balance and what calls of its methods are like. The schema is gRPC's (gRFC
 * A2, A6, A17, A21; proto3 JSON); muster's own settings are the object under
 * the key "muster". Unknown fields are ignored. A config is taken as a whole or
 * not at all. Of loadBalancingConfig the first policy that is known counts.
 *
 * A hedgingPolicy may have an object under "muster", too:
 *
 *   "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "1s",
 *                     "nonFatalStatusCodes": ["UNAVAILABLE"],
 *                     "muster": {"hedgingDelay": "p95"}}
 *
 * Then the delay is that percentile ("p50" to "p99.99") of how long the first
 * attempts of calls of the same method took on the channel, in the last 10 to
 * 20 seconds, or 100 calls where those are fewer. Until 100 are known it is
 * hedgingDelay, and without one nothing is hedged. No more of them are made
 * than the percentile leaves over, and a fifth: with "p95", 6 % of the calls.
 */

/* ---- Checking ---- */

typedef struct muster_config_problem {
    uint32_t struct_size;
    int line; /* from 1; of the nearest value there is */
    int column;
    const char *path; /* "methodConfig[0].timeout"; "": the whole of it */
    const char *text; /* "must be a duration like \"1.5s\"" */
} muster_config_problem;

/* Thread: that of muster_service_config_check(), inside it. All is borrowed for
 * the call. */
typedef void (*muster_config_problem_fn)(void *arg,
                                         const muster_config_problem *problem);

/* Checks length bytes of JSON as a channel would, the policy's own
 * configuration included (plugins are loaded for that), and calls fn (may be
 * NULL) for each problem, 16 at most. MUSTER_OK; MUSTER_INVAL, and err (may be
 * NULL) has the problems in one text; MUSTER_NOMEM, MUSTER_FORKED; what else
 * keeps the policy's plugin from being loaded. Thread: any but control. */
MUSTER_API muster_status muster_service_config_check(
    const char *json, size_t length, muster_config_problem_fn fn, void *arg,
    muster_error *err);

/* ---- muster's own settings ---- */

/* The object under "muster", for instance
 *
 *   "muster": {"idleTimeout": "1800s", "maxConnecting": 8,
 *              "keepaliveTime": "30s", "compression": "gzip"}
 *
 * It has the fields below as keys, spelt as gRPC spells its own. Those in _ms
 * are durations and leave that off: "initialBackoff": "0.5s".
 * keepalivePermitWithoutCalls is true or false, compression "none", "deflate"
 * or "gzip". What is 0 or "" is as good as absent. An unknown key is an error,
 * for nobody but muster has any here; only of a resolver it is ignored, since
 * programs with other versions of muster may share that.
 *
 * Fields of muster_channel_options and muster_grpc_options win, then what the
 * application's config says, then the resolver's. Of the latter the first group
 * counts, from then on: for backoffs and connections that begin, and the idle
 * timeout at once. The others are checked and change nothing, for they belong
 * to connections, and no list is to replace those that work. */
typedef struct muster_settings {
    uint32_t struct_size;
    uint32_t max_connecting;
    uint32_t backoff_jitter_percent; /* to 100 */
    uint32_t reserved;
    uint64_t initial_backoff_ms;
    uint64_t max_backoff_ms;
    uint64_t connect_timeout_ms;
    uint64_t idle_timeout_ms;

    uint32_t connections_per_endpoint; /* to 64 */
    uint32_t reserved_1;

    /* Of connections by gRPC. */
    uint64_t keepalive_time_ms;
    uint64_t keepalive_timeout_ms;
    uint32_t keepalive_permit_without_calls;
    uint32_t max_pings_without_data;
    uint64_t max_send_message_bytes;
    uint64_t max_receive_message_bytes;
    char *user_agent_prefix; /* for free(3); NULL: none */
    char *user_agent_suffix; /* for free(3); NULL: none */
    uint32_t compression;    /* C core's number of it */
    uint32_t reserved_2;
} muster_settings;

/* Fills *ret_settings up to its struct_size, which the caller sets, from length
 * bytes of JSON, a service config of which nothing else is looked at. On
 * failure it is untouched: MUSTER_INVAL, and err (may be NULL) has the
 * problems; MUSTER_NOMEM, MUSTER_FORKED. Thread: any. */
MUSTER_API muster_status muster_service_config_get_settings(
    const char *json, size_t length, muster_settings *ret_settings,
    muster_error *err);

/* ---- Methods ---- */

enum {
    MUSTER_METHOD_SAYS_WAIT_FOR_READY = 1 << 0, /* the next one counts */
    MUSTER_METHOD_WAIT_FOR_READY = 1 << 1,
    MUSTER_METHOD_RETRIES = 1 << 2, /* it has a retryPolicy */
    MUSTER_METHOD_HEDGES = 1 << 3   /* it has a hedgingPolicy; never both */
};

typedef struct muster_method_config {
    uint32_t struct_size;
    uint32_t flags;              /* MUSTER_METHOD_... */
    uint64_t timeout_ns;         /* MUSTER_FOREVER: none */
    uint64_t max_request_bytes;  /* UINT64_MAX: no limit */
    uint64_t max_response_bytes; /* UINT64_MAX: no limit */

    /* gRFC A6. All 0 without one of its policies. */
    uint32_t max_attempts; /* 2 to 5, the first one included */
    uint32_t status_codes; /* retryable, or not fatal: bit n is code n */
    uint64_t initial_backoff_ns;
    uint64_t max_backoff_ns;
    double backoff_multiplier;
    uint64_t attempt_timeout_ns; /* perAttemptRecvTimeout; 0: none */
    uint64_t hedging_delay_ns;   /* 0: all at once, or see the next */
    double hedging_percentile;   /* of the method's latency, once that is known,
                                    in place of it; 0: none */
} muster_method_config;

/* What the channel's service config says of a method ("/pkg.Service/Method"):
 * itself, else its service, else all. Picks and muster_call heed it; this is
 * for those who make calls in other ways. Fills *ret_config up to its
 * struct_size, which the caller sets, and answers 1; answers 0, with it
 * untouched, when nothing is said, or the resolver has not answered yet.
 * Thread: any; wait-free. */
MUSTER_API int
muster_channel_get_method_config(muster_channel *channel, const char *method,
                                 muster_method_config *ret_config);

/* ---- Retrying ---- */

/* What becomes of the attempts of calls. */
typedef enum muster_retry_event {
    /* An attempt ended with OK. */
    MUSTER_RETRY_SUCCEEDED = 0,
    /* With a status that may be retried, or with grpc-retry-pushback-ms that
     * says not to. */
    MUSTER_RETRY_FAILED = 1,
    /* Another one is made. */
    MUSTER_RETRY_MADE = 2,
    /* None is made after one that failed: because of throttling, because the
     * server said so, because there were max_attempts. */
    MUSTER_RETRY_THROTTLED = 3,
    MUSTER_RETRY_REFUSED = 4,
    MUSTER_RETRY_EXHAUSTED = 5,
    /* Of hedges. One is due, which counts nothing: the answer is whether it may
     * be made. One is made beside others. */
    MUSTER_RETRY_HEDGE_DUE = 6,
    MUSTER_RETRY_HEDGED = 7,
    MUSTER_RETRY_N_EVENTS = 8 /* how many there are in this version */
} muster_retry_event;

/* Counts an event for retryThrottling, whose tokens all channels of a target in
 * the process share, and for muster_channel_stats. 1 while calls may be
 * retried, 0 while that is throttled. muster_call does it; this is for those
 * who make calls in other ways. Thread: any; lock-free. */
MUSTER_API int muster_channel_retry_note(muster_channel *channel,
                                         muster_retry_event event);

#ifdef __cplusplus
}
#endif

#endif
