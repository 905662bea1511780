/* SPDX-License-Identifier: Apache-2.0 */
/* The server's credentials, as the flags have them. Its certificate, its key
 * and the authorities of clients are read at each new connection, so that the
 * one after a change has the new ones. While these are not of a kind (one file
 * replaced, the other not yet), the old ones stay. */
#ifndef MUSTER_TESTS_ECHO_TLS_H
#define MUSTER_TESTS_ECHO_TLS_H

#include <grpc/grpc_security.h>

/* Plaintext without a certificate. NULL when a file cannot be read. */
grpc_server_credentials *tls_create_credentials(void);

#endif
