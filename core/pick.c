/* SPDX-License-Identifier: Apache-2.0 */
/* Picking: ask the published policy, count the call in, refuse what is gone. */
#include <stddef.h>

#include "fork.h"
#include "log_internal.h"
#include "plane_internal.h"

enum {
    /* Further picks of the policy's own after one that hit a slot that is gone,
     * then of slots all over the view, so that no run of them holds us. */
    MAX_ASKS = 4,
    MAX_TRIES = 64,
    /* How far ahead a policy that goes round will be when a line has come. */
    PREFETCH_AHEAD = 8
};

/* 2^32 divided by the golden ratio: multiples of it spread evenly. */
#define SPREAD UINT64_C(2654435761)

static const muster_call_info default_call = {.struct_size =
                                                  sizeof(muster_call_info)};

/* What one look at the picker is about. */
typedef struct pick_attempt {
    muster__plane *plane;
    const muster__view *view;
    const muster__guard *guard;
    const muster_call_info *call;
    uint32_t repick;
} pick_attempt;

static muster_status queued(muster_error *err)
{
    return muster_error_set(err, MUSTER_QUEUED, "no endpoint is ready yet");
}

/* Nobody is asked: the channel's state answers. */
static muster_status answer_by_state(const pick_attempt *attempt,
                                     muster_error *err)
{
    const muster__view *view = attempt->view;
    bool waits = (attempt->call->flags & MUSTER_CALL_WAIT_FOR_READY) != 0;

    if (view->state == MUSTER_SHUTDOWN) {
        return muster_error_set(err, MUSTER_CLOSED, "the channel is closed");
    }
    if (view->state == MUSTER_TRANSIENT_FAILURE && !waits) {
        return muster_error_set(
            err, MUSTER_UNAVAILABLE, "%s",
            view->reason != NULL ? view->reason : "no endpoint can be reached");
    }
    return queued(err);
}

static muster_status answer_without_index(const pick_attempt *attempt,
                                          muster_verdict verdict,
                                          const muster_pick_result *result,
                                          muster_error *err)
{
    const muster__plane_host *host = &attempt->plane->host;

    if (verdict == MUSTER_PICK_FAIL) {
        return muster_error_set(err, MUSTER_UNAVAILABLE, "%s",
                                result->message != NULL
                                    ? result->message
                                    : "the policy failed the call");
    }
    if (verdict == MUSTER_PICK_CONNECT) {
        host->connect(host->ctx, result->id);
    }
    return queued(err);
}

/* A slot of the view, whatever the policy answered. */
static uint32_t usable_index(const pick_attempt *attempt, uint32_t index)
{
    uint32_t n = attempt->view->n_pickable;

    if (muster__unlikely(index >= n)) {
        muster__log(MUSTER_LOG_ERROR,
                    "policy %s: picked endpoint %u of %u; taken modulo",
                    attempt->view->policy_name, index, n);
        index %= n;
    }
    if (muster__unlikely(attempt->repick > MAX_ASKS)) {
        index = (uint32_t)((index + attempt->repick * SPREAD) % n);
    }
    return index;
}

/* Policies that go round come to the slots ahead next. */
static void prefetch_ahead(const muster__view *view, uint32_t index)
{
    uint32_t ahead = index + PREFETCH_AHEAD;

    if (muster__likely(ahead < view->n_pickable)) {
        muster__prefetch(muster__view_slot(view, ahead));
    }
}

/* The policy heard of the pick as of a call. */
static void refuse(const pick_attempt *attempt, muster__slot *slot)
{
    static const muster_outcome given_back = {.struct_size = sizeof given_back,
                                              .status = 14};
    const muster__view *view = attempt->view;

    if (view->done != NULL) {
        view->done(view->self, slot->id, muster__view_state(view, slot->id),
                   &given_back);
    }
    atomic_fetch_add_explicit(&attempt->plane->n_given_back, 1,
                              memory_order_relaxed); /* a counter */
    muster__plane_give_back(slot, attempt->guard);
}

/* False: the slot is gone, pick again. Counting comes before looking, inside
 * the guard: outside, or after, the slot might be closed in between. */
static bool take(const pick_attempt *attempt, uint32_t index,
                 muster_lease *ret_lease)
{
    muster__slot *slot =
        muster__view_slot(attempt->view, usable_index(attempt, index));

    prefetch_ahead(attempt->view, index);
    muster__slot_count(slot, attempt->guard, 1);
    if (muster__unlikely(!muster__slot_is_ready(slot))) {
        refuse(attempt, slot);
        return false;
    }
    ret_lease->slot_ = slot;
    ret_lease->data_ = attempt->view->lease_data;
    return true;
}

/* One look. *ret_again: the pick was given back. */
static inline muster_status attempt_pick(const pick_attempt *attempt,
                                         muster_lease *ret_lease,
                                         bool *ret_again, muster_error *err)
{
    const muster__view *view = attempt->view;
    muster_pick_args args = {.struct_size = sizeof args,
                             .n_ready = view->n_pickable,
                             .shard = attempt->guard->shard,
                             .repick = attempt->repick,
                             .call = attempt->call};
    muster_pick_result result = {.struct_size = sizeof result};
    muster_verdict verdict;

    if (muster__unlikely(args.n_ready == 0 && !view->asks_when_empty)) {
        return answer_by_state(attempt, err);
    }
    verdict = view->pick(view->self, view->table, &args, &result);
    if (muster__unlikely(args.n_ready == 0 && verdict == MUSTER_PICK_QUEUE)) {
        return answer_by_state(attempt, err); /* balancer.h: PICKS_WHEN_EMPTY */
    }
    if (muster__unlikely(verdict != MUSTER_PICK_INDEX || args.n_ready == 0)) {
        return answer_without_index(attempt, verdict, &result, err);
    }
    *ret_again = !take(attempt, result.index, ret_lease);
    return MUSTER_OK;
}

muster_status muster__plane_pick(muster__plane *plane,
                                 const muster_call_info *call,
                                 muster_lease *ret_lease,
                                 uint64_t *ret_generation, muster_error *err)
{
    muster__guard guard;
    pick_attempt attempt = {.plane = plane,
                            .guard = &guard,
                            .call = call != NULL ? call : &default_call};

    if (muster__unlikely(muster__is_forked())) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    for (; attempt.repick < MAX_TRIES; attempt.repick++) {
        bool again = false;
        muster_status status;

        attempt.view = muster__guard_enter(&guard, &plane->published);
        *ret_generation = attempt.view->generation;
        status = attempt_pick(&attempt, ret_lease, &again, err);
        muster__guard_leave(&guard);
        if (muster__likely(!again)) {
            return status;
        }
    }
    return queued(err);
}
