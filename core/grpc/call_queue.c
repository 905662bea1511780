/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of ended calls, and the pool of those that blocking calls use. */
#include <muster/grpc.h>

#include <stdatomic.h>
#include <stdlib.h>

#include <grpc/byte_buffer.h>

#include "call.h"
#include "call_hedge.h"
#include "call_pool.h"
#include "call_threads.h"
#include "poller.h"
#include "runtime.h"

enum { MAX_THREADS = 1024 };

struct muster_call_queue {
    grpc_completion_queue *inner;
    /* Never started. An empty batch on it puts a tag into inner: C core has no
     * other public way to do that. */
    grpc_call *poster;
    /* Calls that have not come out, and one for the user until shutdown. */
    _Atomic uint64_t n_holds;
    atomic_bool is_shut_down;
    muster__call_timers timers;
    muster__call_step wake;        /* makes a thread look at the timers again */
    muster__call_threads *threads; /* NULL: who calls takes events */
    muster_call_queue *next_free;  /* guarded by pool_mutex */
};

static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static muster_call_queue *pool; /* guarded by pool_mutex */

static bool look_again(muster__call_step *step, bool is_ok,
                       muster_call_event *ret_event)
{
    (void)step;
    (void)is_ok;
    (void)ret_event;
    return false;
}

