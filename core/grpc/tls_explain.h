/* SPDX-License-Identifier: Apache-2.0 */
/* Why a TLS connection failed, in more words than C core has. */
#ifndef MUSTER_CORE_GRPC_TLS_EXPLAIN_H
#define MUSTER_CORE_GRPC_TLS_EXPLAIN_H

#include <stddef.h>

#include <muster/grpc.h>

/* reason is C core's; found is what muster__tls_diagnosis_read() has of the
 * server's certificate, or NULL. Returns reason, or text, which has it and what
 * a reader of it should look at. options NULL: reason. Thread: any. */
const char *muster__tls_explain(const muster_grpc_tls_options *options,
                                const char *reason, const char *found,
                                char *text, size_t size);

#endif
