/* SPDX-License-Identifier: Apache-2.0 */
/* A deep, checked copy of endpoints that somebody reported: one allocation,
 * addresses in canonical form, identity hashed. */
#ifndef MUSTER_CORE_ENDPOINT_LIST_H
#define MUSTER_CORE_ENDPOINT_LIST_H

#include <stddef.h>
#include <stdint.h>

#include <muster/endpoint.h>
#include <muster/status.h>

/* Limits: what is over them is refused. */
enum {
    MUSTER__LIST_MAX = 1 << 26,      /* endpoints of a list */
    MUSTER__ADDRESSES_MAX = 64,      /* addresses of an endpoint */
    MUSTER__HOSTNAME_MAX = 255,      /* bytes */
    MUSTER__ATTRIBUTES_MAX = 1 << 10 /* attributes of an endpoint */
};

typedef struct muster__list {
    size_t n;
    muster_endpoint
        *endpoints;   /* weight 0 already reads 1; strings canonical */
    uint64_t *hashes; /* identity: XXH64 over sorted addresses, name */
} muster__list;

/* Copies n endpoints that lie stride bytes apart. Fields beyond stride read as
 * zero; an empty hostname or zone reads as none; attributes are sorted by key;
 * an address that an endpoint has twice is kept once. Thread: any. MUSTER_INVAL
 * (err names the endpoint by number, and what is wrong with it), MUSTER_NOMEM.
 * The copy is the caller's. */
muster_status muster__list_copy(const muster_endpoint *endpoints, size_t n,
                                size_t stride, muster__list **ret_list,
                                muster_error *err);

/* As muster__list_copy(), for endpoints that are to be removed: only their
 * identity (addresses and host name) is read. */
muster_status muster__list_copy_identities(const muster_endpoint *endpoints,
                                           size_t n, size_t stride,
                                           muster__list **ret_list,
                                           muster_error *err);

void muster__list_destroy(muster__list *list); /* NULL is ignored. Any thread */

#endif
