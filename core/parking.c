/* SPDX-License-Identifier: Apache-2.0 */
/* Picks that wait: first come, first served. */
#include "parking.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "channel_internal.h"
#include "fork.h"
#include "sized.h"
#include "thread.h"

/* WAITING: in the list. SERVING: in the list, and the control thread asks for
 * it: nobody else takes it out. DONE: the verdict is in; nobody but the waiter
 * touches it. Changes under the lock. */
enum { WAITING, SERVING, DONE };

struct muster__parked {
    muster__parked *next;
    muster__parked *previous;
    muster_call_info call;
    uint64_t id;
    int phase;
    atomic_bool is_cancelled; /* set under the lock */
    bool has_waited;          /* it was counted */
    bool is_limited;          /* the service config has had its say */
    bool is_limit_new;        /* its thread sleeps to another deadline yet */
    bool is_untimed;          /* its thread sleeps without a deadline */
    uint64_t since_ns;
    muster_status status;
    muster_lease lease;
    muster_error err;
    pthread_cond_t done; /* of a blocking pick */
    muster_pick_fn fn;   /* of an asynchronous one; NULL: blocking */
    void *arg;
    char text[]; /* of an asynchronous one: its copied strings */
};

/* ---- the list. The lock is held ---- */

static void list_append_locked(muster__parking *parking, muster__parked *parked)
{
    parked->phase = WAITING;
    parked->next = NULL;
    parked->previous = parking->last;
    if (parking->last != NULL) {
        parking->last->next = parked;
    } else {
        parking->first = parked;
    }
    parking->last = parked;
    parking->n++;
}

static void list_remove_locked(muster__parking *parking, muster__parked *parked)
{
    if (parked->previous != NULL) {
        parked->previous->next = parked->next;
    } else {
        parking->first = parked->next;
    }
    if (parked->next != NULL) {
        parked->next->previous = parked->previous;
    } else {
        parking->last = parked->previous;
    }
    parking->n--;
}

/* All that wait now are to be served; those that come later are not. */
static muster__parked *list_serve_locked(muster__parking *parking)
{
    for (muster__parked *p = parking->first; p != NULL; p = p->next) {
        p->phase = SERVING;
    }
    return parking->last;
}

/* ---- the service config's timeout, which may become known only here ---- */

static void limit(muster__parked *parked, const muster__method_config *config)
{
    uint64_t deadline_ns;

    if (parked->is_limited || config == NULL) {
        return;
    }
    parked->is_limited = true;
    deadline_ns = parked->since_ns + config->timeout_ns;
    if (config->timeout_ns != 0 && (parked->call.deadline_ns == 0 ||
                                    deadline_ns < parked->call.deadline_ns)) {
        parked->call.deadline_ns = deadline_ns;
        parked->is_limit_new = true;
    }
}

/* Thread: control. */
static void limit_on_control(const muster_channel *channel,
                             muster__parked *parked)
{
    const muster__methods *methods = muster__channel_config_methods(channel);

    if (methods != NULL) {
        limit(parked, muster__methods_find(methods, parked->call.method));
    }
}

/* ---- serving. Thread: control ---- */

static bool is_over(const muster__parked *parked, uint64_t now_ns)
{
    return parked->call.deadline_ns != 0 && parked->call.deadline_ns <= now_ns;
}

/* True when it need not wait any longer. */
static bool try_again(muster_channel *channel, muster__parked *parked,
                      uint64_t now_ns)
{
    if (atomic_load(&parked->is_cancelled)) {
        return true;
    }
    limit_on_control(channel, parked);
    parked->status = muster__plane_pick(channel->plane, &parked->call,
                                        &parked->lease, &parked->err);
    if (parked->status == MUSTER_QUEUED && parked->fn != NULL &&
        is_over(parked, now_ns)) {
        parked->status =
            muster_error_set(&parked->err, MUSTER_TIMEOUT,
                             "target %s: no endpoint became ready in time",
                             muster__channel_name(channel));
    }
    return parked->status != MUSTER_QUEUED;
}

