/* SPDX-License-Identifier: Apache-2.0 */
/* Service config in TXT records (gRFC A2). */
#ifndef MUSTER_RESOLVERS_DNS_TXT_CONFIG_H
#define MUSTER_RESOLVERS_DNS_TXT_CONFIG_H

#include <muster/status.h>

#include <stddef.h>

/* What a choice may ask for. */
typedef struct muster__dns_client {
    const char *hostname; /* of this machine */
    unsigned percentile;  /* 0 to 99, drawn once a client */
} muster__dns_client;

/* Looks for the record that begins with "grpc_config=" among n_texts texts, and
 * in its list of choices for the first that fits client. *ret_json is the
 * caller's (free()): the choice's serviceConfig as JSON text, or NULL when
 * there is no such record or no choice fits. MUSTER_INVAL: there is one and it
 * is malformed; err says where and what was expected. MUSTER_NOMEM. */
muster_status muster__dns_txt_config(const char *const *texts, size_t n_texts,
                                     const muster__dns_client *client,
                                     char **ret_json, muster_error *err);

#endif
