/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a relay (h2_relay.h): two sockets, and what is on its way
 * between them. Nothing here blocks but h2_link_create(). */
#ifndef MUSTER_TESTS_H2_LINK_H
#define MUSTER_TESTS_H2_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "h2_frames.h"

enum { H2_LINK_BUFFER_SIZE = 16384, H2_LINK_N_WAITED = 2 };

/* One way of a link. */
typedef struct h2_flow {
    int from;
    int to;
    uint8_t buffer[H2_LINK_BUFFER_SIZE];
    size_t begin; /* what is to be sent */
    size_t end;
    bool is_ended;    /* all has been read */
    bool is_finished; /* and sent */
    h2_frames frames;
} h2_flow;

typedef struct h2_link {
    bool is_open;
    bool is_frozen;
    h2_flow up; /* from the client to the server */
    h2_flow down;
} h2_link;

/* Connects client to that port of 127.0.0.1, and owns it. NULL: nobody is
 * there, and the client has seen a reset; so, too, with port 0. */
h2_link *h2_link_create(int client, int server_port);

/* Closes it, if it is open. */
void h2_link_destroy(h2_link *self);

/* Passes on what has come, and closes the link when it has ended. */
void h2_link_advance(h2_link *self);

/* Resets both sides; h2_link_advance() then closes the link. */
void h2_link_reset(h2_link *self);

/* What poll() is to wait for. */
void h2_link_wait_for(const h2_link *self,
                      struct pollfd ret_waited[H2_LINK_N_WAITED]);

#endif
