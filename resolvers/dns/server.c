/* SPDX-License-Identifier: Apache-2.0 */
/* One DNS server behind one c-ares channel: one server to a channel and one try
 * to a query, since c-ares stops at the first "no such name" of several servers
 * and cannot change them while queries run.
 *
 * c-ares calls back from inside its functions, before it has put its own house
 * in order (CVE-2026-33630 came of that). So a callback only copies and
 * enqueues; finish_flights() hands out later, outside of c-ares. */
#include "server.h"

#include <ares.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "scope.h"

enum {
    FLIGHTS_MAX = 100,
    EDNS_SIZE = 1232, /* what passes everywhere unfragmented (DNS flag day) */
    CLASS_IN = 1,
    /* So many failures to reach it in a row, and the channel is made anew. */
    FAILURES_MAX = 3
};

typedef struct muster__dns_flight muster__dns_flight;

/* A query that c-ares has, or has given back. */
struct muster__dns_flight {
    muster__dns_flight *next;
    muster__dns_server *server;
    muster__dns_request *request; /* NULL: cancelled */
    uint8_t *packet;              /* owned */
    size_t size;
    int status; /* of c-ares */
};

struct muster__dns_server {
    muster__dns_server *next; /* of the scope's */
    muster__dns_scope *scope;
    uint32_t n_references;
    uint32_t timeout_ms;
    muster__dns_address address;
    uint16_t port;
    bool is_posted;      /* finish_posted() will be called */
    bool is_inside;      /* c-ares: who called it hands out */
    unsigned n_failures; /* to reach it, in a row */
    unsigned n_flights;  /* that c-ares has */
    uint64_t silent_until_ms;
    ares_channel channel; /* NULL: is made when it is needed */
    uint64_t timer;       /* of c-ares's time-outs; 0: none */
    uint64_t timer_due_ms;
    muster__dns_request *waiting; /* for their turn */
    muster__dns_request **waiting_end;
    muster__dns_flight *finished; /* given back by c-ares */
    muster__dns_flight **finished_end;
    char text[MUSTER__DNS_SERVER_TEXT_SIZE];
};

static void finish_posted(void *arg);
static void finish_flights(muster__dns_server *server);

/* ---- what c-ares gives back ---- */

/* The post holds a reference. When memory is short, whatever comes next on this
 * server does it, muster__dns_server_wake() at the latest. */
static void post_finish(muster__dns_server *server)
{
    const muster__dns_scope *scope = server->scope;

    if (server->is_posted || server->is_inside || server->finished == NULL) {
        return;
    }
    server->is_posted =
        scope->host->post(scope->ctx, finish_posted, server) == MUSTER_OK;
    server->n_references += server->is_posted ? 1 : 0;
}

static void on_reply(void *arg, int status, int n_timeouts,
                     unsigned char *packet, int size)
{
    muster__dns_flight *flight = arg;
    muster__dns_server *server = flight->server;

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
    *server->finished_end = flight;
    server->finished_end = &flight->next;
    server->n_flights--;
    post_finish(server);
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
    finish_flights(server);
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

/* Ends what is under way; it is finished as ARES_EDESTRUCTION. */
static void close_channel(muster__dns_server *server)
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
        close_channel(server);
    }
    return status;
}

/* ---- requests ---- */

static void give_up(muster__dns_flight *flight, int status)
{
    flight->server->n_flights++; /* which on_reply() takes back */
    on_reply(flight, status, 0, NULL, 0);
}

/* False: no memory even to fail it with. */
static bool send_request(muster__dns_server *server,
                         muster__dns_request *request)
{
    muster__dns_flight *flight = calloc(1, sizeof *flight);
    int status = ARES_SUCCESS;

    if (flight == NULL) {
        return false;
    }
    flight->server = server;
    flight->request = request;
    request->in = flight;
    if (server->channel == NULL) {
        status = open_channel(server);
    }
    if (status != ARES_SUCCESS) {
        give_up(flight, status);
        return true;
    }
    server->n_flights++;
    ares_query(server->channel, request->name, CLASS_IN, request->type,
               on_reply, flight);
    if (server->channel != NULL) {
        set_timer(server);
    }
    return true;
}

