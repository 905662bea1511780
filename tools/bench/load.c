/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the moments of calls, and adds up what became of them. */
#include "load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load_internal.h"

enum { LATE_NS = 1000 * 1000 };

static const double ns_per_s = 1e9;
static const double longest_ns = 9e18; /* 285 years, which fit twice */

bool load_is_over(load *self)
{
    return atomic_load(&self->progress->is_interrupted) ||
           atomic_load(&self->has_failed);
}

void load_fail(load *self, const muster_error *err)
{
    (void)pthread_mutex_lock(&self->mutex);
    /* When it is interrupted the channel is closed. */
    if (!atomic_load(&self->progress->is_interrupted) &&
        self->error.code == MUSTER_OK) {
        self->error = *err;
    }
    atomic_store(&self->has_failed, true);
    (void)pthread_cond_signal(&self->is_changed);
    (void)pthread_mutex_unlock(&self->mutex);
}

/* ---- a rate ---- */

static uint64_t due_ns(const load *self, uint64_t index)
{
    const double wait_ns = (double)index / self->plan->rate * ns_per_s;

    /* A rate may be so low that no number has room for the moment. */
    return wait_ns < longest_ns ? self->begin_ns + (uint64_t)wait_ns
                                : LOAD_NO_LIMIT;
}

/* To deadline_ns, or until something changes; no longer than it takes to notice
 * an interruption. */
static void wait_locked(load *self, uint64_t deadline_ns)
{
    const uint64_t soon_ns = request_now_ns() + 100 * LATE_NS;
    const uint64_t until_ns = deadline_ns < soon_ns ? deadline_ns : soon_ns;
    const struct timespec until = {
        .tv_sec = (time_t)(until_ns / UINT64_C(1000000000)),
        .tv_nsec = (long)(until_ns % UINT64_C(1000000000)),
    };

    (void)pthread_cond_timedwait(&self->is_changed, &self->mutex, &until);
}

/* A slot for the call that is due at due. NULL: no further call begins. After
 * the end those are begun that were due before, as long as there is room. */
static load_slot *take_slot(load *self, uint64_t due)
{
    load_slot *slot = NULL;

    (void)pthread_mutex_lock(&self->mutex);
    while (slot == NULL && !load_is_over(self)) {
        const uint64_t now_ns = request_now_ns();

        if (now_ns < due) {
            wait_locked(self, due);
        } else if (self->free != NULL) {
            slot = self->free;
            self->free = slot->next_free;
        } else if (now_ns >= self->end_ns) {
            break;
        } else {
            wait_locked(self, self->end_ns);
        }
    }
    (void)pthread_mutex_unlock(&self->mutex);
    return slot;
}

static void note_delay(load_outcome *outcome, uint64_t delay_ns)
{
    outcome->n_late += delay_ns > LATE_NS ? 1 : 0;
    if (delay_ns > outcome->longest_delay_ns) {
        outcome->longest_delay_ns = delay_ns;
    }
}

/* How many calls are due at all. */
static uint64_t count_due(const load *self)
{
    const load_plan *plan = self->plan;
    double n;

    if (plan->duration_ns == LOAD_NO_LIMIT) {
        return plan->n_calls;
    }
    n = ceil((double)plan->duration_ns / ns_per_s * plan->rate);
    return n < (double)plan->n_calls ? (uint64_t)n : plan->n_calls;
}

static void pace(load *self, load_outcome *outcome)
{
    const uint64_t n_due = count_due(self);
    uint64_t i = 0;

    while (i < n_due) {
        const uint64_t due = due_ns(self, i);
        load_slot *slot = take_slot(self, due);
        uint64_t now_ns;

        if (slot == NULL) {
            break;
        }
        now_ns = request_now_ns();
        if (!load_begin_call(slot, due, now_ns)) {
            break;
        }
        note_delay(outcome, now_ns - due);
        i++;
    }
    outcome->n_unsent = load_is_over(self) ? 0 : n_due - i;
}

/* ---- threads ---- */

static muster_status init_worker(load *self, unsigned index, muster_error *err)
{
    const unsigned n = self->plan->n_threads;
    const unsigned first = self->plan->n_at_once * index / n;
    const unsigned end = self->plan->n_at_once * (index + 1) / n;
    load_worker *worker = &self->workers[index];

    worker->load = self;
    worker->slots = self->slots + first;
    worker->n_slots = end - first;
    tally_init(&worker->tally);
    for (unsigned i = 0; i < worker->n_slots; i++) {
        worker->slots[i].worker = worker;
    }
    return muster_call_queue_create(&worker->queue, err);
}

