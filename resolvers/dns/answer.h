/* SPDX-License-Identifier: Apache-2.0 */
/* What a question was answered with: immutable and counted, so that all who
 * asked share it. Thread: control, all of it. */
#ifndef MUSTER_RESOLVERS_DNS_ANSWER_H
#define MUSTER_RESOLVERS_DNS_ANSWER_H

#include <muster/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Record types that muster asks for (RFC 1035, 3596, 2782). */
typedef enum muster__dns_type {
    MUSTER__DNS_A = 1,
    MUSTER__DNS_TXT = 16,
    MUSTER__DNS_AAAA = 28,
    MUSTER__DNS_SRV = 33
} muster__dns_type;

/* Room for a name in text: 253 bytes and a NUL (RFC 1035 section 2.3.4). */
enum { MUSTER__DNS_NAME_SIZE = 254 };

/* Three outcomes, as Prometheus has them: only the first two say anything of
 * the list. */
typedef enum muster__dns_outcome {
    MUSTER__DNS_ANSWER,       /* records of the type */
    MUSTER__DNS_NO_SUCH_NAME, /* NXDOMAIN, or a name without such records */
    MUSTER__DNS_UNKNOWN       /* anything else: it changes nothing */
} muster__dns_outcome;

/* An IPv4 (4 bytes) or IPv6 (16 bytes) address, in network order. */
typedef struct muster__dns_address {
    uint8_t size; /* 4 or 16 */
    uint8_t bytes[16];
} muster__dns_address;

/* An SRV record. */
typedef struct muster__dns_service {
    uint16_t priority;
    uint16_t weight;
    uint16_t port;
    const char *target; /* lower case, without a trailing dot; "" is "." */
} muster__dns_service;

/* An address record of the additional section. */
typedef struct muster__dns_extra {
    const char *owner; /* lower case, without a trailing dot */
    muster__dns_address address;
    uint32_t ttl_s;
} muster__dns_extra;

typedef struct muster__dns_answer {
    uint32_t n_references;
    muster__dns_type type;
    muster__dns_outcome outcome; /* ANSWER or NO_SUCH_NAME */
    bool is_nxdomain; /* of NO_SUCH_NAME: for any type, not only this one */
    uint64_t ttl_s;   /* the smallest of the chain, or of the denial (RFC 2308);
                         UINT64_MAX: a denial that does not say */

    /* Of ANSWER: n records of the type, in the packet's order. */
    size_t n;
    muster__dns_address *addresses; /* A and AAAA */
    muster__dns_service *services;  /* SRV */
    char **texts; /* TXT: a record's strings joined, as far as a NUL in them */

    muster__dns_extra *extras; /* SRV: n_extras of them */
    size_t n_extras;
} muster__dns_answer;

/* "AAAA". */
const char *muster__dns_type_name(muster__dns_type type);

muster__dns_answer *muster__dns_answer_ref(muster__dns_answer *answer);

/* NULL is ignored. */
void muster__dns_answer_unref(muster__dns_answer *answer);

#endif