/* Whoever cancelled it was promised this, even when a pick came in between. */
static void cancel(muster__parked *parked)
{
    if (parked->status == MUSTER_OK) {
        muster_lease_finish(&parked->lease, NULL);
    }
    parked->status = muster_error_set(&parked->err, MUSTER_CANCELLED,
                                      "cancelled while waiting");
}

static void tell(muster__parked *parked)
{
    if (atomic_load(&parked->is_cancelled)) {
        cancel(parked);
    }
    parked->fn(parked->arg, parked->status, &parked->lease, &parked->err);
    free(parked);
}

/* Takes out one that is done, and wakes its thread: a blocking pick's memory is
 * gone as soon as the lock is. An asynchronous one goes to *tail, to be told.
 */
static void end_locked(muster__parking *parking, muster__parked *parked,
                       muster__parked ***tail)
{
    list_remove_locked(parking, parked);
    parking->n_timed_out += parked->status == MUSTER_TIMEOUT;
    parked->phase = DONE;
    if (parked->fn == NULL) {
        pthread_cond_signal(&parked->done);
        return;
    }
    parked->next = NULL;
    **tail = parked;
    *tail = &parked->next;
}

/* Those that were not done wait again. */
static void wait_again_locked(muster__parking *parking)
{
    for (muster__parked *p = parking->first; p != NULL && p->phase == SERVING;
         p = p->next) {
        p->phase = WAITING;
        if (p->fn == NULL && p->call.deadline_ns != 0 &&
            (p->is_untimed || p->is_limit_new)) {
            p->is_limit_new = false;
            pthread_cond_signal(&p->done); /* it slept without its deadline */
        } else if (p->fn != NULL && !p->has_waited) {
            p->has_waited = true;
            parking->n_parked_ever++;
        }
    }
}

/* Asks for each up to last, without the lock: as long as they are SERVING, only
 * this thread changes the links between them. Chains those to be told. */
static void serve_to(muster_channel *channel, muster__parked *last,
                     muster__parked **ret_done)
{
    muster__parking *parking = &channel->parking;
    uint64_t now_ns = muster__now_ns();
    muster__parked *next = parking->first;
    bool is_last = false;

    while (!is_last) {
        muster__parked *p = next;
        is_last = p == last;
        next = is_last ? NULL : p->next;
        if (try_again(channel, p, now_ns)) {
            pthread_mutex_lock(&parking->lock);
            end_locked(parking, p, &ret_done);
            pthread_mutex_unlock(&parking->lock);
        }
    }
    pthread_mutex_lock(&parking->lock);
    wait_again_locked(parking);
    pthread_mutex_unlock(&parking->lock);
}

/* Wakes for the earliest deadline of an asynchronous pick. */
static void arm_timer(muster_channel *channel)
{
    muster__parking *parking = &channel->parking;
    uint64_t earliest_ns = UINT64_MAX;
    uint64_t now_ns = muster__now_ns();

    pthread_mutex_lock(&parking->lock);
    for (muster__parked *p = parking->first; p != NULL; p = p->next) {
        if (p->fn != NULL && p->call.deadline_ns != 0 &&
            p->call.deadline_ns < earliest_ns) {
            earliest_ns = p->call.deadline_ns;
        }
    }
    pthread_mutex_unlock(&parking->lock);
    if (earliest_ns != UINT64_MAX) {
        uint64_t left_ns = earliest_ns > now_ns ? earliest_ns - now_ns : 0;
        muster__timer_start(parking->timer, left_ns / 1000000 + 1);
    }
}

void muster__parking_serve(muster_channel *channel)
{
    muster__parking *parking = &channel->parking;
    muster__parked *done = NULL;
    muster__parked *last;

    pthread_mutex_lock(&parking->lock);
    parking->is_watched = false;
    last = list_serve_locked(parking);
    pthread_mutex_unlock(&parking->lock);
    if (last == NULL) {
        return;
    }
    serve_to(channel, last, &done);
    arm_timer(channel);
    for (muster__parked *p = done, *next; p != NULL; p = next) {
        next = p->next;
        tell(p);
    }
}

