/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS options stand for: the texts, wherever they come from. */
#include "tls_material.h"

#include <stdlib.h>
#include <string.h>

#include <grpc/grpc_security.h>

#include "tls_pem.h"

/* One of the texts: from a file, or given as it is, or neither. */
typedef struct source {
    const char *file;
    const char *text;
    const char *label;       /* its blocks' */
    const char *description; /* for a message */
} source;

static const char *name_of(const source *from)
{
    return from->file != NULL ? from->file : from->description;
}

static muster_status load(const source *from, char **ret_text,
                          muster__tls_stamp *ret_stamp, muster_error *err)
{
    if (from->file != NULL) {
        muster_status status =
            muster__tls_file_read(from->file, ret_text, ret_stamp, err);

        if (status != MUSTER_OK) {
            return status;
        }
    } else if (from->text != NULL) {
        *ret_text = strdup(from->text);
        if (*ret_text == NULL) {
            return muster_error_set(err, MUSTER_NOMEM, "%s",
                                    muster_status_text(MUSTER_NOMEM));
        }
    }
    if (*ret_text != NULL &&
        !muster__tls_pem_is_whole(*ret_text, from->label)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "%s: is not whole PEM text with a %s",
                                name_of(from), from->label);
    }
    return MUSTER_OK;
}

static muster_status load_all(const muster_grpc_tls_options *options,
                              muster__tls_material *material, muster_error *err)
{
    const source ca = {options->ca_file, options->ca_pem, "CERTIFICATE",
                       "ca_pem"};
    const source certificate = {options->certificate_file,
                                options->certificate_pem, "CERTIFICATE",
                                "certificate_pem"};
    const source key = {options->key_file, options->key_pem, "PRIVATE KEY",
                        "key_pem"};
    muster_status status = load(&ca, &material->ca, &material->ca_stamp, err);

    if (status == MUSTER_OK) {
        status = load(&certificate, &material->certificate,
                      &material->certificate_stamp, err);
    }
    if (status == MUSTER_OK) {
        status = load(&key, &material->key, &material->key_stamp, err);
    }
    if (status == MUSTER_OK && material->key != NULL &&
        !muster__tls_pem_match(material->certificate, material->key)) {
        status = muster_error_set(
            err, MUSTER_INVAL,
            "%s: is not the key of %s, or has a password, or one of them "
            "cannot be read",
            name_of(&key), name_of(&certificate));
    }
    return status;
}

muster_status muster__tls_material_load(const muster_grpc_tls_options *options,
                                        muster__tls_material *ret_material,
                                        muster_error *err)
{
    muster__tls_material material = {0};
    muster_status status = load_all(options, &material, err);

    if (status != MUSTER_OK) {
        muster__tls_material_fini(&material);
        return status;
    }
    *ret_material = material;
    return MUSTER_OK;
}

void muster__tls_material_fini(muster__tls_material *material)
{
    free(material->ca);
    free(material->certificate);
    muster__tls_wipe(material->key,
                     material->key == NULL ? 0 : strlen(material->key));
    memset(material, 0, sizeof *material);
}

static bool is_old(const char *file, const muster__tls_stamp *stamp)
{
    return file != NULL && muster__tls_file_has_changed(file, stamp);
}

bool muster__tls_material_is_old(const muster__tls_material *material,
                                 const muster_grpc_tls_options *options)
{
    return is_old(options->ca_file, &material->ca_stamp) ||
           is_old(options->certificate_file, &material->certificate_stamp) ||
           is_old(options->key_file, &material->key_stamp);
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool muster__tls_material_is_same(const muster__tls_material *a,
                                  const muster__tls_material *b)
{
    return is_same_text(a->ca, b->ca) &&
           is_same_text(a->certificate, b->certificate) &&
           is_same_text(a->key, b->key);
}

grpc_channel_credentials *
muster__tls_material_credentials(const muster__tls_material *material,
                                 grpc_call_credentials *call)
{
    grpc_ssl_pem_key_cert_pair pair = {.private_key = material->key,
                                       .cert_chain = material->certificate};
    grpc_channel_credentials *made = grpc_ssl_credentials_create_ex(
        material->ca, material->key == NULL ? NULL : &pair, NULL, NULL);
    grpc_channel_credentials *both;

    if (call == NULL) {
        return made;
    }
    both = grpc_composite_channel_credentials_create(made, call, NULL);
    grpc_channel_credentials_release(made);
    return both;
}
