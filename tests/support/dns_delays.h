/* SPDX-License-Identifier: Apache-2.0 */
/* The replies of a dns_server that are to be sent later. Its thread's only. */
#ifndef MUSTER_TESTS_DNS_DELAYS_H
#define MUSTER_TESTS_DNS_DELAYS_H

#include "dns_sockets.h"

typedef struct dns_delayed {
    uint64_t due_ns; /* CLOCK_MONOTONIC */
    dns_peer peer;
    unsigned faults;
    size_t size;
    uint8_t *bytes;
} dns_delayed;

/* Zeroed is empty. */
typedef struct dns_delays {
    dns_delayed *replies;
    size_t n;
    size_t capacity;
} dns_delays;

void dns_delays_fini(dns_delays *self);

/* Copies the reply. Over 1024 of them, it is dropped. */
void dns_delays_add(dns_delays *self, const dns_peer *peer,
                    const uint8_t *bytes, size_t size, unsigned faults,
                    uint32_t delay_ms);

/* Sends those that are due, in the order of their times; with NULL for the
 * sockets, drops them. */
void dns_delays_send(dns_delays *self, dns_sockets *sockets);

/* How long until the next is due, as poll() has it: -1 for ever. */
int dns_delays_timeout(const dns_delays *self);

#endif
