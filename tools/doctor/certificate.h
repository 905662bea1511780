/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, as OpenSSL reads them: gRPC tells whether a connection is
 * trusted, not until when. */
#ifndef MUSTER_TOOLS_DOCTOR_CERTIFICATE_H
#define MUSTER_TOOLS_DOCTOR_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "doctor.h"

/* When a certificate is valid, by this machine's clock. */
typedef struct certificate_life {
    char from[32]; /* "2026-11-26 04:20:00 UTC" */
    char until[32];
    int days_left; /* negative: of one that has expired */
    bool has_expired;
    bool is_early; /* not valid yet */
} certificate_life;

/* Of the certificates in a PEM file, the one that expires first. False: text
 * says why there is none. */
bool certificate_read(const char *path, certificate_life *ret_life,
                      unsigned *ret_count, char *text, size_t size);

/* What a handshake found. */
typedef struct certificate_peer {
    bool is_prepared; /* our own files are good */
    bool is_shaken;   /* the handshake succeeded, and so do the rest count */
    bool is_named;    /* the certificate is for the name */
    bool is_trusted;
    bool speaks_h2;
    certificate_life life;
    char names[256];   /* that it is for */
    char failure[256]; /* of the handshake, or why it is not trusted */
    char protocol[16]; /* "TLSv1.3" */
} certificate_peer;

/* Shakes hands on fd, a connected socket that does not block. SIGPIPE is to be
 * blocked. Thread: any. */
void certificate_shake(int fd, const char *name, const tls_paths *tls,
                       uint64_t timeout_ms, certificate_peer *ret_peer);

/* Reports a life: a failure when it is over or has not begun, a warning when it
 * soon is over. */
void certificate_report(doctor *self, const char *check, const char *subject,
                        const certificate_life *life);

#endif
