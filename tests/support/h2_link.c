/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a relay. */
#include "h2_link.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loopback_port.h"

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool is_empty(const h2_flow *self)
{
    return self->begin == self->end;
}

/* The descriptor is not free for others yet. */
static void reset_socket(int fd)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};

    (void)connect(fd, &none, sizeof none);
}

static void close_both(h2_link *self)
{
    (void)close(self->up.from);
    (void)close(self->down.from);
    self->is_open = false;
}

static void reset_both(h2_link *self)
{
    reset_socket(self->up.from);
    reset_socket(self->down.from);
    close_both(self);
}

/* What read() and send() say when it is not the end. */
static bool is_later(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* False: the connection is broken. */
static bool fill(h2_flow *self)
{
    const ssize_t n = read(self->from, self->buffer, sizeof self->buffer);

    if (n <= 0) {
        self->is_ended = n == 0;
        return n == 0 || is_later(n);
    }
    self->begin = 0;
    self->end = (size_t)n;
    h2_frames_read(&self->frames, self->buffer, self->end, now_ns());
    return true;
}

static bool drain(h2_flow *self)
{
    const ssize_t n = send(self->to, self->buffer + self->begin,
                           self->end - self->begin, MSG_NOSIGNAL);

    if (n < 0) {
        return is_later(n);
    }
    self->begin += (size_t)n;
    return true;
}

static bool advance(h2_flow *self)
{
    if (is_empty(self) && !self->is_ended && !fill(self)) {
        return false;
    }
    if (!is_empty(self) && !drain(self)) {
        return false;
    }
    if (is_empty(self) && self->is_ended && !self->is_finished) {
        self->is_finished = true;
        (void)shutdown(self->to, SHUT_WR);
    }
    return true;
}

void h2_link_advance(h2_link *self)
{
    if (!self->is_open || self->is_frozen) {
        return;
    }
    if (!advance(&self->up) || !advance(&self->down)) {
        reset_both(self);
    } else if (self->up.is_finished && self->down.is_finished) {
        close_both(self);
    }
}

static int connect_to(int port)
{
    struct sockaddr_storage address;
    const socklen_t size = loopback_address(AF_INET, port, &address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, size) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void prepare(int fd)
{
    const int on = 1;

    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static h2_link *create(int client, int server)
{
    h2_link *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    prepare(client);
    prepare(server);
    self->is_open = true;
    self->up.from = self->down.to = client;
    self->up.to = self->down.from = server;
    h2_frames_init(&self->up.frames, true);
    h2_frames_init(&self->down.frames, false);
    return self;
}

h2_link *h2_link_create(int client, int server_port)
{
    const int server = server_port == 0 ? -1 : connect_to(server_port);

    if (server < 0) { /* as the server would */
        reset_socket(client);
        (void)close(client);
        return NULL;
    }
    return create(client, server);
}

void h2_link_destroy(h2_link *self)
{
    if (self->is_open) {
        close_both(self);
    }
    free(self);
}

void h2_link_reset(h2_link *self)
{
    if (self->is_open) {
        reset_socket(self->up.from);
        reset_socket(self->down.from);
        self->is_frozen = false;
    }
}

static short events_of(const h2_flow *in, const h2_flow *out)
{
    const bool reads = is_empty(in) && !in->is_ended;
    const bool writes = !is_empty(out);

    return (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

/* Without an event to wait for, poll() is not to see the socket at all: it
 * would tell of its end again and again. */
static void set_waited(struct pollfd *waited, int fd, short events)
{
    waited->fd = events == 0 ? -1 : fd;
    waited->events = events;
    waited->revents = 0;
}

void h2_link_wait_for(const h2_link *self,
                      struct pollfd ret_waited[H2_LINK_N_WAITED])
{
    const bool is_still = !self->is_open || self->is_frozen;

    set_waited(&ret_waited[0], self->up.from,
               is_still ? 0 : events_of(&self->up, &self->down));
    set_waited(&ret_waited[1], self->down.from,
               is_still ? 0 : events_of(&self->down, &self->up));
}
