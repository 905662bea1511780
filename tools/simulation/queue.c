/* SPDX-License-Identifier: Apache-2.0 */
/* Events in the order of their time: a binary heap. */
#include "queue.h"

#include <stdlib.h>

static bool is_before(const queue_event *a, const queue_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

static bool has_room(queue *self)
{
    size_t n_max = self->n_max == 0 ? 1024 : 2 * self->n_max;
    queue_event *more;

    if (self->n < self->n_max) {
        return true;
    }
    more = realloc(self->events, n_max * sizeof *more);
    if (more == NULL) {
        return false;
    }
    self->events = more;
    self->n_max = n_max;
    return true;
}

bool queue_add(queue *self, queue_event event)
{
    size_t at = self->n;

    if (!has_room(self)) {
        return false;
    }
    event.number = ++self->last_number;
    self->n++;
    while (at > 0 && is_before(&event, &self->events[(at - 1) / 2])) {
        self->events[at] = self->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    self->events[at] = event;
    return true;
}

bool queue_take(queue *self, queue_event *ret_event)
{
    queue_event last;
    size_t at = 0;

    if (self->n == 0) {
        return false;
    }
    *ret_event = self->events[0];
    last = self->events[--self->n];
    while (2 * at + 1 < self->n) {
        size_t child = 2 * at + 1;

        if (child + 1 < self->n &&
            is_before(&self->events[child + 1], &self->events[child])) {
            child++;
        }
        if (!is_before(&self->events[child], &last)) {
            break;
        }
        self->events[at] = self->events[child];
        at = child;
    }
    self->events[at] = last;
    return true;
}

void queue_release(queue *self)
{
    free(self->events);
}
