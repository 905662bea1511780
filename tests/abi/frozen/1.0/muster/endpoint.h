/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_ENDPOINT_H
#define MUSTER_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A key with a value: an endpoint attribute, or an option of a target. */
typedef struct muster_attribute {
    const char *key;
    const char *value;
} muster_attribute;

/* One thing that serves: one address, or several of the same thing (gRFC A61:
 * a dual-stack host is one endpoint). They are tried in their order, families
 * taking turns, and the first that is READY is used. Plain data; all that it
 * points to is borrowed for the call that passes it, and copied by the core.
 *
 * An address is "10.0.0.1:50051", "[::1]:50051", "[fe80::1%eth0]:50051",
 * "unix:/path" or "unix-abstract:name". Names are a resolver's business: an
 * address with a host name in it is refused.
 *
 * Identity is the set of addresses (in any order) with the host name. Weight,
 * priority, zone and attributes are not identity: changing them reconnects
 * nothing. All-zero fields but for address mean what people expect. */
typedef struct muster_endpoint {
    const char *address;               /* never NULL */
    const char *const *more_addresses; /* n_more_addresses further ones */
    const char *hostname; /* for TLS and :authority; NULL: the target's */
    const char *zone;     /* NULL: none */
    const muster_attribute *attributes; /* n_attributes of them */
    uint32_t n_more_addresses;
    uint32_t n_attributes;
    uint32_t weight;   /* relative share of calls; 0 reads as 1 */
    uint32_t priority; /* lower is preferred; 0 is the best */
} muster_endpoint;

/* State of a subchannel or a channel: gRPC's connectivity semantics
 * (github.com/grpc/grpc doc/connectivity-semantics-and-api.md). */
typedef enum muster_connectivity {
    MUSTER_IDLE = 0,
    MUSTER_CONNECTING = 1,
    MUSTER_READY = 2,
    MUSTER_TRANSIENT_FAILURE = 3,
    MUSTER_SHUTDOWN = 4
} muster_connectivity;

#ifdef __cplusplus
}
#endif

#endif
