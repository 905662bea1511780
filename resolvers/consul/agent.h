/* SPDX-License-Identifier: Apache-2.0 */
/* One agent, shared by all targets that ask it: where it is, how TLS is spoken
 * to it, and its connections, which the requests take in turns. Thread:
 * control, all of it. */
#ifndef MUSTER_RESOLVERS_CONSUL_AGENT_H
#define MUSTER_RESOLVERS_CONSUL_AGENT_H

#include <muster/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "environment.h"
#include "gone.h"
#include "http.h"
#include "place.h"
#include "queue.h"
#include "request.h"
#include "scope.h"

enum { MUSTER__CONSUL_ADDRESSES_SIZE = 2048 };

typedef enum muster__consul_version {
    MUSTER__CONSUL_UNKNOWN, /* with TLS: no answer has come yet */
    MUSTER__CONSUL_HTTP_1,
    MUSTER__CONSUL_HTTP_2
} muster__consul_version;

typedef struct muster__consul_agent {
    struct muster__consul_agent *next; /* of the scope's */
    muster__consul_scope *scope;
    uint32_t n_references;
    uint32_t n_targets;       /* that ask it */
    uint32_t max_connections; /* 0: what its kind allows */
    uint32_t former_slots;    /* connections that it took before fewer were
                                 allowed, while it counts them; else 0 */
    muster__consul_http http;
    muster__consul_place place;
    muster__consul_environment environment;   /* for TLS */
    char text[MUSTER__CONSUL_URL_SIZE];       /* for messages */
    char url[MUSTER__CONSUL_URL_SIZE];        /* what those of requests begin
                                                 with */
    char connect_to[MUSTER__CONSUL_URL_SIZE]; /* "": what the URL names */
    muster__consul_version version;
    bool has_told_turns;

    /* its name */
    char *addresses; /* "10.0.0.1,[::1]"; NULL: not known */
    bool is_stale;   /* they were of no use: to be looked up again */
    bool is_resolving;

    /* requests under way, that block and that do not; and such as wait for
     * their turn, the ones that do not block first */
    muster__consul_queue blocking;
    muster__consul_queue reading;
    muster__consul_queue waiting;
    muster__consul_queue urgent;
    muster__consul_gone gone;
    uint64_t timer; /* until there is room; 0: none */
} muster__consul_agent;

/* Finds the agent, or makes it. place and environment are copied. *ret_agent
 * takes a reference: see muster__consul_agent_leave(). MUSTER_NOMEM,
 * MUSTER_UNAVAILABLE. */
muster_status muster__consul_agent_join(
    muster__consul_scope *scope, const muster__consul_place *place,
    const muster__consul_environment *environment, uint32_t max_connections,
    muster__consul_agent **ret_agent, muster_error *err);
void muster__consul_agent_leave(muster__consul_agent *agent);

/* Those that a lookup kept. No target is left. */
void muster__consul_agents_destroy(muster__consul_scope *scope);

/* Sends request when its turn comes; done() is called later, never inside of
 * this, or lost() is. */
void muster__consul_agent_ask(muster__consul_agent *agent,
                              muster__consul_request *request);

/* done() will not be called. Does nothing when it was. Takes no time, whatever
 * the request waits for. */
void muster__consul_agent_cancel(muster__consul_agent *agent,
                                 muster__consul_request *request);

/* A transfer has ended, or all are to be: for muster__consul_http, whose owner
 * the agent is. */
void muster__consul_agent_ended(void *private, CURLcode code);
void muster__consul_agent_lost(void *owner);

/* ---- agent*.c and turns.c for each other ---- */

void muster__consul_agent_unref(muster__consul_agent *agent);

/* From now on there are at most so many connections; 0, or more than before: as
 * many as before. Lets libcurl know. */
void muster__consul_agent_limit(muster__consul_agent *agent,
                                uint32_t max_connections);

/* Begins what may be begun. */
void muster__consul_agent_pump(muster__consul_agent *agent);

/* Those that wait are told later that there is no address. */
void muster__consul_agent_fail_waiting(muster__consul_agent *agent,
                                       muster_status status);

/* Whether there is something to connect to; else looks it up and pumps. */
bool muster__consul_agent_has_addresses(muster__consul_agent *agent);

/* For request.c: socket and TLS. MUSTER_INVAL (err names a file that is none),
 * MUSTER_NOMEM. */
muster_status muster__consul_agent_set_up(const muster__consul_agent *agent,
                                          CURL *easy, muster_error *err);

#endif
