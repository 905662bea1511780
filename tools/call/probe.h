/* SPDX-License-Identifier: Apache-2.0 */
/* One health check of one endpoint, for verbs that do not know gRPC. */
#ifndef MUSTER_TOOLS_CALL_PROBE_H
#define MUSTER_TOOLS_CALL_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "../tls.h"

typedef struct probe_result {
    bool is_answered; /* by a gRPC server, whatever it said */
    bool has_health;  /* it knows grpc.health.v1 */
    bool is_serving;
    double latency_ms;
    char text[512]; /* "SERVING", or what failed and why */
} probe_result;

/* Checks the endpoint at address ("10.0.0.1:50051"), whose name is authority.
 * Thread: any. */
void probe_health(const char *address, const char *authority,
                  const tls_paths *tls, uint64_t timeout_ms,
                  probe_result *ret_result);

/* "29.0.0": gRPC C core has a version of its own. */
const char *probe_grpc_version(void);

#endif