static void serve_by_nudge(void *arg)
{
    muster_channel *channel = arg;

    muster__parking_serve(channel);
    muster__publisher_hurry(channel);
    muster__channel_advance_close(channel);
}

muster_status muster__parking_init(muster__parking *parking,
                                   muster_channel *channel)
{
    memset(parking, 0, sizeof *parking);
    pthread_mutex_init(&parking->lock, NULL);
    muster__nudge_init(&parking->serve_nudge, serve_by_nudge, channel);
    return muster__timer_create(serve_by_nudge, channel, &parking->timer);
}

void muster__parking_fini(muster__parking *parking)
{
    muster__timer_destroy(parking->timer);
    pthread_mutex_destroy(&parking->lock);
}

/* ---- parking. Thread: any ---- */

/* MUSTER_QUEUED: it is in the list. MUSTER_BUSY: a newer picker is out, ask it.
 * The generation is checked under the lock that serving takes, so no wake-up is
 * lost. */
static muster_status park(muster_channel *channel, muster__parked *parked,
                          uint64_t generation)
{
    muster__parking *parking = &channel->parking;
    muster_status status = MUSTER_QUEUED;

    pthread_mutex_lock(&parking->lock);
    if (muster__plane_generation(channel->plane) != generation) {
        status = MUSTER_BUSY;
    } else if (parking->n >= channel->options.max_parked) {
        parking->n_exhausted++;
        status = muster_error_set(&parked->err, MUSTER_EXHAUSTED,
                                  "target %s: %u picks wait already",
                                  muster__channel_name(channel), parking->n);
    } else {
        parked->id = ++parking->last_id;
        parking->n_parked_ever++;
        list_append_locked(parking, parked);
        if (parking->is_watched) {
            muster__nudge_post(&parking->serve_nudge);
        }
    }
    pthread_mutex_unlock(&parking->lock);
    return status;
}

/* Waits for the verdict, or to the deadline. */
static void wait_locked(muster_channel *channel, muster__parked *parked)
{
    muster__parking *parking = &channel->parking;

    while (parked->phase != DONE) { /* while it is served, the deadline may
                                       change */
        if (parked->phase == SERVING || parked->call.deadline_ns == 0) {
            parked->is_untimed = true;
            pthread_cond_wait(&parked->done, &parking->lock);
            parked->is_untimed = false;
        } else if (muster__cond_wait_until(&parked->done, &parking->lock,
                                           parked->call.deadline_ns) ==
                       ETIMEDOUT &&
                   parked->phase == WAITING) {
            list_remove_locked(parking, parked);
            parking->n_timed_out++;
            parked->status =
                muster_error_set(&parked->err, MUSTER_TIMEOUT,
                                 "target %s: no endpoint became ready in time",
                                 muster__channel_name(channel));
            return;
        }
    }
}

static muster_status wait_for(muster_channel *channel, muster__parked *parked)
{
    uint64_t generation;
    muster_status status;

    do {
        status = muster__plane_pick_noting(channel->plane, &parked->call,
                                           &parked->lease, &generation,
                                           &parked->err);
        if (status != MUSTER_QUEUED) {
            return status;
        }
        status = park(channel, parked, generation);
    } while (status == MUSTER_BUSY);
    if (status != MUSTER_QUEUED) {
        return status;
    }
    /* In the list: parked->status is whoever's that serves it. */
    pthread_mutex_lock(&channel->parking.lock);
    wait_locked(channel, parked);
    pthread_mutex_unlock(&channel->parking.lock);
    return parked->status;
}

static void call_copy(muster_call_info *copy, const muster_call_info *call)
{
    muster__sized_read(copy, sizeof *copy, call);
    copy->struct_size = (uint32_t)sizeof *copy;
}

