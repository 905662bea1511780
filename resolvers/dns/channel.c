/* SPDX-License-Identifier: Apache-2.0 */
/* The c-ares channel of a server: one server to a channel and one try to a
 * query, since c-ares stops at the first "no such name" of several servers and
 * cannot change them while queries run.
 *
 * c-ares calls back from inside its functions, before it has put its own house
 * in order (CVE-2026-33630 came of that). So a callback only copies and
 * enqueues; muster__dns_server_hand_out() comes later, outside of c-ares. */
#include "server_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum {
    EDNS_SIZE = 1232, /* what passes everywhere unfragmented (DNS flag day) */
    CLASS_IN = 1
};

static void on_reply(void *arg, int status, int n_timeouts,
                     unsigned char *packet, int size)
{
    muster__dns_flight *flight = arg;

    (void)n_timeouts;
    flight->status = status;
    if (packet != NULL && size > 0) {
        flight->packet = malloc((size_t)size);
        if (flight->packet == NULL) {
            flight->status = ARES_ENOMEM;
        } else {
            memcpy(flight->packet, packet, (size_t)size);
            flight->size = (size_t)size;
        }
    }
    muster__dns_server_finished(flight->server, flight);
}

/* ---- sockets and time ---- */

static void set_timer(muster__dns_server *server);

/* Lets c-ares read, write and look at the time, then hands out. */
static void process(muster__dns_server *server, int read_fd, int write_fd)
{
    if (server->channel == NULL) {
        return;
    }
    server->n_references++; /* handing out may drop the last one */
    server->is_inside = true;
    ares_process_fd(server->channel, read_fd, write_fd);
    server->is_inside = false;
    set_timer(server);
    muster__dns_server_hand_out(server);
    muster__dns_server_unref(server);
}

static void on_event(void *arg, int fd, unsigned events)
{
    process(arg, (events & MUSTER_READABLE) != 0 ? fd : ARES_SOCKET_BAD,
            (events & MUSTER_WRITABLE) != 0 ? fd : ARES_SOCKET_BAD);
}

static void on_socket(void *arg, ares_socket_t fd, int reads, int writes)
{
    muster__dns_server *server = arg;
    const muster__dns_scope *scope = server->scope;
    unsigned events = (reads ? (unsigned)MUSTER_READABLE : 0) |
                      (writes ? (unsigned)MUSTER_WRITABLE : 0);

    /* A socket that cannot be watched is one that times out. */
    (void)scope->host->watch(scope->ctx, fd, events, on_event, server);
}

static void on_timer(void *arg)
{
    muster__dns_server *server = arg;

    server->timer = 0;
    process(server, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void stop_timer(muster__dns_server *server)
{
    if (server->timer != 0) {
        server->scope->host->cancel(server->scope->ctx, server->timer);
        server->timer = 0;
    }
}

/* A timer that is early asks again, so only a late one is replaced. */
static void set_timer(muster__dns_server *server)
{
    const muster__dns_scope *scope = server->scope;
    struct timeval left;
    uint64_t delay_ms;
    uint64_t due_ms;

    if (ares_timeout(server->channel, NULL, &left) == NULL) {
        return;
    }
    /* One more: ares_timeout() is cut to whole milliseconds. */
    delay_ms = (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1;
    due_ms = muster__dns_now_ms(scope) + delay_ms;
    if (server->timer != 0 && server->timer_due_ms <= due_ms) {
        return;
    }
    stop_timer(server);
    server->timer_due_ms = due_ms;
    if (scope->host->call_later(scope->ctx, delay_ms, on_timer, server,
                                &server->timer) != MUSTER_OK) {
        server->timer = 0;
    }
}

/* ---- the channel ---- */

void muster__dns_channel_close(muster__dns_server *server)
{
    if (server->channel != NULL) {
        ares_destroy(server->channel);
        server->channel = NULL;
    }
    stop_timer(server);
}

/* Everything is given, so that c-ares reads no file. */
static int open_channel(muster__dns_server *server)
{
    struct in_addr placeholder = {.s_addr = htonl(INADDR_LOOPBACK)};
    char lookups[] = "b";
    struct ares_options options = {.flags =
                                       ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS,
                                   .timeout = (int)server->timeout_ms,
                                   .tries = 1,
                                   .ndots = 1,
                                   .servers = &placeholder,
                                   .nservers = 1,
                                   .lookups = lookups,
                                   .sock_state_cb = on_socket,
                                   .sock_state_cb_data = server,
                                   .ednspsz = EDNS_SIZE};
    struct ares_addr_port_node node = {
        .family = server->address.size == 4 ? AF_INET : AF_INET6,
        .udp_port = server->port,
        .tcp_port = server->port};
    int status = ares_init_options(
        &server->channel, &options,
        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
            ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
            ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ);

    if (status != ARES_SUCCESS) {
        server->channel = NULL;
        return status;
    }
    memcpy(&node.addr, server->address.bytes, server->address.size);
    status = ares_set_servers_ports(server->channel, &node);
    if (status != ARES_SUCCESS) {
        muster__dns_channel_close(server);
    }
    return status;
}

bool muster__dns_channel_send(muster__dns_server *server,
                              muster__dns_request *request)
{
    muster__dns_flight *flight = calloc(1, sizeof *flight);
    int status = ARES_SUCCESS;

    if (flight == NULL) {
        return false;
    }
    flight->server = server;
    flight->request = request;
    flight->lane = muster__dns_server_lane(server, request);
    request->in = flight;
    if (server->channel == NULL) {
        status = open_channel(server);
    }
    flight->lane->n_flights++;
    if (status != ARES_SUCCESS) {
        on_reply(flight, status, 0, NULL, 0);
        return true;
    }
    ares_query(server->channel, request->name, CLASS_IN, (int)request->type,
               on_reply, flight);
    if (server->channel != NULL) {
        set_timer(server);
    }
    return true;
}

void muster__dns_channel_wake(muster__dns_server *server)
{
    if (server->channel != NULL && server->timer == 0) {
        set_timer(server);
    }
}
