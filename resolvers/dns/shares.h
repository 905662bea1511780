/* SPDX-License-Identifier: Apache-2.0 */
/* From the weights of services to the weights of endpoints. Thread: any. */
#ifndef MUSTER_RESOLVERS_DNS_SHARES_H
#define MUSTER_RESOLVERS_DNS_SHARES_H

#include <stddef.h>
#include <stdint.h>

/* A service and the endpoints that it came to. */
typedef struct muster__dns_share {
    uint16_t priority;
    uint16_t weight;   /* of the SRV record */
    uint32_t n;        /* endpoints; 0: none */
    uint32_t ret_each; /* weight of each of them; at least 1 */
} muster__dns_share;

/* Sets ret_each. Within a priority, services get calls as their weights are to
 * each other, and the endpoints of a service have equal parts of its share.
 * RFC 2782: a weight of 0 means a very small chance beside others (a hundredth
 * of what a weight of 1 gets), and an equal one when all are 0. */
void muster__dns_shares_set(muster__dns_share *shares, size_t n);

#endif
