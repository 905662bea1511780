/* SPDX-License-Identifier: Apache-2.0 */
/* TLS options, and whether they make sense. */
#ifndef MUSTER_CORE_GRPC_TLS_OPTIONS_H
#define MUSTER_CORE_GRPC_TLS_OPTIONS_H

#include <stdbool.h>

#include <muster/grpc.h>

/* Copies given, strings and all, for muster__tls_options_fini(). MUSTER_INVAL:
 * they contradict themselves. MUSTER_NOMEM. Thread: any. */
muster_status muster__tls_options_copy(const muster_grpc_tls_options *given,
                                       muster_grpc_tls_options *ret_options,
                                       muster_error *err);

void muster__tls_options_fini(muster_grpc_tls_options *options);

/* Whether any of it is a file that may change. Thread: any. */
bool muster__tls_options_have_files(const muster_grpc_tls_options *options);

/* Whether a server's certificate can be checked against authority: there is a
 * host in "host:port". Thread: any. */
bool muster__tls_is_name(const char *authority);

#endif