static void send_waiting(muster__dns_server *server)
{
    while (server->waiting != NULL && server->n_flights < FLIGHTS_MAX) {
        muster__dns_request *request = server->waiting;

        if (!send_request(server, request)) {
            return; /* it stays the first to be sent */
        }
        server->waiting = request->next;
        if (server->waiting == NULL) {
            server->waiting_end = &server->waiting;
        }
    }
}

void muster__dns_server_ask(muster__dns_server *server,
                            muster__dns_request *request)
{
    request->next = NULL;
    request->in = NULL;
    *server->waiting_end = request;
    server->waiting_end = &request->next;
    send_waiting(server);
}

void muster__dns_server_wake(muster__dns_server *server)
{
    if (server->channel != NULL && server->timer == 0) {
        set_timer(server);
    }
    send_waiting(server);
    post_finish(server);
}

void muster__dns_server_cancel(muster__dns_server *server,
                               muster__dns_request *request)
{
    muster__dns_request **at = &server->waiting;

    if (request->in != NULL) {
        request->in->request = NULL;
        request->in = NULL;
        return;
    }
    while (*at != NULL && *at != request) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return;
    }
    *at = request->next;
    if (*at == NULL) {
        server->waiting_end = at;
    }
}

/* ---- handing out ---- */

static void describe(const muster__dns_flight *flight,
                     muster__dns_result *result)
{
    result->packet = flight->packet;
    result->size = flight->size;
    if (flight->packet != NULL) {
        return;
    }
    switch (flight->status) {
    case ARES_ETIMEOUT:
        result->trouble = MUSTER__DNS_TIMEOUT;
        result->reason = "no reply in time";
        return;
    case ARES_ECONNREFUSED:
    case ARES_EDESTRUCTION: /* of sockets that were closed: see note_reply() */
        result->trouble = MUSTER__DNS_UNREACHABLE;
        result->reason = "it cannot be reached (nothing listens there, or the "
                         "connection broke)";
        return;
    default:
        result->trouble = MUSTER__DNS_LOCAL;
        result->reason = ares_strerror(flight->status);
    }
}

/* Whether to make the channel anew: what never gets through may be the
 * channel's own fault (a socket bound to an address that is gone). And a
 * refusal that was told to one query is not told to the others on the socket,
 * which would wait for their time-out. */
static bool note_reply(muster__dns_server *server,
                       const muster__dns_flight *flight)
{
    bool is_silent = flight->packet == NULL && flight->status == ARES_ETIMEOUT;

    if (flight->packet != NULL) {
        server->n_failures = 0;
        server->silent_until_ms = 0;
        return false;
    }
    if (is_silent) {
        server->silent_until_ms =
            muster__dns_now_ms(server->scope) + MUSTER__DNS_SILENT_MS;
    }
    if (is_silent || flight->status == ARES_ECONNREFUSED) {
        server->n_failures++;
    }
    return server->n_failures >= FAILURES_MAX ||
           (flight->status == ARES_ECONNREFUSED && server->n_flights > 0);
}

static void hand_out(muster__dns_flight *flight)
{
    muster__dns_request *request = flight->request;
    muster__dns_result result = {.packet = NULL};

    if (request != NULL) {
        request->in = NULL;
        describe(flight, &result);
        request->done(request, &result);
    }
    free(flight->packet);
    free(flight);
}

static muster__dns_flight *take_finished(muster__dns_server *server)
{
    muster__dns_flight *flight = server->finished;

    if (flight != NULL) {
        server->finished = flight->next;
        if (server->finished == NULL) {
            server->finished_end = &server->finished;
        }
    }
    return flight;
}

