/* SPDX-License-Identifier: Apache-2.0 */
/* From when to when a certificate is valid. For messages only: what is trusted
 * is decided by C core. */
#ifndef MUSTER_CORE_GRPC_TLS_VALIDITY_H
#define MUSTER_CORE_GRPC_TLS_VALIDITY_H

#include <stdbool.h>

enum { MUSTER__TLS_TIME_SIZE = 20 };

/* "2026-11-26 04:20:00", UTC: they compare as texts. */
typedef struct muster__tls_validity {
    char from[MUSTER__TLS_TIME_SIZE];
    char until[MUSTER__TLS_TIME_SIZE];
} muster__tls_validity;

/* Reads the first certificate in pem. False when it cannot be read. Thread:
 * any. */
bool muster__tls_validity_read(const char *pem,
                               muster__tls_validity *ret_validity);

#endif
