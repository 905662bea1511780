/* SPDX-License-Identifier: Apache-2.0 */
/* Whether texts are what TLS needs, as far as that can be told without a
 * handshake. */
#ifndef MUSTER_CORE_GRPC_TLS_PEM_H
#define MUSTER_CORE_GRPC_TLS_PEM_H

#include <stdbool.h>

/* Whether text has at least one PEM block (RFC 7468) whose label ends in label,
 * and every block that begins also ends: a text that is cut off is not whole.
 * Thread: any. */
bool muster__tls_pem_is_whole(const char *text, const char *label);

/* Whether C core takes key as that of certificate. That is asked of a server of
 * its own, which never starts: only servers of C core check their keys where
 * the caller sees it. True when that cannot be tried. C core is started.
 * Thread: any. */
bool muster__tls_pem_match(const char *certificate, const char *key);

#endif
