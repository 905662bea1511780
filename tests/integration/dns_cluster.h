/* SPDX-License-Identifier: Apache-2.0 */
/* Real servers whose list is in the DNS of a real knotd. The servers are on
 * 127.0.0.2, 127.0.0.3... and say so in their id. What cannot be set up ends
 * the process. */
#ifndef MUSTER_TESTS_DNS_CLUSTER_H
#define MUSTER_TESTS_DNS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/grpc.h>

#include "backend.h"
#include "knot.h"

enum {
    DNS_CLUSTER_MAX = 8,
    DNS_CLUSTER_FIRST = 2, /* the first server's number, of 127.0.0.N */
    DNS_CLUSTER_TTL_S = 1,
    DNS_CLUSTER_TARGET_SIZE = 192
};

#define DNS_CLUSTER_ZONE "example.test"
#define DNS_CLUSTER_NAME "web." DNS_CLUSTER_ZONE
#define DNS_CLUSTER_SERVICE "_grpc._tcp." DNS_CLUSTER_ZONE

typedef struct dns_cluster {
    knot knot;
    backend servers[DNS_CLUSTER_MAX];
    size_t n_servers;
    int port;             /* of all servers; 0: each has its own */
    loopback_port holder; /* of port */
} dns_cluster;

/* Starts knot and the servers, on one port (addresses have none in the DNS) or
 * each on its own (SRV records say which). */
void dns_cluster_init(dns_cluster *self, size_t n_servers, bool has_one_port);

void dns_cluster_fini(dns_cluster *self);

/* Kills a server; starts it again where it was. */
void dns_cluster_kill(dns_cluster *self, size_t server);
void dns_cluster_restart(dns_cluster *self, size_t server);

/* Sets the A records of DNS_CLUSTER_NAME to the servers whose bits are set in
 * listed, with a TTL of 1 s. */
void dns_cluster_list(dns_cluster *self, unsigned listed);

/* The same on another knot with DNS_CLUSTER_ZONE. */
void dns_cluster_list_on(const dns_cluster *self, knot *server,
                         unsigned listed);

/* Sets the SRV records of DNS_CLUSTER_SERVICE to the servers whose bits are set
 * in listed: n_best are of the best priority, with those weights, the others of
 * the second. */
void dns_cluster_list_services(dns_cluster *self, unsigned listed,
                               const unsigned *weights, size_t n_best);

/* "dns://SERVERS/name:port", servers being knot's address when it is NULL, and
 * without a port when each has its own. Writes DNS_CLUSTER_TARGET_SIZE. */
const char *dns_cluster_target(const dns_cluster *self, const char *servers,
                               const char *name, char *ret_target);

/* A channel to target. The resolver is linked in, and registered here and by
 * dns_cluster_init(). */
muster_channel *dns_channel_open(const char *target,
                                 const muster_channel_options *options);

/* Waits until n endpoints are in the channel's list, and of those n_ready are
 * READY and picked from; dies after 20 s. */
void dns_channel_await(muster_channel *channel, uint64_t n, uint64_t n_ready);

/* What muster_channel_dump_json() says of the list. */
typedef struct dns_list {
    bool is_stale;
    uint64_t age_ms;
} dns_list;

dns_list dns_channel_list(muster_channel *channel);

/* Whether an endpoint with that address is in the channel's list. */
bool dns_channel_has(muster_channel *channel, const char *address);

#endif
