/* SPDX-License-Identifier: Apache-2.0 */
/* One request to an agent, and what comes back. Thread: control, all of it. */
#ifndef MUSTER_RESOLVERS_CONSUL_REQUEST_H
#define MUSTER_RESOLVERS_CONSUL_REQUEST_H

#include <muster/status.h>

#include <curl/curl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct muster__consul_agent;

/* Why there is no answer. */
typedef enum muster__consul_trouble {
    MUSTER__CONSUL_NO_TROUBLE, /* there is one; its status may be any */
    MUSTER__CONSUL_REFUSED,
    MUSTER__CONSUL_RESET,
    MUSTER__CONSUL_TIMEOUT,
    MUSTER__CONSUL_TLS,
    MUSTER__CONSUL_TORN,    /* ended before its end, or is not HTTP */
    MUSTER__CONSUL_TOO_BIG, /* its body, unpacked */
    MUSTER__CONSUL_NO_NAME, /* the agent's host name has no address */
    MUSTER__CONSUL_LOCAL    /* of this process: memory */
} muster__consul_trouble;

enum {
    MUSTER__CONSUL_BODY_MAX = 32 * 1024 * 1024,
    MUSTER__CONSUL_HEADER_SIZE = 128
};

typedef struct muster__consul_reply {
    muster__consul_trouble trouble;
    char reason[CURL_ERROR_SIZE]; /* of TLS, TORN, NO_NAME and LOCAL */
    long status;                  /* of HTTP */
    bool has_index;
    bool has_no_leader; /* X-Consul-KnownLeader: false */
    bool is_filtered;   /* X-Consul-Results-Filtered-By-ACLs: true */
    char index[MUSTER__CONSUL_HEADER_SIZE];
    char location[MUSTER__CONSUL_HEADER_SIZE];
    uint64_t last_contact_ms;
    uint64_t retry_after_ms; /* 0: nothing was said */
    char *body;              /* with a NUL behind it; NULL: empty */
    size_t size;
    size_t capacity;
} muster__consul_reply;

typedef struct muster__consul_request {
    /* who asks, and what: stays until done(), or until it is cancelled */
    void *owner;
    void (*done)(struct muster__consul_request *self); /* reply is valid */
    /* Memory lacks even to call done(), which is called no more; it may be that
     * the request is just being asked. */
    void (*lost)(struct muster__consul_request *self);
    const char *query; /* "/v1/...?...": escaped */
    const char *token; /* NULL: none */
    uint64_t wait_ms;  /* the longest that a blocking query blocks; 0: does not
                          block */
    muster__consul_reply reply;

    /* the agent's */
    struct muster__consul_queue *in; /* NULL: it is idle, or timer is set */
    struct muster__consul_request *next;
    struct muster__consul_request **link; /* what points to it there */
    struct muster__consul_agent *agent;
    CURL *easy; /* NULL: is not under way */
    struct curl_slist *headers;
    struct curl_slist *addresses;
    struct curl_slist *connect_to;
    uint64_t granted_ms; /* of wait_ms */
    uint64_t began_ms;
    uint64_t timer; /* it could not be begun, which will be told */
} muster__consul_request;

/* Makes the easy handle; request->agent is set. MUSTER_INVAL (err says which
 * file for TLS is none), MUSTER_NOMEM. */
muster_status muster__consul_request_open(muster__consul_request *request,
                                          muster_error *err);

/* Releases what open() made, not the reply. Twice does nothing. */
void muster__consul_request_close(muster__consul_request *request);

/* Notes how the transfer ended. */
void muster__consul_request_note(muster__consul_request *request,
                                 CURLcode code);

void muster__consul_reply_clear(muster__consul_reply *reply);

#endif
