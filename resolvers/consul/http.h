/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl on the plugin host's loop: one multi handle for the process, and no
 * thread. Thread: control, all of it. */
#ifndef MUSTER_RESOLVERS_CONSUL_HTTP_H
#define MUSTER_RESOLVERS_CONSUL_HTTP_H

#include <muster/status.h>

#include <curl/curl.h>

#include <stdbool.h>
#include <stdint.h>

struct muster__consul_scope;

enum { MUSTER__CONSUL_UNWATCHED_MAX = 16 };

typedef struct muster__consul_http {
    CURLM *multi;
    int timer; /* a descriptor: when libcurl wants to be called */
    CURL *unwatched[MUSTER__CONSUL_UNWATCHED_MAX]; /* n_unwatched, to be ended:
                                                      their sockets could not be
                                                      watched */
    unsigned n_unwatched;
    bool is_broken; /* multi has lost track: it is to be replaced */
    /* A transfer has ended; private is the easy handle's CURLOPT_PRIVATE. It is
     * out of the multi handle, and may be cleaned up. */
    void (*ended)(void *private, CURLcode code);
    /* For want of memory libcurl has lost track of what some transfer waits
     * for, and does not say of which: all are to be removed. */
    void (*lost)(struct muster__consul_scope *scope);
} muster__consul_http;

/* scope->host and scope->ctx are set, ended and lost of scope->http, too.
 * MUSTER_NOMEM, MUSTER_UNAVAILABLE. */
muster_status muster__consul_http_init(struct muster__consul_scope *scope,
                                       muster_error *err);

/* No transfer is left. */
void muster__consul_http_fini(struct muster__consul_scope *scope);

/* Begins a transfer; ended() comes later. False: out of memory. */
bool muster__consul_http_add(struct muster__consul_scope *scope, CURL *easy);

/* Ends one that was begun, before ended() came. */
void muster__consul_http_remove(struct muster__consul_scope *scope, CURL *easy);

#endif
