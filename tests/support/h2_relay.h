/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP relay between a gRPC client and its server, in a thread of the test:
 * it counts the frames of HTTP/2 that go by, and freezes or resets connections.
 * Plaintext only, as to counting. Thread: any, but h2_relay_stop(). */
#ifndef MUSTER_TESTS_H2_RELAY_H
#define MUSTER_TESTS_H2_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "h2_frames.h"

/* More are refused: in all, also those that are over. */
enum { H2_RELAY_MAX_CONNECTIONS = 256 };

/* In the place of a connection's number: all of them, and those to come. */
#define H2_RELAY_ALL SIZE_MAX

typedef struct h2_relay h2_relay;

typedef struct h2_relay_view {
    bool is_open;
    h2_frames from_client;
    h2_frames from_server;
} h2_relay_view;

/* Listens on a port of 127.0.0.1 that the kernel chooses, and connects to the
 * server's port there for each client. NULL: it cannot. */
h2_relay *h2_relay_start(int server_port);

/* Closes all. */
void h2_relay_stop(h2_relay *relay);

/* "127.0.0.1:4711"; lives as long as the relay. */
const char *h2_relay_address(const h2_relay *relay);

/* Connections in all; numbers are from 0. And those that are open. */
size_t h2_relay_n_connections(h2_relay *relay);
size_t h2_relay_n_open(h2_relay *relay);

/* False when there is none yet with that number. */
bool h2_relay_look(h2_relay *relay, size_t number, h2_relay_view *ret_view);

/* Sums over all connections: PINGs of a side that are no answers, and frames of
 * a type. */
uint64_t h2_relay_client_pings(h2_relay *relay);
uint64_t h2_relay_server_pings(h2_relay *relay);
uint64_t h2_relay_client_frames(h2_relay *relay, int type);
uint64_t h2_relay_server_frames(h2_relay *relay, int type);

uint64_t h2_relay_goaways(h2_relay *relay); /* of the server */

/* Waits until a sum is at least that much. False: not within 30 s. */
bool h2_relay_await(h2_relay *relay, uint64_t (*sum_of)(h2_relay *relay),
                    uint64_t least);

/* Frozen, no byte goes by, and no side learns that the other closes: a link
 * that is down. What is sent meanwhile goes by when the link is up again. */
void h2_relay_freeze(h2_relay *relay, size_t number);
void h2_relay_thaw(h2_relay *relay, size_t number);

/* Both sides see a reset. */
void h2_relay_reset(h2_relay *relay, size_t number);

#endif
