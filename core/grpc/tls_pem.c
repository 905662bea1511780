/* SPDX-License-Identifier: Apache-2.0 */
/* Whether texts are what TLS needs. */
#include "tls_pem.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

/* The length of the label at text, as far as its dashes; 0: there is none. */
static size_t label_length(const char *text)
{
    const char *end = strstr(text, DASHES);

    return end == NULL ? 0 : (size_t)(end - text);
}

static bool ends_in(const char *text, size_t length, const char *end)
{
    const size_t end_length = strlen(end);

    return length >= end_length &&
           memcmp(text + length - end_length, end, end_length) == 0;
}

/* Behind the block whose label is at text; NULL when it has no end. */
static const char *skip_block(const char *text, size_t length)
{
    const char *end = strstr(text, END);

    if (end == NULL || strncmp(end + strlen(END), text, length) != 0 ||
        strncmp(end + strlen(END) + length, DASHES, strlen(DASHES)) != 0) {
        return NULL;
    }
    return end + strlen(END) + length;
}

bool muster__tls_pem_is_whole(const char *text, const char *label)
{
    bool has_block = false;

    while ((text = strstr(text, BEGIN)) != NULL) {
        const size_t length = label_length(text + strlen(BEGIN));

        text += strlen(BEGIN);
        has_block = has_block || ends_in(text, length, label);
        text = length == 0 ? NULL : skip_block(text, length);
        if (text == NULL) {
            return false;
        }
    }
    return has_block;
}

/* Whether a server of C core takes credentials, which this releases. */
static bool server_takes(grpc_server_credentials *credentials)
{
    grpc_server *server = grpc_server_create(NULL, NULL);
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    char address[64];
    uint64_t number = 0;
    bool is_taken;

    /* Such names are those of the network, which others may share who know our
     * process number. A number that cannot be had is zero. */
    (void)getrandom(&number, sizeof number, GRND_NONBLOCK);
    (void)snprintf(address, sizeof address, "unix-abstract:muster-%016" PRIx64,
                   number);
    grpc_server_register_completion_queue(server, queue, NULL);
    is_taken = grpc_server_add_http2_port(server, address, credentials) != 0;
    grpc_server_credentials_release(credentials);
    grpc_server_shutdown_and_notify(server, queue, NULL);
    (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                     NULL);
    grpc_server_destroy(server);
    grpc_completion_queue_shutdown(queue);
    (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                     NULL);
    grpc_completion_queue_destroy(queue);
    return is_taken;
}

bool muster__tls_pem_match(const char *certificate, const char *key)
{
    grpc_ssl_pem_key_cert_pair pair = {.private_key = key,
                                       .cert_chain = certificate};

    return server_takes(grpc_ssl_server_credentials_create_ex(
               NULL, &pair, 1, GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
               NULL)) ||
           !server_takes(grpc_insecure_server_credentials_create());
}
