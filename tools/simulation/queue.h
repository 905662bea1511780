/* SPDX-License-Identifier: Apache-2.0 */
/* Events in the order of their time; those of one time in the order in which
 * they were added. */
#ifndef MUSTER_TOOLS_QUEUE_H
#define MUSTER_TOOLS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct queue_event {
    uint64_t at_ns;
    uint64_t number; /* given by queue_add() */
    unsigned kind;   /* these three are the caller's */
    uint32_t who;
    uint32_t what;
} queue_event;

typedef struct queue {
    queue_event *events; /* a binary heap */
    size_t n;
    size_t n_max;
    uint64_t last_number;
} queue;

/* False: out of memory. */
bool queue_add(queue *self, queue_event event);

/* False: there is none. */
bool queue_take(queue *self, queue_event *ret_event);

void queue_release(queue *self);

#endif
