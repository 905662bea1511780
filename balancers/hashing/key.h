/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of calls and endpoints, for the policies that hash: their common
 * settings, and what is hashed. Inline, because a policy is one shared object
 * or one object file among others. README.md says what users need to know. */
#ifndef MUSTER_BALANCERS_HASHING_KEY_H
#define MUSTER_BALANCERS_HASHING_KEY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <muster/balancer.h>

#include <xxhash.h>

#include "../backends.h"
#include "../config.h"

typedef struct hashing_settings {
    char header[256];        /* in lower case; "": none */
    uint32_t balance_factor; /* in percent of an even share; 0: no bound */
    bool uses_hostname;
} hashing_settings;

/* An endpoint as tables are made of it. */
typedef struct hashing_member {
    const char *key;
    /* These decide the order of equal keys. */
    const char *address;
    const char *hostname; /* "": none */
    const char *const *more_addresses;
    uint32_t n_more_addresses;
    uint64_t id;
    uint32_t index;  /* where it was found */
    uint32_t weight; /* 1 at least */
    uint32_t rank;   /* how many before it have the same key */
} hashing_member;

/* ---- settings ---- */

/* Copies a header's name in lower case. The values of binary headers are not
 * what the wire carries, so gRFC A76 refuses them. */
static inline bool hashing_set_header(hashing_settings *self, const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    size_t size = strlen(name);

    if (size >= sizeof self->header) {
        return false;
    }
    for (size_t i = 0; i <= size; i++) {
        bool is_upper = name[i] >= 'A' && name[i] <= 'Z';

        self->header[i] = (char)(is_upper ? name[i] - 'A' + 'a' : name[i]);
    }
    return strspn(self->header, allowed) == size &&
           (size < 4 || strcmp(&self->header[size - 4], "-bin") != 0);
}

static inline void hashing_read(config *settings, hashing_settings *ret_self)
{
    const char *header = "";

    config_text(settings, "requestHashHeader", &header);
    if (!hashing_set_header(ret_self, header)) {
        config_refuse(settings, "requestHashHeader",
                      "the name of a header that is not binary");
    }
    config_integer(settings, "hashBalanceFactor", 100, 1000000,
                   &ret_self->balance_factor);
    config_bool(settings, "useHostnameForHashing", &ret_self->uses_hostname);
}

/* ---- calls ---- */

/* The key of a call; NULL when it has none. An empty one is none. */
static inline const char *hashing_call_key(const hashing_settings *self,
                                           const muster_call_info *call)
{
    const char *key = call->hash_key;

    if ((key == NULL || *key == '\0') && self->header[0] != '\0' &&
        call->header != NULL) {
        key = call->header(call->header_arg, self->header);
    }
    return key == NULL || *key == '\0' ? NULL : key;
}

/* The hash of a call's key, or a random number when it has none: then any
 * endpoint will do (gRFC A76). */
static inline uint64_t hashing_call_hash(const hashing_settings *self,
                                         const muster_balancer_env *env,
                                         const muster_call_info *call)
{
    const char *key = hashing_call_key(self, call);

    return key == NULL ? env->host->random(env->ctx)
                       : XXH64(key, strlen(key), 0);
}

/* ---- endpoints ---- */

static inline const char *hashing_endpoint_key(const hashing_settings *self,
                                               const muster_endpoint *endpoint)
{
    for (uint32_t i = 0; i < endpoint->n_attributes; i++) {
        const muster_attribute *attribute = &endpoint->attributes[i];

        if (strcmp(attribute->key, "hash_key") == 0 &&
            attribute->value != NULL && attribute->value[0] != '\0') {
            return attribute->value;
        }
    }
    return self->uses_hostname && endpoint->hostname != NULL &&
                   endpoint->hostname[0] != '\0'
               ? endpoint->hostname
               : endpoint->address;
}

/* Texts stay the endpoint's. */
static inline hashing_member hashing_member_of(const hashing_settings *self,
                                               const muster_backend *backend,
                                               uint32_t index)
{
    const muster_endpoint *endpoint = backend->endpoint;
    const hashing_member member = {
        .key = hashing_endpoint_key(self, endpoint),
        .address = endpoint->address,
        .hostname = endpoint->hostname == NULL ? "" : endpoint->hostname,
        .more_addresses = endpoint->more_addresses,
        .n_more_addresses = endpoint->n_more_addresses,
        .id = backend->id,
        .index = index,
        .weight = endpoint->weight == 0 ? 1 : endpoint->weight};

    return member;
}

static inline int hashing_compare_more(const hashing_member *a,
                                       const hashing_member *b)
{
    for (uint32_t i = 0; i < a->n_more_addresses && i < b->n_more_addresses;
         i++) {
        int order = strcmp(a->more_addresses[i], b->more_addresses[i]);

        if (order != 0) {
            return order;
        }
    }
    return (a->n_more_addresses > b->n_more_addresses) -
           (a->n_more_addresses < b->n_more_addresses);
}

/* By all that makes an endpoint another one, so that no two are equal: the
 * order of those would be that of the list. */
static inline int hashing_compare(const void *one, const void *other)
{
    const hashing_member *a = one;
    const hashing_member *b = other;
    int order = strcmp(a->key, b->key);

    if (order == 0) {
        order = strcmp(a->address, b->address);
    }
    if (order == 0) {
        order = strcmp(a->hostname, b->hostname);
    }
    return order != 0 ? order : hashing_compare_more(a, b);
}

/* Into the order of their keys, so that all clients make the same table,
 * whatever the order of their lists. */
static inline void hashing_arrange(hashing_member *members, size_t n)
{
    qsort(members, n, sizeof members[0], hashing_compare);
    for (size_t i = 0; i < n; i++) {
        members[i].rank =
            i > 0 && strcmp(members[i - 1].key, members[i].key) == 0
                ? members[i - 1].rank + 1
                : 0;
    }
}

/* The READY view, arranged. The caller's to free(); NULL when memory is short.
 */
static inline hashing_member *
hashing_arrange_ready(const hashing_settings *self,
                      const muster_build_args *args)
{
    hashing_member *members = malloc(args->n_ready * sizeof members[0]);

    if (members == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < args->n_ready; i++) {
        members[i] = hashing_member_of(self, backends_ready(args, i), i);
    }
    hashing_arrange(members, args->n_ready);
    return members;
}

/* Of a member. Those of one key differ by their rank; the seeds of a member
 * with a key of its own are 0 and 1, as everybody's. */
static inline uint64_t hashing_member_hash(const hashing_member *member,
                                           uint32_t seed)
{
    return XXH64(member->key, strlen(member->key),
                 2 * (uint64_t)member->rank + seed);
}

#endif
