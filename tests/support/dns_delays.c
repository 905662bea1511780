/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps replies until they are due. */
#include "dns_delays.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dns_memory.h"

enum { MAX_DELAYED = 1024 };

static const uint64_t NS_PER_MS = 1000000;

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void dns_delays_fini(dns_delays *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free(self->replies[i].bytes);
    }
    free(self->replies);
    memset(self, 0, sizeof *self);
}

void dns_delays_add(dns_delays *self, const dns_peer *peer,
                    const uint8_t *bytes, size_t size, unsigned faults,
                    uint32_t delay_ms)
{
    dns_delayed *reply;

    if (self->n == MAX_DELAYED) {
        return;
    }
    self->replies = dns_grow(self->replies, self->n, &self->capacity,
                             sizeof *self->replies);
    reply = &self->replies[self->n++];
    *reply = (dns_delayed){.due_ns = now_ns() + delay_ms * NS_PER_MS,
                           .peer = *peer,
                           .faults = faults,
                           .size = size,
                           .bytes = dns_allocate(size)};
    memcpy(reply->bytes, bytes, size);
}

/* Of those that are due at the same time, the one that came first. */
static size_t next_of(const dns_delays *self)
{
    size_t next = 0;

    for (size_t i = 1; i < self->n; i++) {
        if (self->replies[i].due_ns < self->replies[next].due_ns) {
            next = i;
        }
    }
    return next;
}

void dns_delays_send(dns_delays *self, dns_sockets *sockets)
{
    const uint64_t now = now_ns();

    while (self->n > 0) {
        const size_t next = next_of(self);
        const dns_delayed reply = self->replies[next];

        if (reply.due_ns > now) {
            return;
        }
        if (sockets != NULL) {
            dns_sockets_send(sockets, &reply.peer, reply.bytes, reply.size,
                             reply.faults);
        }
        free(reply.bytes);
        self->n--;
        memmove(&self->replies[next], &self->replies[next + 1],
                (self->n - next) * sizeof reply);
    }
}

int dns_delays_timeout(const dns_delays *self)
{
    const uint64_t now = now_ns();
    uint64_t wait_ms;

    if (self->n == 0) {
        return -1;
    }
    if (self->replies[next_of(self)].due_ns <= now) {
        return 0;
    }
    wait_ms = (self->replies[next_of(self)].due_ns - now) / NS_PER_MS + 1;
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}
