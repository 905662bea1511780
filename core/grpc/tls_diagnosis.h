/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out what is wrong with a server's certificate that did not verify. C
 * core says no more than that; so another handshake looks at the certificate
 * without trusting it, and always fails. */
#ifndef MUSTER_CORE_GRPC_TLS_DIAGNOSIS_H
#define MUSTER_CORE_GRPC_TLS_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>

#include <grpc/grpc_security.h>

/* Whether reason, C core's, leaves that open. Thread: any. */
bool muster__tls_diagnosis_is_due(const char *reason);

/* Credentials with which no handshake succeeds. The caller's, to be released.
 * Thread: any. */
grpc_channel_credentials *muster__tls_diagnosis_credentials(void);

/* What a handshake with them found, which is in C core's reason for its
 * failure: when the certificate is out of time, a sentence; otherwise "". False
 * when it did not get so far. Thread: any. */
bool muster__tls_diagnosis_read(const char *reason, char *text, size_t size);

#endif
