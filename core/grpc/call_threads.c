/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take the events out of a queue and hand them to a function. */
#include "call_threads.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "call.h"
#include "runtime.h"
#include "stream.h"

struct muster__call_threads {
    muster_call_queue *queue;
    muster_call_event_fn fn;
    void *arg;
    /* The threads, and who destroys them. */
    _Atomic uint32_t n_refs;
    uint32_t n_threads;
    pthread_t threads[];
};

/* Whose thread this is, or NULL. */
static _Thread_local muster__call_threads *current;

/* Acquire-release: the last one frees what the others used. */
static void unref(muster__call_threads *self)
{
    if (atomic_fetch_sub_explicit(&self->n_refs, 1, memory_order_acq_rel) ==
        1) {
        muster__call_queue_free(self->queue);
        free(self);
    }
}

static void tell(muster__call_threads *self, const muster_call_event *event)
{
    if (event->call->stream != NULL) {
        muster__stream_tell_in_turn(event, self->fn, self->arg);
    } else {
        self->fn(self->arg, event);
    }
}

static void *run(void *arg)
{
    muster__call_threads *self = arg;
    muster_call_event event;

    current = self;
    while (muster__call_queue_take(self->queue, MUSTER_FOREVER, &event) ==
           MUSTER_OK) {
        tell(self, &event);
    }
    unref(self);
    return NULL;
}

static void join(muster__call_threads *self, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        (void)pthread_join(self->threads[i], NULL);
    }
}

static void detach(muster__call_threads *self)
{
    for (uint32_t i = 0; i < self->n_threads; i++) {
        (void)pthread_detach(self->threads[i]);
    }
}

/* Those that were started end with the queue, which is left to the caller. */
static muster_status undo(muster__call_threads *self, uint32_t n)
{
    muster_call_queue_shutdown(self->queue);
    join(self, n);
    free(self);
    return MUSTER_NOMEM;
}

muster_status muster__call_threads_create(muster_call_queue *queue,
                                          uint32_t n_threads,
                                          muster_call_event_fn fn, void *arg,
                                          muster__call_threads **ret_threads)
{
    muster__call_threads *self =
        calloc(1, sizeof *self + n_threads * sizeof self->threads[0]);

    if (self == NULL) {
        return MUSTER_NOMEM;
    }
    self->queue = queue;
    self->fn = fn;
    self->arg = arg;
    self->n_threads = n_threads;
    atomic_init(&self->n_refs, n_threads + 1);
    for (uint32_t i = 0; i < n_threads; i++) {
        if (muster__grpc_thread_create("muster-call", run, self,
                                       &self->threads[i]) != MUSTER_OK) {
            return undo(self, i);
        }
    }
    *ret_threads = self;
    return MUSTER_OK;
}

void muster__call_threads_destroy(muster__call_threads *self)
{
    if (current == self) {
        detach(self);
    } else {
        join(self, self->n_threads);
    }
    unref(self);
}
