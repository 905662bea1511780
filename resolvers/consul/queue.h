/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in a row. Thread: control, all of it. */
#ifndef MUSTER_RESOLVERS_CONSUL_QUEUE_H
#define MUSTER_RESOLVERS_CONSUL_QUEUE_H

#include <stdint.h>

#include "request.h"

typedef struct muster__consul_queue {
    muster__consul_request *first;
    muster__consul_request **end; /* where the next one is linked */
    uint32_t n;
} muster__consul_queue;

static inline void muster__consul_queue_init(muster__consul_queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
    queue->n = 0;
}

/* request is in no queue. */
static inline void muster__consul_queue_add(muster__consul_queue *queue,
                                            muster__consul_request *request)
{
    request->in = queue;
    request->next = NULL;
    request->link = queue->end;
    *queue->end = request;
    queue->end = &request->next;
    queue->n++;
}

/* Takes request out of the queue that it is in. */
static inline void muster__consul_queue_remove(muster__consul_request *request)
{
    muster__consul_queue *queue = request->in;

    *request->link = request->next;
    if (request->next != NULL) {
        request->next->link = request->link;
    } else {
        queue->end = request->link;
    }
    request->in = NULL;
    queue->n--;
}

#endif
