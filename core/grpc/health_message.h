/* SPDX-License-Identifier: Apache-2.0 */
/* The two messages of grpc.health.v1, written and read by hand. */
#ifndef MUSTER_CORE_GRPC_HEALTH_MESSAGE_H
#define MUSTER_CORE_GRPC_HEALTH_MESSAGE_H

#include <grpc/grpc.h>

/* HealthCheckResponse.ServingStatus. */
enum { MUSTER__GRPC_SERVING = 1 };

/* HealthCheckRequest of service. The caller's. */
grpc_byte_buffer *muster__grpc_health_request(const char *service);

/* The status of a HealthCheckResponse; -1: it is none. */
int muster__grpc_health_status(grpc_byte_buffer *message);

/* "NOT_SERVING". */
const char *muster__grpc_health_name(int status);

#endif