/* Those of different workers in turn, so that all have their share. Some have
 * one more than others. */
static void free_slots(load *self)
{
    const unsigned n_threads = self->plan->n_threads;
    unsigned n_freed = 0;

    for (unsigned i = 0; n_freed < self->plan->n_at_once; i++) {
        load_worker *worker = &self->workers[i % n_threads];

        if (i / n_threads < worker->n_slots) {
            load_slot *slot = &worker->slots[i / n_threads];

            slot->next_free = self->free;
            self->free = slot;
            n_freed++;
        }
    }
}

static void start_workers(load *self)
{
    void *(*run)(void *) =
        self->plan->rate > 0 ? load_worker_take : load_worker_repeat;
    const muster_error err = {.code = MUSTER_NOMEM,
                              .message = "no thread can be started"};

    self->begin_ns = request_now_ns();
    self->end_ns = self->plan->duration_ns == LOAD_NO_LIMIT
                       ? LOAD_NO_LIMIT
                       : self->begin_ns + self->plan->duration_ns;
    for (unsigned i = 0; i < self->plan->n_threads; i++) {
        load_worker *worker = &self->workers[i];

        worker->last_ns = self->begin_ns;
        worker->is_running =
            pthread_create(&worker->thread, NULL, run, worker) == 0;
        if (!worker->is_running) {
            load_fail(self, &err);
            return;
        }
    }
}

static void join_workers(load *self)
{
    for (unsigned i = 0; i < self->plan->n_threads; i++) {
        load_worker *worker = &self->workers[i];

        if (worker->is_running && self->plan->rate > 0) {
            muster_call_queue_shutdown(worker->queue);
        }
        if (worker->is_running) {
            (void)pthread_join(worker->thread, NULL);
        }
    }
}

static void add_up(load *self, load_outcome *outcome)
{
    uint64_t last_ns = self->begin_ns;

    for (unsigned i = 0; i < self->plan->n_threads; i++) {
        load_worker *worker = &self->workers[i];

        tally_merge(&outcome->tally, &worker->tally);
        outcome->n_cancelled += worker->n_cancelled;
        last_ns = worker->last_ns > last_ns ? worker->last_ns : last_ns;
    }
    outcome->elapsed_ns = last_ns - self->begin_ns;
    tally_sort(&outcome->tally);
}

/* ---- the whole ---- */

static void init(load *self, const load_plan *plan)
{
    pthread_condattr_t attributes;

    self->plan = plan;
    (void)pthread_mutex_init(&self->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->is_changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    self->workers = calloc(plan->n_threads, sizeof *self->workers);
    self->slots = calloc(plan->n_at_once, sizeof *self->slots);
}

static void release(load *self)
{
    for (unsigned i = 0; self->workers != NULL && i < self->plan->n_threads;
         i++) {
        muster_call_queue_destroy(self->workers[i].queue);
        tally_release(&self->workers[i].tally);
    }
    free(self->workers);
    free(self->slots);
    (void)pthread_cond_destroy(&self->is_changed);
    (void)pthread_mutex_destroy(&self->mutex);
}

static muster_status init_workers(load *self, muster_error *err)
{
    muster_status status = MUSTER_OK;

    if (self->workers == NULL || self->slots == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    for (unsigned i = 0; status == MUSTER_OK && i < self->plan->n_threads;
         i++) {
        status = init_worker(self, i, err);
    }
    return status;
}

/* What the threads met, once they have ended. */
static muster_status status_of(load *self, const load_outcome *outcome,
                               muster_error *err)
{
    if (self->error.code != MUSTER_OK) {
        *err = self->error;
        return self->error.code;
    }
    if (outcome->tally.is_out_of_memory) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return MUSTER_OK;
}

muster_status load_run(const load_plan *plan, muster_channel *channel,
                       load_progress *progress, load_outcome *ret_outcome,
                       muster_error *err)
{
    load self = {.channel = channel, .progress = progress};
    muster_status status;

    init(&self, plan);
    memset(ret_outcome, 0, sizeof *ret_outcome);
    tally_init(&ret_outcome->tally);
    status = init_workers(&self, err);
    if (status == MUSTER_OK) {
        if (plan->rate > 0) {
            free_slots(&self);
        }
        start_workers(&self);
        if (plan->rate > 0) {
            pace(&self, ret_outcome);
        }
        join_workers(&self);
        add_up(&self, ret_outcome);
        status = status_of(&self, ret_outcome, err);
    }
    if (status != MUSTER_OK) {
        tally_release(&ret_outcome->tally);
    }
    release(&self);
    return status;
}
