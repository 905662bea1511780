/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the frames of one direction of an HTTP/2 connection (RFC 9113, section
 * 4.1) as its bytes go by, in pieces of any size. */
#ifndef MUSTER_TESTS_H2_FRAMES_H
#define MUSTER_TESTS_H2_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    H2_DATA = 0,
    H2_HEADERS = 1,
    H2_RST_STREAM = 3,
    H2_SETTINGS = 4,
    H2_PING = 6,
    H2_GOAWAY = 7,
    H2_WINDOW_UPDATE = 8,
    H2_N_TYPES = 10
};

enum { H2_MAX_PINGS = 64 };

typedef struct h2_frames {
    uint64_t n_frames[H2_N_TYPES];  /* by type */
    uint64_t n_pings;               /* those that are no answers */
    uint64_t ping_ns[H2_MAX_PINGS]; /* when the first of these came */
    uint32_t goaway_code;           /* of the last GOAWAY */

    /* What is left of the present frame. */
    uint8_t head[17]; /* the frame's, and what begins a GOAWAY */
    size_t n_head;
    uint64_t n_to_skip;
} h2_frames;

/* The client's direction begins with a preface. */
void h2_frames_init(h2_frames *self, bool is_client);

void h2_frames_read(h2_frames *self, const uint8_t *bytes, size_t n_bytes,
                    uint64_t now_ns);

#endif
