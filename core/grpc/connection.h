/* SPDX-License-Identifier: Apache-2.0 */
/* muster's transport over gRPC C core: a grpc_channel per connection. */
#ifndef MUSTER_CORE_GRPC_CONNECTION_H
#define MUSTER_CORE_GRPC_CONNECTION_H

#include <grpc/grpc.h>
#include <muster/transport.h>

#include "config.h"

/* transport_arg is a muster__grpc_config. */
extern const muster_transport_class muster__grpc_transport;

typedef struct muster__connection muster__connection;

/* A call placed on a connection, so that the drain deadline finds it. Embedded
 * in what places it. */
typedef struct muster__placed muster__placed;
struct muster__placed {
    grpc_call *call;
    muster__placed *next; /* both guarded by the connection */
    muster__placed *previous;
};

/* All borrowed while a lease on the connection is held. Thread: any. */
grpc_channel *muster__connection_channel(const muster__connection *connection);
const char *muster__connection_address(const muster__connection *connection);
const char *muster__connection_target(const muster__connection *connection);

/* Around the life of placed->call. Thread: any. */
void muster__connection_link(muster__connection *connection,
                             muster__placed *placed);
void muster__connection_unlink(muster__connection *connection,
                               muster__placed *placed);

#endif
