/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a reply, which may say anything. */
#ifndef MUSTER_RESOLVERS_DNS_PACKET_H
#define MUSTER_RESOLVERS_DNS_PACKET_H

#include "answer.h"

/* How a reply was none: what hold and the error message go by. */
typedef enum muster__dns_trouble {
    MUSTER__DNS_NO_TROUBLE,
    MUSTER__DNS_TIMEOUT,     /* no reply */
    MUSTER__DNS_UNREACHABLE, /* nobody listens there (ICMP, TCP reset) */
    MUSTER__DNS_REFUSED,     /* rcode REFUSED (or NOTAUTH) */
    MUSTER__DNS_SERVFAIL,    /* rcode SERVFAIL, and any other rcode */
    MUSTER__DNS_MALFORMED,   /* the reply cannot be right, or is cut short */
    MUSTER__DNS_LOCAL        /* no memory, no descriptor, ...: not the server */
} muster__dns_trouble;

/* Reads the size bytes at packet, which claim to answer the question for name
 * (lower case, without a trailing dot) and type. On MUSTER__DNS_ANSWER and
 * MUSTER__DNS_NO_SUCH_NAME *ret_answer is the caller's; on MUSTER__DNS_UNKNOWN
 * *ret_trouble and err say why. packet may be any bytes of any length.
 *
 * A CNAME chain (RFC 1034 section 3.6.2) is followed inside the reply, 64 links
 * at most; the answer's time to live is the smallest of its links and records.
 * One over 2^31 - 1 reads as 0 (RFC 2181 section 8). Records of another owner
 * or of another class are passed over; when such are all there is, the reply is
 * malformed and not a denial. A reply without a record of the type is a denial
 * when it is NXDOMAIN, has a SOA record, or has no record at all, else
 * malformed (a chain without an end, a referral); so is NXDOMAIN with records
 * of the type. A truncated reply is malformed: it must not remove addresses. */
muster__dns_outcome
muster__dns_packet_read(const uint8_t *packet, size_t size, const char *name,
                        muster__dns_type type, muster__dns_answer **ret_answer,
                        muster__dns_trouble *ret_trouble, muster_error *err);

#endif
