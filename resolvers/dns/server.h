/* SPDX-License-Identifier: Apache-2.0 */
/* One DNS server and the c-ares channel to it, shared by all who ask it.
 * Thread: control, all of it. */
#ifndef MUSTER_RESOLVERS_DNS_SERVER_H
#define MUSTER_RESOLVERS_DNS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "packet.h"

struct muster__dns_scope;

/* "[" "]:65535", an IPv6 address and a NUL. */
enum { MUSTER__DNS_SERVER_TEXT_SIZE = 64 };

/* A server that did not reply in time is asked last for so long. */
#define MUSTER__DNS_SILENT_MS UINT64_C(30000)

typedef struct muster__dns_server muster__dns_server;
typedef struct muster__dns_request muster__dns_request;

/* What became of a request. */
typedef struct muster__dns_result {
    const uint8_t *packet; /* NULL: there was no reply, and trouble says why */
    size_t size;
    muster__dns_trouble trouble;
    const char *reason; /* of trouble */
} muster__dns_result;

/* Embedded in who asks, who leaves it alone until done. */
struct muster__dns_request {
    /* the server's */
    TAILQ_ENTRY(muster__dns_request) link;
    struct muster__dns_flight *in; /* NULL: c-ares does not have it */
    bool is_waiting;               /* for its turn */
    bool was_resent;
    /* whose it is */
    void *owner;      /* whoever asks */
    const char *name; /* borrowed until done */
    muster__dns_type type;
    bool has_others; /* other servers can be asked: do not wait for a silent
                        one */

    /* Called once, never from inside a function of this header. The result is
     * borrowed for the call. */
    void (*done)(muster__dns_request *self, const muster__dns_result *result);
};

/* The server at address, to be asked with that time-out: a reference, which is
 * the caller's. NULL: out of memory. */
muster__dns_server *muster__dns_server_get(struct muster__dns_scope *scope,
                                           const muster__dns_address *address,
                                           uint16_t port, uint32_t timeout_ms);

/* The last reference closes the sockets. */
void muster__dns_server_unref(muster__dns_server *server);

/* At the end of the process scope: those that posts held. */
void muster__dns_servers_destroy(struct muster__dns_scope *scope);

/* Asks. At most 100 requests are under way, half of them for AAAA records; the
 * others wait for their turn. */
void muster__dns_server_ask(muster__dns_server *server,
                            muster__dns_request *request);

/* Does what could not be done before because memory was short, and nothing
 * else: to be called now and then while a request is under way. */
void muster__dns_server_wake(muster__dns_server *server);

/* done() will not be called. Nothing happens when it was, or nothing was asked.
 */
void muster__dns_server_cancel(muster__dns_server *server,
                               muster__dns_request *request);

/* Whether it did not reply lately. */
bool muster__dns_server_is_silent(const muster__dns_server *server);

/* "127.0.0.1:53" or "[::1]:53". */
const char *muster__dns_server_text(const muster__dns_server *server);

#endif
