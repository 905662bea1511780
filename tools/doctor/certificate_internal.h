/* SPDX-License-Identifier: Apache-2.0 */
/* What the two sources about certificates share. */
#ifndef MUSTER_TOOLS_DOCTOR_CERTIFICATE_INTERNAL_H
#define MUSTER_TOOLS_DOCTOR_CERTIFICATE_INTERNAL_H

#include <openssl/x509.h>

#include "certificate.h"

void certificate_life_of(X509 *certificate, certificate_life *ret_life);

/* OpenSSL's last error of this thread, which is forgotten. */
void certificate_error(char *text, size_t size);

#endif