/* Those that need not wait for a server that has just fallen silent. */
static void skip_waiting(muster__dns_server *server)
{
    static const muster__dns_result skipped = {
        .trouble = MUSTER__DNS_TIMEOUT, .reason = "it did not reply lately"};
    muster__dns_request **at = &server->waiting;

    while (*at != NULL) {
        muster__dns_request *request = *at;

        if (!request->has_others) {
            at = &request->next;
            continue;
        }
        *at = request->next;
        if (*at == NULL) {
            server->waiting_end = at;
        }
        request->done(request, &skipped);
        at = &server->waiting; /* done() may have changed what waits */
    }
}

static void finish_flights(muster__dns_server *server)
{
    muster__dns_flight *flight;
    bool needs_channel = false;

    while ((flight = take_finished(server)) != NULL) {
        needs_channel = note_reply(server, flight) || needs_channel;
        hand_out(flight);
    }
    if (needs_channel) {
        server->n_failures = 0;
        close_channel(server);
    }
    if (muster__dns_server_is_silent(server)) {
        skip_waiting(server);
    }
    send_waiting(server);
    post_finish(server);
}

static void finish_posted(void *arg)
{
    muster__dns_server *server = arg;

    server->is_posted = false;
    finish_flights(server);
    muster__dns_server_unref(server);
}

bool muster__dns_server_is_silent(const muster__dns_server *server)
{
    return muster__dns_now_ms(server->scope) < server->silent_until_ms;
}

const char *muster__dns_server_text(const muster__dns_server *server)
{
    return server->text;
}

/* ---- life ---- */

static void write_text(muster__dns_server *server)
{
    char address[INET6_ADDRSTRLEN] = "";
    bool is_ipv4 = server->address.size == 4;

    (void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, server->address.bytes,
                    address, sizeof address);
    (void)snprintf(server->text, sizeof server->text,
                   is_ipv4 ? "%s:%u" : "[%s]:%u", address, server->port);
}

static muster__dns_server *find(const muster__dns_scope *scope,
                                const muster__dns_address *address,
                                uint16_t port, uint32_t timeout_ms)
{
    muster__dns_server *server = scope->servers;

    while (
        server != NULL &&
        (server->port != port || server->timeout_ms != timeout_ms ||
         server->address.size != address->size ||
         memcmp(server->address.bytes, address->bytes, address->size) != 0)) {
        server = server->next;
    }
    return server;
}

muster__dns_server *muster__dns_server_get(muster__dns_scope *scope,
                                           const muster__dns_address *address,
                                           uint16_t port, uint32_t timeout_ms)
{
    muster__dns_server *server = find(scope, address, port, timeout_ms);

    if (server == NULL) {
        server = calloc(1, sizeof *server);
        if (server == NULL) {
            return NULL;
        }
        server->scope = scope;
        server->timeout_ms = timeout_ms;
        server->address = *address;
        server->port = port;
        server->waiting_end = &server->waiting;
        server->finished_end = &server->finished;
        write_text(server);
        server->next = scope->servers;
        scope->servers = server;
    }
    server->n_references++;
    return server;
}

static void unlink_server(muster__dns_server *server)
{
    muster__dns_server **at = &server->scope->servers;

    while (*at != server) {
        at = &(*at)->next;
    }
    *at = server->next;
}

static void destroy(muster__dns_server *server)
{
    muster__dns_flight *flight;

    server->is_inside = true; /* closing must not post */
    close_channel(server);
    while ((flight = take_finished(server)) != NULL) {
        free(flight->packet);
        free(flight);
    }
    unlink_server(server);
    free(server);
}

void muster__dns_server_unref(muster__dns_server *server)
{
    if (server != NULL && --server->n_references == 0) {
        destroy(server);
    }
}

void muster__dns_servers_destroy(muster__dns_scope *scope)
{
    while (scope->servers != NULL) {
        destroy(scope->servers);
    }
}