muster_status muster_call_queue_create(muster_call_queue **ret_queue,
                                       muster_error *err)
{
    muster_call_queue *queue;
    muster_status status = muster__grpc_start(err);

    if (status != MUSTER_OK) {
        return status;
    }
    queue = calloc(1, sizeof *queue);
    if (queue == NULL || !muster__call_timers_init(&queue->timers)) {
        free(queue);
        return muster_error_set(err, MUSTER_NOMEM, "call queue: %s",
                                muster_status_text(MUSTER_NOMEM));
    }
    queue->wake.take = look_again;
    queue->inner = grpc_completion_queue_create_for_next(NULL);
    queue->poster = grpc_channel_create_call(
        muster__grpc_lame_channel(), NULL, GRPC_PROPAGATE_DEFAULTS,
        queue->inner, grpc_slice_from_static_string("/muster.reserved/Post"),
        NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    atomic_init(&queue->n_holds, 1);
    *ret_queue = queue;
    return MUSTER_OK;
}

/* Not from zero: then inner is shut down. Relaxed: who shuts down or enters is
 * ordered by C core's queue. */
static bool hold(muster_call_queue *queue)
{
    uint64_t n_holds =
        atomic_load_explicit(&queue->n_holds, memory_order_relaxed);

    while (n_holds != 0) {
        if (atomic_compare_exchange_weak_explicit(
                &queue->n_holds, &n_holds, n_holds + 1, memory_order_relaxed,
                memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

bool muster__call_queue_enter(muster_call_queue *queue)
{
    return !atomic_load_explicit(&queue->is_shut_down, memory_order_acquire) &&
           hold(queue);
}

/* Acquire-release: the last one shuts down after the others posted. */
void muster__call_queue_leave(muster_call_queue *queue)
{
    if (atomic_fetch_sub_explicit(&queue->n_holds, 1, memory_order_acq_rel) ==
        1) {
        grpc_completion_queue_shutdown(queue->inner);
    }
}

void muster__call_queue_post(muster_call_queue *queue, muster__call_step *step)
{
    (void)grpc_call_start_batch(queue->poster, NULL, 0, step, NULL);
}

bool muster__call_queue_has_threads(const muster_call_queue *queue)
{
    return queue->threads != NULL;
}

grpc_completion_queue *muster__call_queue_inner(muster_call_queue *queue)
{
    return queue->inner;
}

/* ---- timers ---- */

muster__call_timers *muster__call_queue_timers(muster_call_queue *queue)
{
    return &queue->timers;
}

bool muster__call_queue_set_timer(muster_call_queue *queue,
                                  muster__call_timer *timer, uint64_t due_ns)
{
    uint32_t n_wakes;
    const bool is_set =
        muster__call_timers_set(&queue->timers, timer, due_ns, &n_wakes);

    while (n_wakes > 0) {
        muster__call_queue_post(queue, &queue->wake);
        n_wakes--;
    }
    return is_set;
}

/* A thread that reads false is woken when there are (call_timers.h). */
static bool has_timers(muster_call_queue *queue)
{
    return atomic_load(&queue->timers.is_used);
}

/* One timer that is due is over. */
static bool serve_timer(muster_call_queue *queue)
{
    muster__call_timer *timer = NULL;

    if (has_timers(queue)) {
        timer = muster__call_timers_take(&queue->timers, muster__grpc_now_ns());
    }
    if (timer == NULL) {
        return false;
    }
    muster__call_hedge_due(timer);
    return true;
}

/* The thread goes; another one may have to look after the timers. The hold
 * keeps inner from being shut down in between. */
static void leave(muster_call_queue *queue, muster__call_stay *stay)
{
    if (muster__call_timers_leave(&queue->timers, stay) && hold(queue)) {
        muster__call_queue_post(queue, &queue->wake);
        muster__call_queue_leave(queue);
    }
}

/* ---- waiting ---- */

static grpc_event wait_for_event(muster_call_queue *queue, uint64_t deadline_ns,
                                 muster__call_stay *stay)
{
    grpc_event event;

    if (has_timers(queue)) {
        deadline_ns =
            muster__call_timers_until(&queue->timers, stay, deadline_ns);
    }
    muster__grpc_poller_enter();
    event = grpc_completion_queue_next(
        queue->inner, muster__grpc_timespec(deadline_ns), NULL);
    muster__grpc_poller_leave();
    return event;
}

/* MUSTER_TIMEOUT also when only a timer is due. */
static muster_status take_event(muster_call_queue *queue, uint64_t deadline_ns,
                                muster__call_stay *stay,
                                muster_call_event *ret_event)
{
    grpc_event event;
    muster__call_step *step;

    while (serve_timer(queue)) {
        /* Another may be due, too. */
    }
    event = wait_for_event(queue, deadline_ns, stay);
    step = event.tag;
    if (event.type == GRPC_QUEUE_TIMEOUT) {
        return MUSTER_TIMEOUT;
    }
    if (event.type == GRPC_QUEUE_SHUTDOWN) {
        return MUSTER_CLOSED;
    }
    return step->take(step, event.success != 0, ret_event) ? MUSTER_OK
                                                           : MUSTER_QUEUED;
}

muster_status muster__call_queue_take(muster_call_queue *queue,
                                      uint64_t deadline_ns,
                                      muster_call_event *ret_event)
{
    muster__call_stay stay;
    muster_status status;

    muster__call_timers_enter(&queue->timers, &stay);
    do {
        status = take_event(queue, deadline_ns, &stay, ret_event);
    } while (status == MUSTER_QUEUED ||
             (status == MUSTER_TIMEOUT && has_timers(queue) &&
              muster__grpc_now_ns() < deadline_ns));
    leave(queue, &stay);
    return status;
}

muster_status muster_call_queue_next(muster_call_queue *queue,
                                     uint64_t deadline_ns,
                                     muster_call_event *ret_event)
{
    if (muster__grpc_is_forked()) {
        return MUSTER_FORKED;
    }
    if (muster__grpc_on_control_thread()) {
        return MUSTER_WOULD_DEADLOCK;
    }
    if (queue->threads != NULL) {
        return MUSTER_INVAL;
    }
    return muster__call_queue_take(queue, deadline_ns, ret_event);
}

void muster_call_queue_shutdown(muster_call_queue *queue)
{
    if (queue == NULL || muster__grpc_is_forked()) {
        return;
    }
    if (!atomic_exchange_explicit(&queue->is_shut_down, true,
                                  memory_order_acq_rel)) {
        muster__call_queue_leave(queue);
    }
}

void muster__call_queue_free(muster_call_queue *queue)
{
    grpc_call_unref(queue->poster);
    grpc_completion_queue_destroy(queue->inner);
    muster__call_timers_fini(&queue->timers);
    free(queue);
}

void muster_call_queue_destroy(muster_call_queue *queue)
{
    muster_call_event event;

    if (queue == NULL || muster__grpc_is_forked()) {
        return;
    }
    muster_call_queue_shutdown(queue);
    if (queue->threads != NULL) {
        muster__call_threads_destroy(queue->threads);
        return;
    }
    while (muster_call_queue_next(queue, MUSTER_FOREVER, &event) == MUSTER_OK) {
        grpc_byte_buffer_destroy(event.message); /* dropped */
    }
    muster__call_queue_free(queue);
}

muster_status muster_call_queue_create_callback(uint32_t n_threads,
                                                muster_call_event_fn fn,
                                                void *arg,
                                                muster_call_queue **ret_queue,
                                                muster_error *err)
{
    muster_call_queue *queue;
    muster_status status;

    if (fn == NULL || n_threads > MAX_THREADS) {
        return muster_error_set(err, MUSTER_INVAL,
                                "a call queue wants a function, and %d threads "
                                "at most",
                                MAX_THREADS);
    }
    status = muster_call_queue_create(&queue, err);
    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__call_threads_create(queue, n_threads == 0 ? 1 : n_threads,
                                         fn, arg, &queue->threads);
    if (status != MUSTER_OK) {
        muster_call_queue_destroy(queue);
        return muster_error_set(err, status, "call queue: its threads: %s",
                                muster_status_text(status));
    }
    *ret_queue = queue;
    return MUSTER_OK;
}

muster_status muster__call_pool_take(muster_call_queue **ret_queue)
{
    muster_call_queue *queue;

    pthread_mutex_lock(&pool_mutex);
    queue = pool;
    if (queue != NULL) {
        pool = queue->next_free;
    }
    pthread_mutex_unlock(&pool_mutex);
    if (queue == NULL) {
        return muster_call_queue_create(ret_queue, NULL);
    }
    *ret_queue = queue;
    return MUSTER_OK;
}

void muster__call_pool_give(muster_call_queue *queue)
{
    pthread_mutex_lock(&pool_mutex);
    queue->next_free = pool;
    pool = queue;
    pthread_mutex_unlock(&pool_mutex);
}
