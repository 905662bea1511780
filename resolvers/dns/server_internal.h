/* SPDX-License-Identifier: Apache-2.0 */
/* A server from inside: server.c, who asks and is answered; channel.c, what
 * c-ares has to do with it. Thread: control, all of it. */
#ifndef MUSTER_RESOLVERS_DNS_SERVER_INTERNAL_H
#define MUSTER_RESOLVERS_DNS_SERVER_INTERNAL_H

#include "server.h"

#include <ares.h>

#include "scope.h"

typedef struct muster__dns_flight muster__dns_flight;

/* What may be under way at once. AAAA has a lane of its own: the servers of
 * many networks never answer for it, and nothing else must wait for that. */
enum { MUSTER__DNS_LANES = 2, MUSTER__DNS_LANE_MAX = 50 };

typedef struct muster__dns_lane {
    TAILQ_HEAD(, muster__dns_request) waiting;
    unsigned n_flights; /* that c-ares has */
} muster__dns_lane;

/* A query that c-ares has, or has given back. */
struct muster__dns_flight {
    STAILQ_ENTRY(muster__dns_flight) link;
    muster__dns_server *server;
    muster__dns_lane *lane;
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
    bool is_posted;      /* handing out will be done */
    bool is_inside;      /* c-ares: who called it hands out */
    bool is_suspect;     /* it did not reply the last time */
    unsigned n_failures; /* to reach it, in a row */
    uint64_t silent_until_ms;
    muster__dns_lane lanes[MUSTER__DNS_LANES];
    STAILQ_HEAD(, muster__dns_flight) finished; /* given back by c-ares */
    ares_channel channel; /* NULL: is made when it is needed */
    uint64_t timer;       /* of c-ares's time-outs; 0: none */
    uint64_t timer_due_ms;
    char text[MUSTER__DNS_SERVER_TEXT_SIZE];
};

static inline muster__dns_lane *
muster__dns_server_lane(muster__dns_server *server,
                        const muster__dns_request *request)
{
    return &server->lanes[request->type == MUSTER__DNS_AAAA ? 1 : 0];
}

/* ---- channel.c ---- */

/* Gives request to c-ares. False: no memory even to fail it with. */
bool muster__dns_channel_send(muster__dns_server *server,
                              muster__dns_request *request);

/* Ends what is under way, as ARES_EDESTRUCTION. The next request opens it anew.
 */
void muster__dns_channel_close(muster__dns_server *server);

/* Sets the timer that there was no memory for. */
void muster__dns_channel_wake(muster__dns_server *server);

/* ---- server.c ---- */

/* c-ares has given flight back: takes ownership. Does not hand out at once. */
void muster__dns_server_finished(muster__dns_server *server,
                                 muster__dns_flight *flight);

/* Hands out what is finished, and asks what waits. Not from inside c-ares. */
void muster__dns_server_hand_out(muster__dns_server *server);

#endif
