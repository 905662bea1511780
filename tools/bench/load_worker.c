/* SPDX-License-Identifier: Apache-2.0 */
/* Begins calls and takes their ends. */
#include "load_internal.h"

bool load_begin_call(load_slot *slot, uint64_t due_ns, uint64_t now_ns)
{
    load_worker *worker = slot->worker;
    load *self = worker->load;
    const request *sent = self->plan->request;
    muster_call_options options = sent->call;
    muster_error err = {.code = MUSTER_OK};
    muster_status status;

    options.deadline_ns = request_deadline_ns(sent, now_ns);
    slot->due_ns = due_ns;
    status = muster_call_create(self->channel, self->plan->method, &options,
                                &slot->call, &err);
    if (status == MUSTER_OK) {
        status = muster_call_start_unary(slot->call,
                                         message_list_last(&sent->messages),
                                         worker->queue, slot);
        if (status == MUSTER_OK) {
            return true;
        }
        (void)muster_error_set(&err, status, "%s", muster_status_text(status));
        muster_call_destroy(slot->call);
    }
    load_fail(self, &err);
    return false;
}

static void count(load_worker *self, muster_call *call, uint64_t duration_ns)
{
    load_progress *progress = self->load->progress;
    muster_call_result result = {.struct_size = sizeof result};

    muster_call_get_result(call, &result);
    if (result.status != GRPC_STATUS_OK &&
        atomic_load(&progress->is_interrupted)) {
        self->n_cancelled++;
        return;
    }
    tally_add(&self->tally, self->load->plan->target, muster_call_peer(call),
              &result, duration_ns);
    /* Relaxed: they are only shown. */
    atomic_fetch_add_explicit(&progress->n_ended, 1, memory_order_relaxed);
    if (result.status != GRPC_STATUS_OK) {
        atomic_fetch_add_explicit(&progress->n_errors, 1, memory_order_relaxed);
    }
}

/* Waits for the next call that ends. NULL: none is out, nor will be. */
static load_slot *take_end(load_worker *self)
{
    muster_call_event event;
    load_slot *slot;

    if (muster_call_queue_next(self->queue, MUSTER_FOREVER, &event) !=
        MUSTER_OK) {
        return NULL;
    }
    slot = event.tag;
    self->last_ns = request_now_ns();
    count(self, event.call, self->last_ns - slot->due_ns);
    muster_call_destroy(event.call);
    return slot;
}

static void give_back(load *self, load_slot *slot)
{
    (void)pthread_mutex_lock(&self->mutex);
    slot->next_free = self->free;
    self->free = slot;
    (void)pthread_cond_signal(&self->is_changed);
    (void)pthread_mutex_unlock(&self->mutex);
}

void *load_worker_take(void *worker)
{
    load_worker *self = worker;
    load_slot *slot;

    while ((slot = take_end(self)) != NULL) {
        give_back(self->load, slot);
    }
    return NULL;
}

/* How many calls more are out: one or none. */
static unsigned begin_next(load_worker *self, load_slot *slot)
{
    load *whole = self->load;
    const uint64_t now_ns = request_now_ns();

    if (load_is_over(whole) || now_ns >= whole->end_ns ||
        atomic_fetch_add_explicit(&whole->n_begun, 1, memory_order_relaxed) >=
            whole->plan->n_calls) {
        return 0;
    }
    return load_begin_call(slot, now_ns, now_ns) ? 1 : 0;
}

void *load_worker_repeat(void *worker)
{
    load_worker *self = worker;
    unsigned n_out = 0;

    for (unsigned i = 0; i < self->n_slots; i++) {
        n_out += begin_next(self, &self->slots[i]);
    }
    while (n_out > 0) {
        load_slot *slot = take_end(self);

        if (slot == NULL) {
            break;
        }
        n_out = n_out - 1 + begin_next(self, slot);
    }
    return NULL;
}
