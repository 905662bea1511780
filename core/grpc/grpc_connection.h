/* SPDX-License-Identifier: Apache-2.0 */
/* muster's transport over gRPC C core: a grpc_channel per connection. */
#ifndef MUSTER_CORE_GRPC_CONNECTION_H
#define MUSTER_CORE_GRPC_CONNECTION_H

#include <grpc/grpc.h>
#include <muster/transport.h>
#include <stdbool.h>

#include "grpc_config.h"

/* transport_arg is a muster__grpc_config. */
extern const muster_transport_class muster__grpc_transport;

/* What calls are told that were cancelled with their connection. */
#define MUSTER__GRPC_GIVEN_UP                                                  \
    "the connection was given up and the time to drain is over"

typedef struct muster__grpc_connection muster__grpc_connection;

/* A call placed on a connection, so that cancelling finds it. Embedded
 * in what places it. */
typedef struct muster__grpc_placed muster__grpc_placed;
typedef void (*muster__grpc_cancelled_fn)(muster__grpc_placed *placed);
struct muster__grpc_placed {
    grpc_call *call;
    /* All guarded by the connection while the call is linked. */
    muster__grpc_placed *next;
    muster__grpc_placed *previous;
    /* What it was when it was cancelled from there, or NULL; gpr_free(). */
    char *peer;
    /* Called when that happens, once, or NULL. */
    muster__grpc_cancelled_fn on_cancel;
};

/* All borrowed while a lease on the connection is held. Thread: any. */
grpc_channel *
muster__grpc_connection_channel(const muster__grpc_connection *connection);
const char *
muster__grpc_connection_address(const muster__grpc_connection *connection);
const muster__grpc_config *
muster__grpc_connection_config(const muster__grpc_connection *connection);

/* How long calls of the method take on the connection's channel. Borrowed while
 * that exists; NULL: no memory. */
muster__latency *
muster__grpc_connection_latency(const muster__grpc_connection *connection,
                                const char *method);

/* A call never left on it: looks at once whether it was lost, and reports
 * that. */
void muster__grpc_connection_check(muster__grpc_connection *connection);

/* Around the life of placed->call. Thread: any. */
void muster__grpc_connection_link(muster__grpc_connection *connection,
                                  muster__grpc_placed *placed);
void muster__grpc_connection_unlink(muster__grpc_connection *connection,
                                    muster__grpc_placed *placed);

/* For what C core cannot cancel, of a call that is linked: on_cancel is called
 * when the connection's calls are cancelled, with the connection locked. False:
 * they have been. unwatch: false: it was called. Thread: any. */
bool muster__grpc_connection_watch(muster__grpc_connection *connection,
                                   muster__grpc_placed *placed,
                                   muster__grpc_cancelled_fn on_cancel);
bool muster__grpc_connection_unwatch(muster__grpc_connection *connection,
                                     muster__grpc_placed *placed);

#endif
