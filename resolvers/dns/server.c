/* SPDX-License-Identifier: Apache-2.0 */
/* One DNS server: who asks it, who waits for a turn, and what they are told. */
#include "server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server_internal.h"

/* So many failures to reach it in a row, and the channel is made anew. */
enum { FAILURES_MAX = 3 };

/* ---- requests ---- */

static void dequeue(muster__dns_server *server, muster__dns_request *request)
{
    request->is_waiting = false;
    TAILQ_REMOVE(&muster__dns_server_lane(server, request)->waiting, request,
                 link);
}

static void send_waiting(muster__dns_server *server)
{
    for (size_t i = 0; i < MUSTER__DNS_LANES; i++) {
        muster__dns_lane *lane = &server->lanes[i];
        muster__dns_request *request;

        while (lane->n_flights < MUSTER__DNS_LANE_MAX &&
               (request = TAILQ_FIRST(&lane->waiting)) != NULL) {
            if (!muster__dns_channel_send(server, request)) {
                return; /* it stays the first to be sent */
            }
            dequeue(server, request);
        }
    }
}

static void enqueue(muster__dns_server *server, muster__dns_request *request)
{
    request->in = NULL;
    request->is_waiting = true;
    TAILQ_INSERT_TAIL(&muster__dns_server_lane(server, request)->waiting,
                      request, link);
}

/* The first to ask a server again that was silent finds out for the others. */
static void probe(muster__dns_server *server)
{
    if (server->is_suspect && !muster__dns_server_is_silent(server)) {
        server->silent_until_ms =
            muster__dns_now_ms(server->scope) + server->timeout_ms;
    }
}

void muster__dns_server_ask(muster__dns_server *server,
                            muster__dns_request *request)
{
    request->was_resent = false;
    probe(server);
    enqueue(server, request);
    send_waiting(server);
}

void muster__dns_server_cancel(muster__dns_server *server,
                               muster__dns_request *request)
{
    if (request->in != NULL) {
        request->in->request = NULL;
        request->in = NULL;
    } else if (request->is_waiting) {
        dequeue(server, request);
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
    case ARES_EDESTRUCTION: /* of sockets that were closed: see note_result() */
        result->trouble = MUSTER__DNS_UNREACHABLE;
        result->reason = "it cannot be reached (nothing listens there, or the "
                         "connection broke)";
        return;
    default:
        result->trouble = MUSTER__DNS_LOCAL;
        result->reason = ares_strerror(flight->status);
    }
}

static bool has_flights(const muster__dns_server *server)
{
    return server->lanes[0].n_flights + server->lanes[1].n_flights > 0;
}

/* Whether to make the channel anew: what never gets through may be the
 * channel's own fault (a socket bound to an address that is gone). And a
 * refusal that was told to one query is not told to the others on the socket,
 * which would wait for their time-out. */
static bool note_result(muster__dns_server *server,
                        const muster__dns_flight *flight)
{
    bool is_silent = flight->packet == NULL && flight->status == ARES_ETIMEOUT;

    if (flight->packet != NULL) {
        server->n_failures = 0;
        server->silent_until_ms = 0;
        server->is_suspect = false;
        return false;
    }
    if (is_silent) {
        server->is_suspect = true;
        server->silent_until_ms =
            muster__dns_now_ms(server->scope) + MUSTER__DNS_SILENT_MS;
    }
    if (is_silent || flight->status == ARES_ECONNREFUSED) {
        server->n_failures++;
    }
    return server->n_failures >= FAILURES_MAX ||
           (flight->status == ARES_ECONNREFUSED && has_flights(server));
}

/* What went down with a channel because of others is asked once more. */
static bool resend(muster__dns_flight *flight)
{
    muster__dns_request *request = flight->request;

    if (flight->status != ARES_EDESTRUCTION || request->was_resent) {
        return false;
    }
    request->was_resent = true;
    enqueue(flight->server, request);
    return true;
}

/* Takes ownership of flight. */
static void tell(muster__dns_flight *flight)
{
    muster__dns_request *request = flight->request;
    muster__dns_result result = {.packet = NULL};

    if (request != NULL && !resend(flight)) {
        request->in = NULL;
        describe(flight, &result);
        request->done(request, &result);
    }
    free(flight->packet);
    free(flight);
}

static muster__dns_flight *take_finished(muster__dns_server *server)
{
    muster__dns_flight *flight = STAILQ_FIRST(&server->finished);

    if (flight != NULL) {
        STAILQ_REMOVE_HEAD(&server->finished, link);
    }
    return flight;
}

/* One that need not wait for a server that has fallen silent; or NULL. */
static muster__dns_request *find_skippable(muster__dns_server *server)
{
    for (size_t i = 0; i < MUSTER__DNS_LANES; i++) {
        muster__dns_request *request;

        TAILQ_FOREACH(request, &server->lanes[i].waiting, link)
        {
            if (request->has_others) {
                return request;
            }
        }
    }
    return NULL;
}

static void skip_waiting(muster__dns_server *server)
{
    static const muster__dns_result skipped = {
        .trouble = MUSTER__DNS_TIMEOUT, .reason = "it did not reply lately"};
    muster__dns_request *request;

    while (muster__dns_server_is_silent(server) &&
           (request = find_skippable(server)) != NULL) {
        dequeue(server, request);
        request->done(request, &skipped);
    }
}

static void post_hand_out(muster__dns_server *server);

void muster__dns_server_hand_out(muster__dns_server *server)
{
    muster__dns_flight *flight;
    bool needs_channel = false;

    while ((flight = take_finished(server)) != NULL) {
        needs_channel = note_result(server, flight) || needs_channel;
        tell(flight);
    }
    if (needs_channel) {
        server->n_failures = 0;
        muster__dns_channel_close(server);
    }
    skip_waiting(server);
    send_waiting(server);
    post_hand_out(server);
}

static void on_post(void *arg)
{
    muster__dns_server *server = arg;

    server->is_posted = false;
    muster__dns_server_hand_out(server);
    muster__dns_server_unref(server);
}

/* The post holds a reference. When memory is short, whatever comes next on this
 * server does it, muster__dns_server_wake() at the latest. */
static void post_hand_out(muster__dns_server *server)
{
    const muster__dns_scope *scope = server->scope;

    if (server->is_posted || server->is_inside ||
        STAILQ_EMPTY(&server->finished)) {
        return;
    }
    server->is_posted =
        scope->host->post(scope->ctx, on_post, server) == MUSTER_OK;
    server->n_references += server->is_posted ? 1 : 0;
}

void muster__dns_server_finished(muster__dns_server *server,
                                 muster__dns_flight *flight)
{
    flight->lane->n_flights--;
    STAILQ_INSERT_TAIL(&server->finished, flight, link);
    post_hand_out(server);
}

void muster__dns_server_wake(muster__dns_server *server)
{
    muster__dns_channel_wake(server);
    send_waiting(server);
    post_hand_out(server);
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
        for (size_t i = 0; i < MUSTER__DNS_LANES; i++) {
            TAILQ_INIT(&server->lanes[i].waiting);
        }
        STAILQ_INIT(&server->finished);
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
    muster__dns_channel_close(server);
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
