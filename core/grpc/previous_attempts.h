/* SPDX-License-Identifier: Apache-2.0 */
/* The header grpc-previous-rpc-attempts of gRFC A6. */
#ifndef MUSTER_CORE_GRPC_PREVIOUS_ATTEMPTS_H
#define MUSTER_CORE_GRPC_PREVIOUS_ATTEMPTS_H

#include <stdint.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

/* Before the first batch of call: the server is to know that n attempts, at
 * least 1, came before it. credentials are the call's own, or NULL. Thread:
 * any. */
void muster__previous_attempts_tell(grpc_call *call, uint32_t n,
                                    grpc_call_credentials *credentials);

#endif
