/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of muster-echo-server. */
#ifndef MUSTER_TESTS_ECHO_OPTIONS_H
#define MUSTER_TESTS_ECHO_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security_constants.h>

enum { OPTIONS_MAX_ARGUMENTS = 16, OPTIONS_MAX_SERVICES = 16 };

typedef struct echo_options {
    const char *id;
    const char *address;
    const char *unix_path;
    int port;
    bool tells_calls;
    bool ends_with_parent;

    /* What C core itself does: age, idleness, keepalive, enforcement. */
    grpc_arg arguments[OPTIONS_MAX_ARGUMENTS];
    size_t n_arguments;

    long delay_ms;
    long delay_jitter_ms;
    double error_rate; /* 0 to 1 */
    grpc_status_code error_status;

    /* "NAME=STATUS", or "=STATUS" for the whole server. None: no service. */
    const char *services[OPTIONS_MAX_SERVICES];
    size_t n_services;

    const char *tls_certificate; /* NULL: plaintext */
    const char *tls_key;
    const char *tls_client_ca;
    grpc_ssl_client_certificate_request_type tls_client_certificate;
} echo_options;

/* Set by options_read(), and read by all from then on. */
extern echo_options chosen;

/* Ends the process after --help, and with 64 when it cannot read a flag. */
void options_read(int argc, char **argv);

/* A status by its number or its name in capital letters. */
bool options_parse_status(const char *text, grpc_status_code *ret_status);

#endif
