/* SPDX-License-Identifier: Apache-2.0 */
/* X-Consul-Index: the number that a blocking query waits to see exceeded
 * (developer.hashicorp.com/consul/api-docs/features/blocking). */
#ifndef MUSTER_RESOLVERS_CONSUL_INDEX_H
#define MUSTER_RESOLVERS_CONSUL_INDEX_H

#include <stdint.h>

/* What the header's text says; NULL: there was none. What is no number, or 0,
 * reads as 1, on which it is always safe to block: 0 would not block at all. */
uint64_t muster__consul_index_parse(const char *text);

/* What to send next, after sent brought got: 0, which asks anew, when the index
 * went back. */
uint64_t muster__consul_index_next(uint64_t sent, uint64_t got);

#endif
