/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS handshake that looks at the server's certificate whatever is wrong with
 * it. Nothing is sent over the connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "../listener.h"
#include "certificate.h"
#include "certificate_internal.h"

static bool is_address(const char *name)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 ||
           inet_pton(AF_INET6, name, bytes) == 1;
}

/* ---- before ---- */

/* The roots that C core takes: the file of the variable, else the system's. */
static bool load_roots(SSL_CTX *context, const tls_paths *tls)
{
    const char *path =
        tls->ca_file != NULL
            ? tls->ca_file
            : doctor_variable("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH");

    return path != NULL ? SSL_CTX_load_verify_file(context, path) == 1
                        : SSL_CTX_set_default_verify_paths(context) == 1;
}

static bool load_own(SSL_CTX *context, const tls_paths *tls)
{
    if (tls->certificate_file == NULL || tls->key_file == NULL) {
        return true;
    }
    return SSL_CTX_use_certificate_chain_file(context, tls->certificate_file) ==
               1 &&
           SSL_CTX_use_PrivateKey_file(context, tls->key_file,
                                       SSL_FILETYPE_PEM) == 1;
}

static SSL *prepare(SSL_CTX *context, int fd, const char *name)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    SSL *tls = SSL_new(context);

    if (tls == NULL || SSL_set_fd(tls, fd) != 1 ||
        SSL_set_alpn_protos(tls, h2, sizeof h2) != 0 ||
        (!is_address(name) && SSL_set_tlsext_host_name(tls, name) != 1)) {
        SSL_free(tls);
        return NULL;
    }
    return tls;
}

/* ---- the handshake ---- */

static bool wait_for(SSL *tls, int error, uint64_t deadline_ms)
{
    struct pollfd socket = {.fd = SSL_get_fd(tls),
                            .events = error == SSL_ERROR_WANT_READ ? POLLIN
                                                                   : POLLOUT};
    const uint64_t now_ms = listener_now_ms();

    return now_ms < deadline_ms &&
           poll(&socket, 1, (int)(deadline_ms - now_ms)) > 0;
}

static bool shake(SSL *tls, uint64_t deadline_ms, char *failure, size_t size)
{
    for (;;) {
        const int code = SSL_connect(tls);
        const int system_error = errno;
        const int error = SSL_get_error(tls, code);

        if (code == 1) {
            return true;
        }
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
            if (!wait_for(tls, error, deadline_ms)) {
                (void)snprintf(failure, size, "no answer in time");
                return false;
            }
        } else if (error == SSL_ERROR_SYSCALL) {
            (void)snprintf(failure, size, "%s",
                           system_error == 0 ? "the connection ended"
                                             : strerror(system_error));
            return false;
        } else {
            certificate_error(failure, size);
            return false;
        }
    }
}

/* ---- after ---- */

/* "a.example, 10.0.0.1" */
static void write_names(X509 *certificate, char *text, size_t size)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t length = 0;

    text[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && length < size; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS) {
            length += (size_t)snprintf(
                text + length, size - length, "%s%.*s", length > 0 ? ", " : "",
                ASN1_STRING_length(name->d.dNSName),
                (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        } else if (name->type == GEN_IPADD &&
                   ASN1_STRING_length(name->d.iPAddress) == 4) {
            char address[INET_ADDRSTRLEN] = "";

            (void)inet_ntop(AF_INET, ASN1_STRING_get0_data(name->d.iPAddress),
                            address, sizeof address);
            length += (size_t)snprintf(text + length, size - length, "%s%s",
                                       length > 0 ? ", " : "", address);
        }
    }
    GENERAL_NAMES_free(names);
}

static bool is_for(X509 *certificate, const char *name)
{
    return is_address(name)
               ? X509_check_ip_asc(certificate, name, 0) == 1
               : X509_check_host(certificate, name, strlen(name), 0, NULL) == 1;
}

static void look(SSL *tls, const char *name, certificate_peer *peer)
{
    X509 *certificate = SSL_get1_peer_certificate(tls);
    const long result = SSL_get_verify_result(tls);
    const unsigned char *protocol = NULL;
    unsigned length = 0;

    if (certificate == NULL) {
        (void)snprintf(peer->failure, sizeof peer->failure,
                       "the server shows no certificate");
        return;
    }
    peer->is_shaken = true;
    peer->is_trusted = result == X509_V_OK;
    (void)snprintf(peer->failure, sizeof peer->failure, "%s",
                   X509_verify_cert_error_string(result));
    certificate_life_of(certificate, &peer->life);
    peer->is_named = is_for(certificate, name);
    write_names(certificate, peer->names, sizeof peer->names);
    X509_free(certificate);
    SSL_get0_alpn_selected(tls, &protocol, &length);
    peer->speaks_h2 = length == 2 && memcmp(protocol, "h2", 2) == 0;
    (void)snprintf(peer->protocol, sizeof peer->protocol, "%s",
                   SSL_get_version(tls));
}

/* The verdict is looked at afterwards: the default is not to end for it. */
void certificate_shake(int fd, const char *name, const tls_paths *paths,
                       uint64_t timeout_ms, certificate_peer *ret_peer)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *tls = NULL;

    memset(ret_peer, 0, sizeof *ret_peer);
    if (context == NULL || !load_roots(context, paths) ||
        !load_own(context, paths) ||
        (tls = prepare(context, fd, name)) == NULL) {
        certificate_error(ret_peer->failure, sizeof ret_peer->failure);
    } else {
        ret_peer->is_prepared = true;
        if (shake(tls, listener_deadline_ms(timeout_ms), ret_peer->failure,
                  sizeof ret_peer->failure)) {
            look(tls, name, ret_peer);
        }
    }
    SSL_free(tls);
    SSL_CTX_free(context);
}
