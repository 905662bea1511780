/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS of one channel: its credentials, made anew when files change, and the
 * connections that are then to be renewed. */
#ifndef MUSTER_CORE_GRPC_TLS_H
#define MUSTER_CORE_GRPC_TLS_H

#include <stdint.h>

#include <muster/grpc.h>
#include <muster/transport.h>

typedef struct muster__tls muster__tls;

/* Embedded in a connection that uses the credentials. */
typedef struct muster__tls_user muster__tls_user;
struct muster__tls_user {
    muster__tls_user *next; /* these two are guarded by the muster__tls */
    muster__tls_user *previous;
    const muster_transport_host *host; /* constant while it has entered */
    void *ctx;
};

/* Reads what options name, and goes on reading it. target is for messages. The
 * caller's. C core is started. Thread: any. MUSTER_INVAL, MUSTER_NOMEM. */
muster_status muster__tls_create(const char *target,
                                 const muster_grpc_tls_options *options,
                                 muster__tls **ret_tls, muster_error *err);

/* No user is left. NULL is ignored. Thread: any. */
void muster__tls_destroy(muster__tls *tls);

/* From here to leave, the host's renew() is called when credentials have
 * changed. To be called before the connection's channel is made, so that it
 * misses no change. Nothing when tls is NULL. Thread: any. */
void muster__tls_enter(muster__tls *tls, muster__tls_user *user,
                       const muster_connection_env *env);
void muster__tls_leave(muster__tls *tls, muster__tls_user *user);

/* A channel with the credentials of now. The caller's. Thread: any. */
grpc_channel *muster__tls_connect(muster__tls *tls, const char *grpc_target,
                                  const grpc_channel_args *args);

/* How often the credentials have changed; 0 when tls is NULL. Thread: any. */
uint64_t muster__tls_generation(muster__tls *tls);

/* Its options; NULL when tls is. Borrowed from tls. Thread: any. */
const muster_grpc_tls_options *muster__tls_options_of(const muster__tls *tls);

#endif
