/* SPDX-License-Identifier: Apache-2.0 */
/* Queries and replies over UDP and TCP, none of which ever blocks. */
#include "dns_sockets.h"

#include <string.h>
#include <unistd.h>

enum { BACKLOG = 64, MAX_BURST = 256 };

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* ---- opening and closing ---- */

bool dns_sockets_init(dns_sockets *self, int family)
{
    memset(self, 0, sizeof *self);
    self->udp = -1;
    self->tcp = -1;
    for (size_t i = 0; i < DNS_MAX_CONNECTIONS; i++) {
        self->connections[i].fd = -1;
    }
    self->stray = loopback_bind(family, SOCK_DGRAM, 0);
    return self->stray >= 0;
}

static void close_tcp(dns_sockets *self)
{
    close_fd(&self->tcp);
    for (size_t i = 0; i < DNS_MAX_CONNECTIONS; i++) {
        close_fd(&self->connections[i].fd);
    }
}

void dns_sockets_fini(dns_sockets *self)
{
    close_tcp(self);
    close_fd(&self->udp);
    close_fd(&self->stray);
}

static int listen_on(const loopback_port *port)
{
    int fd = loopback_bind(port->family, SOCK_STREAM, port->number);

    if (fd >= 0 && listen(fd, BACKLOG) != 0) {
        close_fd(&fd);
    }
    return fd;
}

bool dns_sockets_open(dns_sockets *self, const loopback_port *port,
                      unsigned wanted)
{
    if ((wanted & DNS_UDP) == 0) {
        close_fd(&self->udp);
    } else if (self->udp < 0) {
        self->udp = loopback_bind(port->family, SOCK_DGRAM, port->number);
    }
    if ((wanted & DNS_TCP) == 0) {
        close_tcp(self);
    } else if (self->tcp < 0) {
        self->tcp = listen_on(port);
    }
    return ((wanted & DNS_UDP) == 0 || self->udp >= 0) &&
           ((wanted & DNS_TCP) == 0 || self->tcp >= 0);
}

/* ---- reading ---- */

static size_t add_polled(struct pollfd *polled, size_t n, int fd)
{
    if (fd < 0) {
        return n;
    }
    polled[n] = (struct pollfd){.fd = fd, .events = POLLIN};
    return n + 1;
}

size_t dns_sockets_poll(const dns_sockets *self, struct pollfd *polled)
{
    size_t n = add_polled(polled, 0, self->udp);

    n = add_polled(polled, n, self->tcp);
    for (size_t i = 0; i < DNS_MAX_CONNECTIONS; i++) {
        n = add_polled(polled, n, self->connections[i].fd);
    }
    return n;
}

static void read_udp(dns_sockets *self, dns_on_query_fn on_query, void *context)
{
    uint8_t query[DNS_MAX_QUERY];

    for (int i = 0; i < MAX_BURST && self->udp >= 0; i++) {
        dns_peer peer = {.transport = DNS_UDP,
                         .address_size = sizeof peer.address};
        const ssize_t n =
            recvfrom(self->udp, query, sizeof query, 0,
                     (struct sockaddr *)&peer.address, &peer.address_size);

        if (n < 0) {
            return;
        }
        on_query(context, query, (size_t)n, &peer);
    }
}

/* The place of the oldest when there is no other. */
static dns_connection *free_place(dns_sockets *self)
{
    dns_connection *oldest = &self->connections[0];

    for (size_t i = 0; i < DNS_MAX_CONNECTIONS; i++) {
        if (self->connections[i].fd < 0) {
            return &self->connections[i];
        }
        if (self->connections[i].number < oldest->number) {
            oldest = &self->connections[i];
        }
    }
    close_fd(&oldest->fd);
    return oldest;
}

/* So that several of the largest replies fit while nobody reads. */
static void enlarge_output(int fd)
{
    const int size = 4 * DNS_MESSAGE_SIZE;

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void accept_all(dns_sockets *self)
{
    for (int i = 0; i < MAX_BURST && self->tcp >= 0; i++) {
        const int fd =
            accept4(self->tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        dns_connection *connection;

        if (fd < 0) {
            return;
        }
        enlarge_output(fd);
        connection = free_place(self);
        connection->fd = fd;
        connection->number = ++self->last_number;
        connection->filled = 0;
    }
}

/* Hands on one query, if it is whole; false when it is not. */
static bool take_query(dns_connection *connection, dns_on_query_fn on_query,
                       void *context)
{
    const dns_peer peer = {.transport = DNS_TCP,
                           .connection = connection->number};
    uint8_t *input = connection->input;
    size_t size;

    if (connection->filled < 2) {
        return false;
    }
    size = (size_t)input[0] << 8 | input[1];
    if (size > DNS_MAX_QUERY) {
        close_fd(&connection->fd);
        return false;
    }
    if (connection->filled < 2 + size) {
        return false;
    }
    on_query(context, input + 2, size, &peer);
    connection->filled -= 2 + size;
    memmove(input, input + 2 + size, connection->filled);
    return connection->fd >= 0;
}

static void read_connection(dns_connection *connection,
                            dns_on_query_fn on_query, void *context)
{
    const ssize_t n =
        recv(connection->fd, connection->input + connection->filled,
             sizeof connection->input - connection->filled, MSG_DONTWAIT);

    if (n == 0) {
        close_fd(&connection->fd);
    }
    if (n <= 0) {
        return;
    }
    connection->filled += (size_t)n;
    while (take_query(connection, on_query, context)) {
    }
}

void dns_sockets_read(dns_sockets *self, dns_on_query_fn on_query,
                      void *context)
{
    read_udp(self, on_query, context);
    accept_all(self);
    for (size_t i = 0; i < DNS_MAX_CONNECTIONS; i++) {
        if (self->connections[i].fd >= 0) {
            read_connection(&self->connections[i], on_query, context);
        }
    }
}

/* ---- sending ---- */

static dns_connection *find_connection(dns_sockets *self, uint64_t number)
{
    for (size_t i = 0; i < DNS_MAX_CONNECTIONS; i++) {
        if (self->connections[i].fd >= 0 &&
            self->connections[i].number == number) {
            return &self->connections[i];
        }
    }
    return NULL;
}

static void send_tcp(dns_connection *connection, const uint8_t *reply,
                     size_t size, unsigned faults)
{
    uint8_t message[2 + DNS_MESSAGE_SIZE] = {(uint8_t)(size >> 8),
                                             (uint8_t)size};
    const size_t sent = 2 + ((faults & DNS_CLOSE) != 0 ? size / 2 : size);

    memcpy(message + 2, reply, size);
    if (send(connection->fd, message, sent, MSG_NOSIGNAL | MSG_DONTWAIT) !=
            (ssize_t)sent ||
        (faults & DNS_CLOSE) != 0) {
        close_fd(&connection->fd);
    }
}

void dns_sockets_send(dns_sockets *self, const dns_peer *peer,
                      const uint8_t *reply, size_t size, unsigned faults)
{
    const int udp = (faults & DNS_WRONG_PORT) != 0 ? self->stray : self->udp;
    dns_connection *connection;

    if (peer->transport == DNS_UDP) {
        (void)sendto(udp, reply, size, 0,
                     (const struct sockaddr *)&peer->address,
                     peer->address_size);
        return;
    }
    connection = find_connection(self, peer->connection);
    if (connection != NULL) {
        send_tcp(connection, reply, size, faults);
    }
}
