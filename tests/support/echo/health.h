/* SPDX-License-Identifier: Apache-2.0 */
/* The service grpc.health.v1.Health, Check and Watch, by its protocol: a name
 * that has no status is NOT_FOUND to Check and SERVICE_UNKNOWN to Watch, which
 * hears of it when it gets one. Statuses that follow one another faster than
 * they can be sent are left out but for the last. */
#ifndef MUSTER_TESTS_ECHO_HEALTH_H
#define MUSTER_TESTS_ECHO_HEALTH_H

#include <stdbool.h>

#include <grpc/grpc.h>

/* Before the server starts, and after. */
void health_register(grpc_server *server);
void health_ask(grpc_server *server, grpc_completion_queue *queue);

bool health_is_status(const char *status);

/* Sets the status of a service, "" for the whole server, and tells who watches
 * it. False: no such status, or too many services. Thread: any. */
bool health_set(const char *service, const char *status);

/* From now on, Check and Watch end with code, and so do open ones; with OK they
 * are answered again. Thread: any. */
void health_fail(grpc_status_code code);

#endif
