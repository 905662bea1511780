/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS options stand for: the texts, wherever they come from. */
#ifndef MUSTER_CORE_GRPC_TLS_MATERIAL_H
#define MUSTER_CORE_GRPC_TLS_MATERIAL_H

#include <stdbool.h>

#include <muster/grpc.h>

#include "tls_file.h"

/* All zero holds nothing. */
typedef struct muster__tls_material {
    char *ca;          /* NULL: the default roots */
    char *certificate; /* NULL: none, and no key */
    char *key;
    muster__tls_stamp ca_stamp; /* all zero when it is not of a file */
    muster__tls_stamp certificate_stamp;
    muster__tls_stamp key_stamp;
} muster__tls_material;

/* Reads and checks all of it. MUSTER_INVAL: a file cannot be read, holds no
 * whole PEM text, or key and certificate are not of one pair. MUSTER_NOMEM.
 * *ret_material is the caller's, for muster__tls_material_fini(). C core is
 * started. Thread: any. */
muster_status muster__tls_material_load(const muster_grpc_tls_options *options,
                                        muster__tls_material *ret_material,
                                        muster_error *err);

void muster__tls_material_fini(muster__tls_material *material);

/* Whether a file is in another state than when material was read of it. Thread:
 * any. */
bool muster__tls_material_is_old(const muster__tls_material *material,
                                 const muster_grpc_tls_options *options);

/* Whether both hold the same texts. Thread: any. */
bool muster__tls_material_is_same(const muster__tls_material *a,
                                  const muster__tls_material *b);

/* Credentials of it, with call (may be NULL) on every call. The caller's, to be
 * released. Thread: any. */
grpc_channel_credentials *
muster__tls_material_credentials(const muster__tls_material *material,
                                 grpc_call_credentials *call);

#endif
