/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_GRPC_H
#define MUSTER_GRPC_H

#include <stddef.h>
#include <stdint.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <muster/channel.h>
#include <muster/export.h>
#include <muster/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* libmuster-grpc: channels whose connections are gRPC C core's, and calls on
 * them. It calls grpc_init() when first used, and never grpc_shutdown(): a
 * program's own pairs of the two are not disturbed. */

/* ---- Channels ---- */

/* TLS. All zero but struct_size: servers are checked against the default roots
 * of C core, and the client shows no certificate.
 *
 * A server's certificate is checked against the name that :authority has: the
 * host name of the endpoint, else the channel's option `authority`, else the
 * target's own name (dns: and consul: have one), else the endpoint's address,
 * which is "localhost" for a unix: path. TLS is 1.2 or 1.3: C core 1.51 lets
 * nobody choose. */
typedef struct muster_grpc_tls_options {
    uint32_t struct_size;
    uint32_t reserved;

    /* Authorities, PEM; at most one of the two. Neither: the default roots
     * (GRPC_DEFAULT_SSL_ROOTS_FILE_PATH, grpc_set_ssl_roots_override_callback()
     * or the system's), which the process parses once and never reads again.
     * Given ones are parsed for each connection: more than 16 KB of them are
     * warned of in the log. */
    const char *ca_file;
    const char *ca_pem;

    /* The client's certificate, with what leads to its authority, and its key
     * without a password, PEM. Both or neither; each as a file or as text. */
    const char *certificate_file;
    const char *certificate_pem;
    const char *key_file;
    const char *key_pem;

    /* 0: 10 000. How often the files are looked at; MUSTER_FOREVER: only when
     * the channel is created. When they have changed, new connections use what
     * is in them, and those there are are replaced by new ones, max_connecting
     * at a time, without a call lost. Files that cannot be read, are cut off or
     * are not of one pair are said so in the log, and change nothing. */
    uint64_t reload_interval_ms;

    /* Go with every call beside its own; NULL: none. A reference is taken:
     * release yours at any time. */
    grpc_call_credentials *call_credentials;
} muster_grpc_tls_options;

/* No service has that name: see muster_grpc_options.health_service. */
#define MUSTER_GRPC_HEALTH_OFF "-"

/* All zero but struct_size means insecure and C core's defaults. What is 0 or
 * NULL of the last four groups, the service config of muster_channel_options
 * may say (muster_settings in service_config.h).
 *
 * args are added to every connection. They win over the fields below and over
 * muster's own (grpc.default_authority, and
 * grpc.http2.max_pings_without_data=0, which is given with
 * grpc.keepalive_time_ms so that a frozen peer is noticed on an idle
 * connection), but for those muster's rules rest on, which are ignored:
 * grpc.use_local_subchannel_pool, grpc.enable_http_proxy,
 * grpc.client_idle_timeout_ms, grpc.enable_retries, grpc.service_config,
 * grpc.service_config_disable_resolution, grpc.lb_policy_name and
 * grpc.{initial,min,max}_reconnect_backoff_ms (muster_channel_options has
 * muster's). */
