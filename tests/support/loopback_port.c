/* SPDX-License-Identifier: Apache-2.0 */
/* Takes and keeps a port of the loopback. */
#include "loopback_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define MAX_ATTEMPTS 64

socklen_t loopback_address(int family, int number,
                           struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;

    memset(ret_address, 0, sizeof *ret_address);
    if (family == AF_INET6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_loopback;
        v6->sin6_port = htons((uint16_t)number);
        return sizeof *v6;
    }
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4->sin_port = htons((uint16_t)number);
    return sizeof *v4;
}

static int bind_to(int family, int type, int number, int is_shared)
{
    struct sockaddr_storage address;
    const socklen_t size = loopback_address(family, number, &address);
    const int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error;

    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &is_shared,
                     sizeof is_shared);
    if (bind(fd, (struct sockaddr *)&address, size) != 0) {
        error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int loopback_bind(int family, int type, int number)
{
    return bind_to(family, type, number, type == SOCK_STREAM);
}

static int number_of(int fd)
{
    struct sockaddr_in6 address; /* the port is where IPv4 has it */
    socklen_t size = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return 0;
    }
    return ntohs(address.sin6_port);
}

/* The holder is bound without SO_REUSEADDR, so that two that take ports at the
 * same time cannot get the same; and has it from then on, so that the server
 * can bind. */
static bool take_once(loopback_port *ret_port, int family)
{
    const int yes = 1;
    const int udp = bind_to(family, SOCK_DGRAM, 0, 0);
    int number;
    int holder;

    if (udp < 0) {
        return false;
    }
    number = number_of(udp);
    holder = bind_to(family, SOCK_STREAM, number, 0);
    (void)close(udp);
    if (holder < 0) {
        return false;
    }
    (void)setsockopt(holder, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    *ret_port =
        (loopback_port){.family = family, .number = number, .holder = holder};
    return true;
}

bool loopback_port_take(loopback_port *ret_port, int family)
{
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        if (take_once(ret_port, family)) {
            return true;
        }
    }
    return false;
}

void loopback_port_release(loopback_port *port)
{
    if (port->number != 0) {
        (void)close(port->holder);
        port->number = 0;
    }
}
