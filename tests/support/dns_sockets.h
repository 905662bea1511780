/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of a dns_server. Its thread's only. */
#ifndef MUSTER_TESTS_DNS_SOCKETS_H
#define MUSTER_TESTS_DNS_SOCKETS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "dns_server.h"
#include "loopback_port.h"

enum {
    DNS_MAX_CONNECTIONS = 64,
    DNS_MAX_QUERY = 1024,
    DNS_MAX_POLLED = DNS_MAX_CONNECTIONS + 2
};

typedef struct dns_connection {
    int fd;          /* -1: none */
    uint64_t number; /* no two have the same */
    size_t filled;
    uint8_t input[2 + DNS_MAX_QUERY];
} dns_connection;

/* Who gets a reply. */
typedef struct dns_peer {
    dns_transport transport;
    struct sockaddr_storage address; /* over UDP */
    socklen_t address_size;
    uint64_t connection; /* over TCP: its number */
} dns_peer;

typedef void (*dns_on_query_fn)(void *context, const uint8_t *query,
                                size_t size, const dns_peer *peer);

typedef struct dns_sockets {
    int udp;   /* -1: closed */
    int tcp;   /* -1: closed */
    int stray; /* UDP, on another port */
    dns_connection connections[DNS_MAX_CONNECTIONS];
    uint64_t last_number;
} dns_sockets;

/* False when no second port was to be had. */
bool dns_sockets_init(dns_sockets *self, int family);
void dns_sockets_fini(dns_sockets *self);

/* Opens the transports in wanted and closes the others. False when one cannot
 * be bound; try again then. */
bool dns_sockets_open(dns_sockets *self, const loopback_port *port,
                      unsigned wanted);

/* Fills what is to be polled; returns how many, at most DNS_MAX_POLLED. */
size_t dns_sockets_poll(const dns_sockets *self, struct pollfd *polled);

/* Reads what has come, and hands on whole queries. Never blocks. */
void dns_sockets_read(dns_sockets *self, dns_on_query_fn on_query,
                      void *context);

/* Sends a reply with the faults that concern sending: DNS_WRONG_PORT,
 * DNS_CLOSE. It is lost when its connection is gone; one that does not take it
 * at once is closed. */
void dns_sockets_send(dns_sockets *self, const dns_peer *peer,
                      const uint8_t *reply, size_t size, unsigned faults);

#endif