typedef struct muster_grpc_options {
    uint32_t struct_size;
    uint32_t reserved;
    /* NULL, and no tls: insecure. A reference is taken: release yours at any
     * time. What they hold is never reloaded. */
    grpc_channel_credentials *credentials;
    const grpc_channel_args *args;      /* copied; NULL: none */
    const muster_grpc_tls_options *tls; /* copied; NULL, or no credentials */
    /* Health: the service that grpc.health.v1.Health/Watch is asked for, on
     * every connection; "": the whole server. NULL: healthCheckConfig of the
     * service config decides, and without it none is asked for;
     * MUSTER_GRPC_HEALTH_OFF: none is, whatever that says. Copied. An endpoint
     * that does not serve gets no further calls, keeps its connection and the
     * calls on it, and comes back when it says so. A server without that method
     * counts as healthy. The Watch is a call: while it is open, the server does
     * not find the connection idle. */
    const char *health_service;

    /* Keepalive (gRFC A8). Times over 24 days read as never. A connection on
     * which nothing has come for keepalive_time_ms is pinged; when nothing
     * comes for keepalive_timeout_ms more it is lost, with its calls; up to a
     * second later when it was busy, because a ping by which C core measures
     * the bandwidth begins the time anew. C core pings at most once a second,
     * and not without a call unless permitted. A server that does not permit
     * it, or not as often, ends the connection with too_many_pings: the
     * endpoint's next ones have twice the keepalive time each, until one of
     * them fails to connect or certificates change. For that a connection
     * shares its C core channel with the one before it: when its endpoint is
     * removed, it closes no sooner than calls of both have ended. */
    uint64_t keepalive_time_ms;              /* 0: never */
    uint64_t keepalive_timeout_ms;           /* 0: 20 000 */
    uint32_t keepalive_permit_without_calls; /* 1: also without a call */
    uint32_t max_pings_without_data; /* pings between data; 0: no limit. C
                                        core's own default, 2, does not notice
                                        a peer that freezes later */

    /* Bytes of a message. 0: C core's defaults, no limit to send and 4 MB to
     * receive; over INT_MAX, like UINT64_MAX: no limit. */
    uint64_t max_send_message_bytes;
    uint64_t max_receive_message_bytes;

    /* The user-agent header is these around C core's own text; copied. */
    const char *user_agent_prefix; /* NULL: none */
    const char *user_agent_suffix; /* NULL: none */

    /* Of what calls send, where they do not say otherwise. C core answers
     * whatever a server chooses. */
    grpc_compression_algorithm compression;
    uint32_t reserved_1;

    /* A call whose request is longer is not retried. 0: 256 KiB, as in C core;
     * UINT64_MAX: no limit. */
    uint64_t retry_buffer_bytes;
} muster_grpc_options;

/* muster_channel_create() with gRPC C core as the transport: what options says
 * of transport and transport_arg is ignored. Both options may be NULL. Thread:
 * any; files are read on it. Statuses as muster_channel_create(); MUSTER_INVAL
 * also when TLS cannot use what it is given, or has no name to check. */
MUSTER_API muster_status muster_grpc_channel_create(
    const char *target, const muster_channel_options *options,
    const muster_grpc_options *grpc_options, muster_channel **ret_channel,
    muster_error *err);

/* The lease's connection as a C core channel, for everything C core offers that
 * muster_call does not: create calls on it, and finish the lease after the last
 * of them has ended. They must be fail-fast, and neither a drain deadline nor
 * the end of a grace period cancels them, nor do they heed the service config.
 * Who makes them waits for them in a completion queue: for some 50 ms from now
 * on muster's own thread leaves C core's descriptors to that. Borrowed until
 * the lease is finished: never to be destroyed. The lease must be of a channel
 * that muster_grpc_channel_create() made. NULL for a lease of all zero. Thread:
 * any. */
MUSTER_API grpc_channel *muster_lease_grpc_channel(const muster_lease *lease);

/* ---- Calls ---- */

/* One call: picked, placed, and, when it provably never left this process,
 * picked and placed again. Made, started once, read when it has ended, and
 * destroyed.
 *
 * Retries (gRFC A6). Where the service config gives the method a retryPolicy,
 * an attempt that fails with one of its statuses is followed by another: on
 * another endpoint while there is one that was not tried, else on another than
 * the last; after a backoff, or exactly as long after as grpc-retry-pushback-ms
 * says; with the header grpc-previous-rpc-attempts. It is the last when it
 * brought metadata or a message (headers without either are not told from
 * none), when the request is longer than retry_buffer_bytes, when maxAttempts
 * (5 at most) were made, when pushback is negative or no number, and while
 * retryThrottling has used up half of its tokens, which all channels to the
 * same target in the process share. A fail-fast call that finds the channel in
 * TRANSIENT_FAILURE picks again in the same way, without an attempt; what a
 * policy fails is not retried. The deadline is that of all of it. When the
 * channel closes between two attempts, the call ends as the last one did.
 *
 * Hedging (gRFC A6). Where it gives the method a hedgingPolicy, attempts are
 * made beside one another: the next one when hedgingDelay is over (or a
 * percentile of latency: service_config.h), at once when one fails with a
 * status of nonFatalStatusCodes, or when the pushback of that one says; each on
 * an endpoint that is ready then, one that was not tried while there is one.
 * The first that succeeds or fails otherwise ends the call, for an answer
 * counts when all of it is there; the others are cancelled. When all fail, the
 * call ends as the last one. Throttling, pushback, headers with content, long
 * requests and the deadline are as above. Delays end on threads that are in
 * muster_call_unary() or muster_call_queue_next(), to the millisecond.
 *
 * What C core does by itself, because a server has not seen a call, counts as
 * the same attempt. perAttemptRecvTimeout is not heeded. */
