/* SPDX-License-Identifier: Apache-2.0 */
/* A reply taken apart into records: what the reading of packets shares inside.
 * Functions that return a trouble have filled reply->err when there is one.
 * Thread: any, one at a time for a reply. */
#ifndef MUSTER_RESOLVERS_DNS_REPLY_H
#define MUSTER_RESOLVERS_DNS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

/* What else a reply is read for (RFC 1035 section 3.2). */
enum { MUSTER__DNS_CNAME = 5, MUSTER__DNS_SOA = 6, MUSTER__DNS_CLASS_IN = 1 };

typedef struct muster__dns_record {
    char *owner; /* lower case; NULL: of a type or class that is not read */
    size_t data; /* where its data begins in the packet */
    uint16_t data_size;
    uint16_t type;
    uint16_t class_number;
    uint32_t ttl_s;
    bool is_on_chain; /* its owner is the name, or what the name stands for */
    bool is_followed; /* a link of the chain */
    bool is_match;    /* what was asked for */
} muster__dns_record;

typedef struct muster__dns_reply {
    const uint8_t *packet;
    size_t size;
    const char *name;
    muster__dns_type type;
    muster_error *err;

    size_t at; /* what is before it has been read */

    /* The answer section, then authority, then additional. */
    muster__dns_record *records;
    size_t n_records;
    size_t n_claimed; /* how many there are by the header */
    size_t n_answers;
    size_t n_authorities;

    size_t n_matches;
    uint64_t ttl_s; /* the smallest of links and matches; or UINT64_MAX */
} muster__dns_reply;

static inline uint16_t muster__dns_read_16(const uint8_t *bytes)
{
    return (uint16_t)((unsigned)bytes[0] << 8 | bytes[1]);
}

/* A time to live: over 2^31 - 1 it reads as 0 (RFC 2181 section 8). */
static inline uint32_t muster__dns_read_ttl(const uint8_t *bytes)
{
    uint32_t ttl_s = (uint32_t)muster__dns_read_16(bytes) << 16 |
                     muster__dns_read_16(bytes + 2);

    return ttl_s > INT32_MAX ? 0 : ttl_s;
}

static inline uint64_t muster__dns_smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Reads header and question. packet, size, name, type and err are set, all else
 * is zero. */
muster__dns_trouble muster__dns_reply_open(muster__dns_reply *reply);

/* Reads the records of all sections, after the question. */
muster__dns_trouble muster__dns_reply_read_records(muster__dns_reply *reply);

/* Follows the CNAME chain from the name; marks and counts what it leads to.
 * Records that lead nowhere are a trouble when they are all there is. */
muster__dns_trouble muster__dns_reply_follow(muster__dns_reply *reply);

/* Makes the answer of what is marked; there is something. Owners may move from
 * the reply into it. */
muster__dns_trouble muster__dns_reply_answer(muster__dns_reply *reply,
                                             muster__dns_answer **ret_answer);

void muster__dns_reply_fini(muster__dns_reply *reply);

/* Says that the reply is malformed: "WHAT". */
muster__dns_trouble muster__dns_reply_malformed(const muster__dns_reply *reply,
                                                const char *what);

/* The same of a part: "WHAT in record 3 of 5". number counts from 1; 0 is the
 * question. */
muster__dns_trouble muster__dns_reply_fail(const muster__dns_reply *reply,
                                           size_t number, const char *what);

muster__dns_trouble
muster__dns_reply_out_of_memory(const muster__dns_reply *reply);

/* Moves *at behind the name that begins there, in the question or record of
 * that number. */
muster__dns_trouble muster__dns_name_skip(const muster__dns_reply *reply,
                                          size_t number, size_t *at);

/* As skip; name, of MUSTER__DNS_NAME_SIZE bytes, is it in lower case. */
muster__dns_trouble muster__dns_name_read(const muster__dns_reply *reply,
                                          size_t number, size_t *at,
                                          char *name);

#endif