muster_status muster_channel_pick(muster_channel *channel,
                                  const muster_call_info *call,
                                  muster_lease *ret_lease, muster_error *err)
{
    return muster__plane_pick(channel->plane, call, ret_lease, err);
}

muster_status muster_channel_pick_wait(muster_channel *channel,
                                       const muster_call_info *call,
                                       muster_lease *ret_lease,
                                       muster_error *err)
{
    muster__method_config config;
    muster__parked parked;
    muster_status status = muster_channel_pick(channel, call, ret_lease, err);

    if (status != MUSTER_QUEUED) {
        return status;
    }
    if (muster__loop_is_current()) {
        return muster_error_set(err, MUSTER_WOULD_DEADLOCK,
                                "a pick that waits, on the control thread");
    }
    memset(&parked, 0, sizeof parked);
    call_copy(&parked.call, call);
    parked.since_ns = muster__now_ns();
    if (muster__plane_find_method(channel->plane, parked.call.method,
                                  &config)) {
        limit(&parked, &config);
    }
    if (muster__cond_init(&parked.done) != MUSTER_OK) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    status = wait_for(channel, &parked);
    pthread_cond_destroy(&parked.done);
    if (status == MUSTER_OK) {
        *ret_lease = parked.lease;
    } else if (err != NULL) {
        *err = parked.err;
    }
    return status;
}

static muster__parked *parked_new(const muster_call_info *call,
                                  muster_pick_fn fn, void *arg)
{
    muster_call_info copy;
    call_copy(&copy, call);
    size_t method = copy.method == NULL ? 0 : strlen(copy.method) + 1;
    size_t key = copy.hash_key == NULL ? 0 : strlen(copy.hash_key) + 1;
    muster__parked *parked = calloc(1, sizeof *parked + method + key);

    if (parked == NULL) {
        return NULL;
    }
    if (copy.method != NULL) {
        copy.method = memcpy(parked->text, copy.method, method);
    }
    if (copy.hash_key != NULL) {
        copy.hash_key = memcpy(parked->text + method, copy.hash_key, key);
    }
    parked->call = copy;
    parked->since_ns = muster__now_ns();
    parked->fn = fn;
    parked->arg = arg;
    return parked;
}

muster_status muster_channel_pick_async(muster_channel *channel,
                                        const muster_call_info *call,
                                        muster_pick_fn fn, void *arg,
                                        uint64_t *ret_pick)
{
    muster__parking *parking = &channel->parking;
    muster__parked *parked;
    muster_status status = MUSTER_OK;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    parked = parked_new(call, fn, arg);
    if (parked == NULL) {
        return MUSTER_NOMEM;
    }
    pthread_mutex_lock(&parking->lock);
    if (parking->is_closed) {
        status = MUSTER_CLOSED;
    } else if (parking->n >= channel->options.max_parked) {
        parking->n_exhausted++;
        status = MUSTER_EXHAUSTED;
    } else {
        parked->id = ++parking->last_id;
        if (ret_pick != NULL) {
            *ret_pick = parked->id;
        }
        list_append_locked(parking, parked);
        muster__nudge_post(&parking->serve_nudge);
    }
    pthread_mutex_unlock(&parking->lock);
    if (status != MUSTER_OK) {
        free(parked);
    }
    return status;
}

muster_status muster_channel_pick_cancel(muster_channel *channel, uint64_t pick)
{
    muster__parking *parking = &channel->parking;
    muster_status status = MUSTER_NOTFOUND;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    pthread_mutex_lock(&parking->lock);
    for (muster__parked *p = parking->first; p != NULL; p = p->next) {
        if (p->id == pick && p->fn != NULL &&
            !atomic_exchange(&p->is_cancelled, true)) {
            muster__nudge_post(&parking->serve_nudge);
            status = MUSTER_OK;
            break;
        }
    }
    pthread_mutex_unlock(&parking->lock);
    return status;
}
