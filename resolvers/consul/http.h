/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl on the plugin host's loop: one multi handle for each agent, so that
 * libcurl itself bounds the agent's connections, and no thread. Thread:
 * control, all of it. */
#ifndef MUSTER_RESOLVERS_CONSUL_HTTP_H
#define MUSTER_RESOLVERS_CONSUL_HTTP_H

#include <muster/plugin.h>

#include <curl/curl.h>

#include <stdbool.h>
#include <stdint.h>

enum { MUSTER__CONSUL_UNWATCHED_MAX = 16 };

typedef struct muster__consul_http {
    /* the caller's */
    const muster_plugin_host *host;
    void *ctx; /* first argument of every host call */
    /* A transfer has ended; private is the easy handle's CURLOPT_PRIVATE. It is
     * out of the multi handle, and may be cleaned up. */
    void (*ended)(void *private, CURLcode code);
    /* For want of memory libcurl has lost track of what some transfer waits
     * for, and does not say of which: all are to be removed. */
    void (*lost)(void *owner);
    void *owner;

    CURLM *multi; /* NULL: there was no init */
    uint32_t max_connections;
    int timer; /* a descriptor: when libcurl wants to be called */
    CURL *unwatched[MUSTER__CONSUL_UNWATCHED_MAX]; /* n_unwatched, to be ended:
                                                      their sockets could not be
                                                      watched */
    unsigned n_unwatched;
    bool is_broken; /* multi has lost track: it is to be replaced */
} muster__consul_http;

/* The caller's part is set, all else zero. MUSTER_NOMEM, MUSTER_UNAVAILABLE. */
muster_status muster__consul_http_init(muster__consul_http *http,
                                       muster_error *err);

/* No transfer is left. Does nothing when there was no init. */
void muster__consul_http_fini(muster__consul_http *http);

/* From now on no connection is made while there are so many: a transfer waits
 * for one, or for room in one. 0: there may be any number. */
void muster__consul_http_limit(muster__consul_http *http,
                               uint32_t max_connections);

/* Begins a transfer; ended() comes later. False: out of memory. */
bool muster__consul_http_add(muster__consul_http *http, CURL *easy);

/* Ends one that was begun, before ended() came. */
void muster__consul_http_remove(muster__consul_http *http, CURL *easy);

#endif
