/* SPDX-License-Identifier: Apache-2.0 */
/* A port of the loopback, the same number for UDP and TCP, kept for a server
 * that comes and goes. */
#ifndef MUSTER_TESTS_LOOPBACK_PORT_H
#define MUSTER_TESTS_LOOPBACK_PORT_H

#include <stdbool.h>
#include <sys/socket.h>

typedef struct loopback_port {
    int family; /* AF_INET: 127.0.0.1, AF_INET6: ::1 */
    int number;
    int holder; /* bound to it and not listening; connecting is refused */
} loopback_port;

/* Has the kernel assign a number and keeps it from others who take one so;
 * sockets with SO_REUSEADDR may bind to it. UDP is not held, so as to refuse
 * while the server is away: a socket of somebody else may happen to get the
 * number, and a server must be ready to take another port, or to wait. */
bool loopback_port_take(loopback_port *ret_port, int family);

/* Does nothing when the port was given back before. */
void loopback_port_release(loopback_port *port);

/* A socket bound to number on the family's loopback, 0 for any: with
 * SO_REUSEADDR for TCP. -1 when that fails, with errno set. */
int loopback_bind(int family, int type, int number);

socklen_t loopback_address(int family, int number,
                           struct sockaddr_storage *ret_address);

#endif
