/* SPDX-License-Identifier: Apache-2.0 */
/* The servers that a target asks, in their order, and how: targets with equal
 * ones share a group, and with it their questions. Thread: control. */
#ifndef MUSTER_RESOLVERS_DNS_GROUP_H
#define MUSTER_RESOLVERS_DNS_GROUP_H

#include <muster/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"

struct muster__dns_scope;
struct muster__dns_server;

enum { MUSTER__DNS_SERVERS_MAX = 16 };

/* Where a server is. */
typedef struct muster__dns_place {
    muster__dns_address address;
    uint16_t port;
} muster__dns_place;

/* How servers are asked. */
typedef struct muster__dns_manner {
    uint32_t timeout_ms;
    uint32_t tries;
    bool asks_all; /* "no such name" counts when all that reply say so */
} muster__dns_manner;

typedef struct muster__dns_group {
    struct muster__dns_group *next; /* the scope's */
    struct muster__dns_scope *scope;
    uint32_t n_references;
    muster__dns_manner manner;
    size_t n;
    struct muster__dns_server *servers[MUSTER__DNS_SERVERS_MAX];
} muster__dns_group;

/* Reads "10.0.0.1,10.0.0.2:5353,[2001:db8::1]:53" into places, which has room
 * for MUSTER__DNS_SERVERS_MAX. MUSTER_INVAL: err names the part that is wrong
 * and what is accepted. */
muster_status muster__dns_places_parse(const char *authority,
                                       muster__dns_place *places, size_t *ret_n,
                                       muster_error *err);

/* The group of n places (1 to MUSTER__DNS_SERVERS_MAX): a reference, the
 * caller's. NULL: out of memory. */
muster__dns_group *muster__dns_group_get(struct muster__dns_scope *scope,
                                         const muster__dns_place *places,
                                         size_t n,
                                         const muster__dns_manner *manner);

/* NULL is ignored. */
void muster__dns_group_unref(muster__dns_group *group);

#endif