typedef struct muster_call muster_call;

/* All zero but struct_size is a fail-fast call with no deadline, unless the
 * channel's service config has more to say of the method: its timeout, counted
 * from the start, shortens the deadline; it may have the call wait for ready
 * (MUSTER_CALL_FAIL_FAST: not this one); and a message over its limits, or over
 * C core's own, ends the call RESOURCE_EXHAUSTED. */
typedef struct muster_call_options {
    uint32_t struct_size;
    uint32_t flags;       /* MUSTER_CALL_... */
    const char *hash_key; /* for hashing policies, or NULL; copied */
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
    /* Sent with the call. The array is copied, slices are referenced. Keys are
     * lower case. Policies that look at headers see these. */
    const grpc_metadata *metadata;
    size_t n_metadata;
    /* NULL: those of the channel. Borrowed until the call is destroyed. */
    grpc_call_credentials *credentials;
} muster_call_options;

/* How a call ended. Everything is borrowed from the call, until it is
 * destroyed. */
typedef struct muster_call_result {
    uint32_t struct_size;
    uint32_t flags; /* MUSTER_OUTCOME_... */
    grpc_status_code status;
    uint32_t n_attempts; /* times it was placed on a connection */
    /* The server's, as it came; otherwise "target: endpoint: cause", or, when
     * it is not the first, "target: endpoint: attempt 2: cause". */
    const char *message;
    grpc_byte_buffer *response; /* NULL when there is none */
    const grpc_metadata_array *initial_metadata;
    const grpc_metadata_array *trailing_metadata;
    uint64_t latency_ns; /* from start to end, waiting included */
} muster_call_result;

/* Makes a call of method ("/pkg.Service/Method", copied) on channel, which is
 * of muster_grpc_channel_create() and must outlive it. options may be NULL.
 * Thread: any. *ret_call is the caller's, until muster_call_destroy().
 * MUSTER_INVAL (metadata that gRPC does not allow, too), MUSTER_NOMEM,
 * MUSTER_FORKED. */
MUSTER_API muster_status muster_call_create(muster_channel *channel,
                                            const char *method,
                                            const muster_call_options *options,
                                            muster_call **ret_call,
                                            muster_error *err);

/* Frees the call. It has ended, or never was started. An ended call keeps the
 * socket of its last attempt open, also of an endpoint that has left the list:
 * what the server sent belongs to C core's call. NULL is ignored. Thread: any.
 */
MUSTER_API void muster_call_destroy(muster_call *call);

/* Sends request, waits for the answer. request (may be NULL: an empty message)
 * is borrowed and unchanged. Thread: any but control (MUSTER_WOULD_DEADLOCK).
 * MUSTER_OK means that the call has ended, and the result says how.
 * MUSTER_INVAL (started before), MUSTER_NOMEM, MUSTER_FORKED: no call was
 * made. */
MUSTER_API muster_status muster_call_unary(muster_call *call,
                                           const grpc_byte_buffer *request);

/* Ends the call with CANCELLED, unless it has ended. It still is to be waited
 * for. Thread: any; not at the same time as muster_call_destroy(). */
MUSTER_API void muster_call_cancel(muster_call *call);

/* How the call ended; status is UNKNOWN while it has not, and n_attempts is all
 * that is known. Fills *ret_result up to its struct_size, which the caller
 * sets. Thread: any, one at a time. */
MUSTER_API void muster_call_get_result(const muster_call *call,
                                       muster_call_result *ret_result);

/* Whom the call was with ("ipv4:10.0.0.1:50051"); NULL when that is not known,
 * or it has not ended (a stream: nothing has come). Not authenticated. Borrowed
 * from the call. Thread: any, one at a time. */
MUSTER_API const char *muster_call_peer(muster_call *call);

/* ---- Calls without waiting ---- */

/* Where what becomes of calls is reported. Its thread, the user's, moves the
 * bytes of its calls: keep one in muster_call_queue_next() while calls are out.
 */
typedef struct muster_call_queue muster_call_queue;

