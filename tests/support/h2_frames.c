/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the frames of one direction of an HTTP/2 connection. */
#include "h2_frames.h"

#include <string.h>

enum { PREFACE_SIZE = 24, HEAD_SIZE = 9, GOAWAY_SIZE = 8, ACK = 0x1 };

void h2_frames_init(h2_frames *self, bool is_client)
{
    memset(self, 0, sizeof *self);
    self->n_to_skip = is_client ? PREFACE_SIZE : 0;
}

static uint32_t length_of(const h2_frames *self)
{
    return (uint32_t)self->head[0] << 16 | (uint32_t)self->head[1] << 8 |
           self->head[2];
}

static uint32_t goaway_code_of(const h2_frames *self)
{
    const uint8_t *code = self->head + HEAD_SIZE + 4;

    return (uint32_t)code[0] << 24 | (uint32_t)code[1] << 16 |
           (uint32_t)code[2] << 8 | code[3];
}

/* How much of a frame is to be looked at, as far as is known. */
static size_t head_size(const h2_frames *self)
{
    const bool has_code = self->n_head >= HEAD_SIZE &&
                          self->head[3] == H2_GOAWAY &&
                          length_of(self) >= GOAWAY_SIZE;

    return has_code ? HEAD_SIZE + GOAWAY_SIZE : HEAD_SIZE;
}

static void count(h2_frames *self, uint64_t now_ns)
{
    const uint8_t type = self->head[3];

    if (type < H2_N_TYPES) {
        self->n_frames[type]++;
    }
    if (type == H2_PING && (self->head[4] & ACK) == 0) {
        if (self->n_pings < H2_MAX_PINGS) {
            self->ping_ns[self->n_pings] = now_ns;
        }
        self->n_pings++;
    }
    if (type == H2_GOAWAY && self->n_head == HEAD_SIZE + GOAWAY_SIZE) {
        self->goaway_code = goaway_code_of(self);
    }
}

static void take(h2_frames *self, uint8_t byte, uint64_t now_ns)
{
    self->head[self->n_head++] = byte;
    if (self->n_head == head_size(self)) {
        self->n_to_skip = length_of(self) + HEAD_SIZE - self->n_head;
        count(self, now_ns);
        self->n_head = 0;
    }
}

void h2_frames_read(h2_frames *self, const uint8_t *bytes, size_t n_bytes,
                    uint64_t now_ns)
{
    size_t at = 0;

    while (at < n_bytes) {
        const size_t left = n_bytes - at;

        if (self->n_to_skip == 0) {
            take(self, bytes[at++], now_ns);
        } else if (self->n_to_skip > left) {
            self->n_to_skip -= left;
            at = n_bytes;
        } else {
            at += (size_t)self->n_to_skip;
            self->n_to_skip = 0;
        }
    }
}
