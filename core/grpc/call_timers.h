/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of the calls of a queue. They are due on a thread that waits in the
 * queue, which C core wakes up in time: no thread is there for them, and none
 * is woken for those that are taken back before, as nearly all are.
 *
 * A thread inside the queue covers the timers when it waits no longer than to
 * the earliest. When one comes in front of that, or the last thread that covers
 * them leaves while others wait, another thread is to be woken, so that it
 * looks again. */
#ifndef MUSTER_CORE_GRPC_CALL_TIMERS_H
#define MUSTER_CORE_GRPC_CALL_TIMERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct muster__call_timer {
    uint64_t due_ns; /* CLOCK_MONOTONIC */
    size_t place;    /* in the heap, from 1; 0: it is not set */
    /* It is due. Inside the lock: keeps what the timer is in from going. */
    void (*hold)(struct muster__call_timer *timer);
} muster__call_timer;

typedef struct muster__call_timers {
    /* Threads inside the queue, also while no timer was ever set: then that is
     * all that is done here. */
    _Atomic uint32_t n_inside;
    atomic_bool is_used;
    pthread_mutex_t mutex; /* guards all below */
    muster__call_timer **heap;
    size_t n;
    size_t capacity;
    uint32_t n_covering;
    uint32_t epoch; /* of covering: another one when none does any more */
} muster__call_timers;

/* A thread's stay inside the queue. */
typedef struct muster__call_stay {
    bool is_covering;
    uint32_t epoch;
} muster__call_stay;

/* False: no memory. */
bool muster__call_timers_init(muster__call_timers *timers);
void muster__call_timers_fini(muster__call_timers *timers);

/* Sets a timer, or sets it anew. False: no memory, and it is not set.
 * *ret_n_wakes: as many threads are to be woken. Thread: any. */
bool muster__call_timers_set(muster__call_timers *timers,
                             muster__call_timer *timer, uint64_t due_ns,
                             uint32_t *ret_n_wakes);

/* From now on it is not set. Thread: any. */
void muster__call_timers_unset(muster__call_timers *timers,
                               muster__call_timer *timer);

/* One that is due; not set any more, and held. NULL: none. Thread: any. */
muster__call_timer *muster__call_timers_take(muster__call_timers *timers,
                                             uint64_t now_ns);

/* Around a stay in the queue. leave: true when a thread is to be woken.
 * Thread: any. */
void muster__call_timers_enter(muster__call_timers *timers,
                               muster__call_stay *stay);
bool muster__call_timers_leave(muster__call_timers *timers,
                               muster__call_stay *stay);

/* How long to wait, to deadline_ns at most. Thread: one inside. */
uint64_t muster__call_timers_until(muster__call_timers *timers,
                                   muster__call_stay *stay,
                                   uint64_t deadline_ns);

#endif
