/* SPDX-License-Identifier: Apache-2.0 */
/* The server's credentials, as the flags have them. */
#include "tls.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

enum { MAX_FILE_BYTES = 1 << 20 };

/* The contents of the files; an authority may be NULL. */
typedef struct material {
    char *certificate;
    char *key;
    char *client_ca;
} material;

/* NULL when that fails. The caller's, for free(3). */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t length;

    if (file == NULL) {
        return NULL;
    }
    text = malloc(MAX_FILE_BYTES);
    if (text != NULL) {
        length = fread(text, 1, MAX_FILE_BYTES - 1, file);
        text[length] = '\0';
    }
    (void)fclose(file);
    return text;
}

static void free_material(material *self)
{
    free(self->certificate);
    free(self->key);
    free(self->client_ca);
}

static bool read_material(material *ret_material)
{
    material read = {.certificate = read_file(chosen.tls_certificate),
                     .key = read_file(chosen.tls_key)};
    const bool has_ca = chosen.tls_client_ca != NULL;

    if (has_ca) {
        read.client_ca = read_file(chosen.tls_client_ca);
    }
    if (read.certificate == NULL || read.key == NULL ||
        (has_ca && read.client_ca == NULL)) {
        free_material(&read);
        return false;
    }
    *ret_material = read;
    return true;
}

static bool is_same(const char *left, const char *right)
{
    return left == right ||
           (left != NULL && right != NULL && strcmp(left, right) == 0);
}

static bool are_same(const material *left, const material *right)
{
    return is_same(left->certificate, right->certificate) &&
           is_same(left->key, right->key) &&
           is_same(left->client_ca, right->client_ca);
}

/* C core asks at each connection, one at a time. */
static grpc_ssl_certificate_config_reload_status
reload(void *user_data, grpc_ssl_server_certificate_config **ret_config)
{
    material *last = user_data;
    material now;
    grpc_ssl_pem_key_cert_pair pair;
    const char *roots;

    if (!read_material(&now)) {
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
    }
    if (are_same(last, &now)) {
        free_material(&now);
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    free_material(last);
    *last = now;
    pair.private_key = now.key;
    pair.cert_chain = now.certificate;
    /* C core aborts without roots, also when they verify nobody. */
    roots = now.client_ca == NULL ? now.certificate : now.client_ca;
    *ret_config = grpc_ssl_server_certificate_config_create(roots, &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

grpc_server_credentials *tls_create_credentials(void)
{
    static material last;

    if (chosen.tls_certificate == NULL) {
        return grpc_insecure_server_credentials_create();
    }
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            chosen.tls_client_certificate, reload, &last));
}
