/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_TRANSPORT_H
#define MUSTER_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include <muster/endpoint.h>
#include <muster/export.h>
#include <muster/log.h>
#include <muster/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A transport makes connections. libmuster-grpc is one over gRPC C core, the
 * testkit's fake is another, and "none" (READY at once, connects nothing)
 * serves programs that only want an address.
 *
 * A connection has one address. Of an endpoint with several the core makes a
 * connection for each, a while apart, and destroys the others when one is READY
 * (RFC 8305, gRFC A61).
 *
 * A connection is used once: born CONNECTING, it may become READY once, and
 * dies once (TRANSIENT_FAILURE when it never was READY, IDLE when it was and
 * went away). The core then makes another when its backoff allows. A dead
 * connection with calls in flight is destroyed when the last lease ends. */

/* What the server says of itself over a connection that works, if it is asked
 * (gRPC's doc/health-checking.md). */
typedef enum muster_health {
    MUSTER_HEALTH_UNCHECKED = 0, /* nobody asks: as good as SERVING */
    MUSTER_HEALTH_UNKNOWN = 1,   /* asked, and not answered yet */
    MUSTER_HEALTH_SERVING = 2,
    MUSTER_HEALTH_NOT_SERVING = 3
} muster_health;

typedef struct muster_transport_host {
    uint32_t struct_size;

    /* Thread: any, also from inside create(). Reports READY, then IDLE, or
     * TRANSIENT_FAILURE with its reason (copied; NULL otherwise). Anything
     * after death, and after destroy() was called, is ignored. */
    void (*state)(void *ctx, muster_connectivity state, const char *reason);

    /* Thread: any. The connection works, but a new one should take its place,
     * for instance because certificates have changed. Once it is READY, the
     * core makes another with create() beside it, which counts among those
     * being made, but after the first ones of other endpoints; when that is
     * READY picks go there, and this one is destroyed when its last lease has
     * ended. While the new one fails this one stays, and the core tries again
     * after its backoff. Asking again meanwhile changes nothing. */
    void (*renew)(void *ctx);

    /* Thread: any, also from inside create(). May be called at any time, and
     * as often as it changes. Every connection begins as UNCHECKED; one whose
     * health is asked for says UNKNOWN before it reports READY. No pick goes to
     * a connection that is UNKNOWN (its endpoint counts as CONNECTING) or
     * NOT_SERVING (TRANSIENT_FAILURE, with reason, which is copied; NULL in all
     * other cases), but the connection stays, and the calls on it go on. */
    void (*health)(void *ctx, muster_health health, const char *reason);
} muster_transport_host;

typedef struct muster_connection_env {
    uint32_t struct_size;
    uint32_t reserved;
    const muster_transport_host *host;
    void *ctx;                       /* first argument of host calls */
    const muster_endpoint *endpoint; /* valid until destroy() returns */
    const char *authority; /* channel's or resolver's name; NULL: the address */
    uint64_t connect_timeout_ms; /* give up, and report, after it */
    const char *address; /* of endpoint: the one to connect to; as long valid */
    /* The service whose health is to be watched: the service config's; "": the
     * whole server; NULL: none. Valid until create() returns. */
    const char *health_service;
} muster_connection_env;

/* The address to connect to: that of the endpoint when the core is older than
 * the field. Thread: any. Valid as long as env's endpoint. */
static inline const char *
muster_connection_env_address(const muster_connection_env *env)
{
    const size_t end =
        offsetof(muster_connection_env, address) + sizeof env->address;

    return env->struct_size >= end && env->address != NULL
               ? env->address
               : env->endpoint->address;
}

/* NULL when the core is older than the field. Thread: any. */
static inline const char *
muster_connection_env_health_service(const muster_connection_env *env)
{
    const size_t end = offsetof(muster_connection_env, health_service) +
                       sizeof env->health_service;

    return env->struct_size >= end ? env->health_service : NULL;
}

typedef struct muster_transport_class {
    uint32_t struct_size;
    uint32_t reserved;
    const char *name; /* "grpc" */

    /* Must. Thread: control. Begins to connect; must not block. arg is the
     * channel's transport_arg. On failure leaves *ret_connection untouched and
     * fills err (never NULL); the core takes that as TRANSIENT_FAILURE. */
    muster_status (*create)(void *arg, const muster_connection_env *env,
                            void **ret_connection, muster_error *err);

    /* Must. Thread: control; must not block. No lease is left. host->state()
     * may still be called by another thread until it returns. */
    void (*destroy)(void *connection);

    /* May. Thread: control. The channel takes and gives back arg, so that what
     * it owns lives as long as the channel. */
    void (*ref)(void *arg);
    void (*unref)(void *arg);

    /* May. Thread: control. The drain deadline passed, or the grace period of a
     * shutdown: cancel the calls, and those that come to the connection yet,
     * with leases from before: no call is picked for it any more. May be told
     * again. */
    void (*cancel)(void *connection);

    /* May, for transports that watch health. Thread: control; must not block.
     * env's health_service has become service, which is valid until this
     * returns. What was reported stays until the first answer about the new
     * one; when nothing is to be watched any more, UNCHECKED is reported. */
    void (*set_health_service)(void *connection, const char *service);
} muster_transport_class;

/* Logs an event, as muster's own: where muster_log_set() says, rate-limited.
 * message is copied. Thread: any. */
MUSTER_API void muster_transport_log(muster_log_level level,
                                     const char *message);

#ifdef __cplusplus
}
#endif

#endif