typedef enum muster_call_event_kind {
    MUSTER_CALL_ENDED = 0,   /* the call has, and this is its last event */
    MUSTER_CALL_SENT = 1,    /* of muster_call_send() */
    MUSTER_CALL_RECEIVED = 2 /* of muster_call_receive() */
} muster_call_event_kind;

typedef struct muster_call_event {
    muster_call *call;
    void *tag;                   /* what the function was given */
    muster_call_event_kind kind; /* unary calls: MUSTER_CALL_ENDED only */
    /* Whether it was done: the message was handed to the connection (that says
     * nothing of the server), a message has come. 1 of MUSTER_CALL_ENDED, the
     * result says how. */
    uint32_t is_ok;
    grpc_byte_buffer *message; /* that has come, the user's; NULL: no more */
} muster_call_event;

/* Thread: any. *ret_queue is the caller's, until muster_call_queue_destroy().
 * MUSTER_NOMEM, MUSTER_FORKED. */
MUSTER_API muster_status muster_call_queue_create(muster_call_queue **ret_queue,
                                                  muster_error *err);

/* Called with an event, borrowed; the message in it is the function's. */
typedef void (*muster_call_event_fn)(void *arg, const muster_call_event *event);

/* A queue whose events fn gets, on threads of the queue's own (n_threads, 1 024
 * at most; 0: one), which block signals, but for those that they cause
 * (SIGSEGV), and are not there in a child of fork(). Events of one call come
 * one after the other, those of different calls also at once when there are
 * several threads. fn may call whatever takes a call or a queue, and may block,
 * which holds up events. *ret_queue is the caller's, until
 * muster_call_queue_destroy(), which waits until fn has been told all; called
 * by fn, it does not wait, and the threads end when they have told all.
 * MUSTER_INVAL, MUSTER_NOMEM, MUSTER_FORKED. */
MUSTER_API muster_status muster_call_queue_create_callback(
    uint32_t n_threads, muster_call_event_fn fn, void *arg,
    muster_call_queue **ret_queue, muster_error *err);

/* Sends request; queue tells when the call has ended, always later, once.
 * request as in muster_call_unary(), and may be destroyed on return. Thread:
 * any. MUSTER_INVAL (started before), MUSTER_CLOSED (queue is shut down),
 * MUSTER_NOMEM, MUSTER_FORKED: no call was made, no event will come. */
MUSTER_API muster_status
muster_call_start_unary(muster_call *call, const grpc_byte_buffer *request,
                        muster_call_queue *queue, void *tag);

/* Waits for the next event, to deadline_ns (CLOCK_MONOTONIC; 0: looks
 * without waiting; MUSTER_FOREVER). Thread: any but control
 * (MUSTER_WOULD_DEADLOCK), several at once: then one may be behind with an
 * event of a stream when another has the stream's end. MUSTER_TIMEOUT.
 * MUSTER_INVAL: the queue has threads of its own.
 * MUSTER_CLOSED after shutdown, when all calls have ended. MUSTER_FORKED. */
MUSTER_API muster_status muster_call_queue_next(muster_call_queue *queue,
                                                uint64_t deadline_ns,
                                                muster_call_event *ret_event);

/* No further call can be started on queue; events of those out still come.
 * Thread: any; twice is allowed. */
MUSTER_API void muster_call_queue_shutdown(muster_call_queue *queue);

/* Shuts down, waits for calls still out (drops their events; cancel streams
 * that would not end), frees. No thread may be in muster_call_queue_next().
 * NULL is ignored. Thread: any but control. */
MUSTER_API void muster_call_queue_destroy(muster_call_queue *queue);

/* ---- Streams ---- */

/* Calls of which either side sends any number of messages. What is said of
 * calls above holds for them, the deadline being that of the whole stream, and
 * limits those of each message; and:
 *
 * One message is under way each way: the next is sent, or received, when the
 * one before has been. Sending and receiving are independent of one another.
 *
 * muster_call_get_result() may be asked at any time: it has the server's
 * headers when they have come with metadata or before a message, and the rest
 * when the call has ended; response is NULL. muster_call_peer() is known from
 * then on, too.
 *
 * As in C core, a server's status comes behind its messages: a stream that
 * nobody receives from does not end, unless it fails, is cancelled or reaches
 * its deadline.
 *
 * What is tried again when:
 *
 *   shape                 no server saw it   a server failed it
 *   unary                 yes                retryPolicy or hedgingPolicy
 *   server-streaming (1)  yes                retryPolicy, until headers with
 *                                            metadata or a message came;
 *                                            hedgingPolicy (3)
 *   any other stream      yes (2)            no
 *
 * (1) Opened with its request, or its first message is sent with
 * MUSTER_SEND_LAST. The rules are those of a unary call.
 * (2) Until its second message is being sent.
 * (3) When it is opened with its request. It goes on where the first message
 * comes from, whatever headers come before that. */

