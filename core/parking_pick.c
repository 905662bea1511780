/* SPDX-License-Identifier: Apache-2.0 */
/* Picks that wait, from the side of whoever picks. Thread: any. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "fork.h"
#include "parking_internal.h"
#include "sized.h"
#include "thread.h"

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
        muster__parking_append_locked(parking, parked);
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
            muster__parking_remove_locked(parking, parked);
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
    muster_error why; /* of the first pick; *err stays when waiting helps */
    muster_status status = muster_channel_pick(channel, call, ret_lease, &why);

    if (status != MUSTER_QUEUED) {
        if (status != MUSTER_OK && err != NULL) {
            *err = why;
        }
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
        muster__parked_limit(&parked, &config);
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
                                  uint64_t not_before_ns, muster_pick_fn fn,
                                  void *arg)
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
    parked->not_before_ns = not_before_ns;
    parked->fn = fn;
    parked->arg = arg;
    return parked;
}

muster_status muster_channel_pick_after(muster_channel *channel,
                                        const muster_call_info *call,
                                        uint64_t not_before_ns,
                                        muster_pick_fn fn, void *arg,
                                        uint64_t *ret_pick)
{
    muster__parking *parking = &channel->parking;
    muster__parked *parked;
    muster_status status = MUSTER_OK;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    parked = parked_new(call, not_before_ns, fn, arg);
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
        muster__parking_append_locked(parking, parked);
        muster__nudge_post(&parking->serve_nudge);
    }
    pthread_mutex_unlock(&parking->lock);
    if (status != MUSTER_OK) {
        free(parked);
    }
    return status;
}

muster_status muster_channel_pick_async(muster_channel *channel,
                                        const muster_call_info *call,
                                        muster_pick_fn fn, void *arg,
                                        uint64_t *ret_pick)
{
    return muster_channel_pick_after(channel, call, 0, fn, arg, ret_pick);
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
