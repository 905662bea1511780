/* SPDX-License-Identifier: Apache-2.0 */
/* What load_run() is made of: calls (load_worker.c) and their moments (load.c).
 */
#ifndef MUSTER_TOOLS_BENCH_LOAD_INTERNAL_H
#define MUSTER_TOOLS_BENCH_LOAD_INTERNAL_H

#include <pthread.h>

#include "load.h"

typedef struct load_worker load_worker;

/* Room for a call that is out. */
typedef struct load_slot {
    struct load_slot *next_free;
    load_worker *worker;
    muster_call *call;
    uint64_t due_ns;
} load_slot;

typedef struct load {
    const load_plan *plan;
    muster_channel *channel;
    load_progress *progress;
    uint64_t begin_ns;
    uint64_t end_ns;           /* LOAD_NO_LIMIT: none */
    _Atomic uint64_t n_begun;  /* a cursor */
    atomic_bool has_failed;    /* no further call can be made */
    load_worker *workers;      /* plan->n_threads of them */
    load_slot *slots;          /* plan->n_at_once of them */
    pthread_mutex_t mutex;     /* guards what follows */
    pthread_cond_t is_changed; /* free; or is_interrupted, has_failed */
    load_slot *free;           /* of a load with a rate only */
    muster_error error;
} load;

struct load_worker {
    load *load;
    muster_call_queue *queue;
    pthread_t thread;
    bool is_running;
    load_slot *slots; /* of a load without a rate: its own */
    unsigned n_slots;
    uint64_t last_ns; /* when a call ended last */
    uint64_t n_cancelled;
    tally tally;
};

/* What a worker's thread does, with a rate and without. */
void *load_worker_take(void *worker);
void *load_worker_repeat(void *worker);

/* Begins a call. False, and the load has failed: there will be no end of it. */
bool load_begin_call(load_slot *slot, uint64_t due_ns, uint64_t now_ns);

/* Whether no further call is to begin. */
bool load_is_over(load *self);

/* Makes it fail. */
void load_fail(load *self, const muster_error *err);

#endif