/* Of muster_call_send(): nothing is sent after this. */
#define MUSTER_SEND_LAST UINT32_C(1)

/* Opens a stream. request: all that the client sends, which is copied, and no
 * event tells of it; NULL: muster_call_send() sends. queue tells when the call
 * has ended, always later, once, and behind its other events. Thread: any.
 * MUSTER_INVAL (started before), MUSTER_CLOSED (queue is shut down),
 * MUSTER_NOMEM, MUSTER_FORKED: no call was made, no event will come. */
MUSTER_API muster_status
muster_call_start_stream(muster_call *call, const grpc_byte_buffer *request,
                         muster_call_queue *queue, void *tag);

/* Sends message, which may be destroyed on return; MUSTER_CALL_SENT follows.
 * flags: MUSTER_SEND_LAST; with it message may be NULL, for nothing but the
 * end. A message that was not sent because the call fails is told of at the
 * latest before its end. Thread: any; not beside muster_call_destroy(). Without
 * an event: MUSTER_BUSY (the one before has not been told of), MUSTER_INVAL (no
 * stream, not started, after MUSTER_SEND_LAST, message is NULL), MUSTER_CLOSED
 * (the call has ended), MUSTER_FORKED. */
MUSTER_API muster_status muster_call_send(muster_call *call,
                                          const grpc_byte_buffer *message,
                                          uint32_t flags, void *tag);

/* Receives a message; MUSTER_CALL_RECEIVED follows, without one when there are
 * no more. Thread: any; not beside muster_call_destroy(). Without an event:
 * MUSTER_BUSY (the one before has not been told of), MUSTER_INVAL (no stream,
 * not started), MUSTER_CLOSED (the call has ended), MUSTER_FORKED. */
MUSTER_API muster_status muster_call_receive(muster_call *call, void *tag);

/* ---- Streams of threads that wait ---- */

/* Opens a stream for the functions below; request as in
 * muster_call_start_stream(). Waits for nothing. One thread may write while
 * another one reads; no other thread works for them: what a stream does, it
 * does while a thread is in one of these. Cancel it (from any thread) to get
 * them out. The stream has to come to its end, by muster_call_wait(), before it
 * is destroyed. Thread: any. MUSTER_INVAL (started before), MUSTER_NOMEM,
 * MUSTER_FORKED: no call was made. */
MUSTER_API muster_status muster_call_open(muster_call *call,
                                          const grpc_byte_buffer *request);

/* Sends message, which is borrowed and unchanged; message and flags as in
 * muster_call_send(). Thread: any but control (MUSTER_WOULD_DEADLOCK).
 * MUSTER_OK: it was handed to the connection. MUSTER_CLOSED: it was not, since
 * the call has ended or is about to; read on, and muster_call_wait(), to know
 * why. MUSTER_BUSY (another thread writes), MUSTER_INVAL (not opened, after
 * MUSTER_SEND_LAST, message is NULL), MUSTER_FORKED. */
MUSTER_API muster_status muster_call_write(muster_call *call,
                                           const grpc_byte_buffer *message,
                                           uint32_t flags);

/* Receives a message, the caller's; *ret_message is NULL when there are no
 * more. Thread: any but control (MUSTER_WOULD_DEADLOCK). MUSTER_BUSY (another
 * thread reads), MUSTER_INVAL (not opened), MUSTER_FORKED. */
MUSTER_API muster_status muster_call_read(muster_call *call,
                                          grpc_byte_buffer **ret_message);

/* Waits until the call has ended, which the result then tells of. Messages that
 * nobody reads are dropped; while another thread reads it is for that to read
 * on. Returns at once when the call has ended. Thread: any but control
 * (MUSTER_WOULD_DEADLOCK). MUSTER_INVAL (not opened), MUSTER_FORKED. */
MUSTER_API muster_status muster_call_wait(muster_call *call);

#ifdef __cplusplus
}
#endif

#endif
