/* SPDX-License-Identifier: Apache-2.0 */
/* Why a TLS connection failed, in more words than C core has. It passes on what
 * OpenSSL says of the handshake, and that is the same for several causes. */
#include "tls_explain.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *authorities(const muster_grpc_tls_options *options)
{
    if (options->ca_file != NULL) {
        return options->ca_file;
    }
    return options->ca_pem != NULL ? "ca_pem" : "the default roots";
}

static bool has(const char *reason, const char *words)
{
    return strstr(reason, words) != NULL;
}

/* Under TLS 1.3 a server refuses a client after the handshake, from the
 * client's view, so that C core only sees the connection end. */
static const char *after_the_handshake(const muster_grpc_tls_options *options)
{
    return options->certificate_file == NULL && options->certificate_pem == NULL
               ? "the server may want a client certificate, and there is none"
               : "the server may not accept the client certificate";
}

static void explain_certificate(const muster_grpc_tls_options *options,
                                const char *reason, const char *found,
                                char *text, size_t size)
{
    if (found != NULL && found[0] != '\0') {
        (void)snprintf(text, size, "%s: %s", reason, found);
    } else {
        (void)snprintf(text, size,
                       "%s: the server's certificate is not signed by an "
                       "authority of %s%s",
                       reason, authorities(options),
                       found == NULL ? ", or is out of its time" : "");
    }
}

const char *muster__tls_explain(const muster_grpc_tls_options *options,
                                const char *reason, const char *found,
                                char *text, size_t size)
{
    if (options == NULL) {
        return reason;
    }
    if (has(reason, "certificate verify failed")) {
        explain_certificate(options, reason, found, text, size);
    } else if (has(reason, "wrong version number")) {
        (void)snprintf(text, size, "%s: the server does not speak TLS", reason);
    } else if (has(reason, "Socket closed") ||
               has(reason, "Connection reset") || has(reason, "Broken pipe")) {
        (void)snprintf(text, size, "%s: %s", reason,
                       after_the_handshake(options));
    } else if (has(reason, "empty address list")) {
        /* Of the one address there is, C core made no subchannel. */
        (void)snprintf(text, size, "no usable certificate in %s",
                       authorities(options));
    } else {
        return reason;
    }
    return text;
}
