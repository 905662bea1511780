/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint's address in the words of C core. */
#ifndef MUSTER_CORE_GRPC_TARGET_H
#define MUSTER_CORE_GRPC_TARGET_H

#include <stdbool.h>

#include <grpc/grpc.h>
#include <muster/endpoint.h>
#include <muster/status.h>

/* "10.0.0.1:80" -> "ipv4:10.0.0.1:80", "[fe80::1%eth0]:80" ->
 * "ipv6:[fe80::1%25eth0]:80", "unix:/a b" -> "unix:/a%20b"; and a query after
 * it, which C core ignores. *ret_target is the caller's, to be given to
 * free(3). Thread: any. MUSTER_NOMEM. */
muster_status muster__grpc_target_of_address(const char *address,
                                             char **ret_target);

/* True for what the former made, false for the name of any peer: the query
 * tells them apart. Thread: any. */
bool muster__grpc_is_target(const char *text);

/* Whom a call talks to; NULL while it has not reached a transport, and when it
 * was cancelled: C core forgets it then. gpr_free() it. Thread: any. */
char *muster__grpc_peer_of(grpc_call *call);

/* What :authority and the TLS name check use: the endpoint's host name, else
 * authority, else the address (a path is "localhost"). Borrowed from the
 * arguments. Thread: any. */
const char *muster__grpc_authority_of(const muster_endpoint *endpoint,
                                      const char *authority);

#endif
