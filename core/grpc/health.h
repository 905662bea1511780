/* SPDX-License-Identifier: Apache-2.0 */
/* Watches the health of a server over one connection that is READY, with
 * grpc.health.v1.Health/Watch (gRFC A17). A stream that ends is opened again:
 * soon when it had brought an answer, else after a backoff. A server that does
 * not know the method counts as healthy, and is not asked again. */
#ifndef MUSTER_CORE_GRPC_HEALTH_H
#define MUSTER_CORE_GRPC_HEALTH_H

#include <stdbool.h>

#include <grpc/grpc.h>
#include <muster/transport.h>

#include "grpc_config.h"

typedef struct muster__grpc_health muster__grpc_health;

/* For service, which is copied. host is told, always later, with ctx. channel
 * must be there until muster__grpc_health_end(). NULL: out of memory. Thread:
 * any. */
muster__grpc_health *
muster__grpc_health_create(grpc_channel *channel, muster__grpc_config *config,
                           const char *service,
                           const muster_transport_host *host, void *ctx);

/* channel is READY: opens the stream. Thread: any. NULL is ignored. */
void muster__grpc_health_begin(muster__grpc_health *health);

/* The host is not told any more. Waits for nothing: what is still to come is
 * freed when it comes. NULL is ignored. Thread: any. */
void muster__grpc_health_end(muster__grpc_health *health);

/* Whether it watches service; NULL watches NULL. Thread: any. */
bool muster__grpc_health_is_of(const muster__grpc_health *health,
                               const char *service);

#endif
