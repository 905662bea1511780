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
    MAX_TRIES = 64
};

/* 2^32 divided by the golden ratio: multiples of it spread evenly. */
#define SPREAD UINT64_C(2654435761)

/* Within this file: the pick was given back, pick again. */
#define GIVEN_BACK MUSTER_BUSY

static const muster_call_info default_call = {.struct_size =
                                                  sizeof(muster_call_info)};

static muster_status queued(muster_error *err)
{
    return muster_error_set(err, MUSTER_QUEUED, "no endpoint is ready yet");
}

/* Nobody is asked: the channel's state answers. */
MUSTER__COLD static muster_status answer_by_state(const muster__view *view,
                                                  const muster_call_info *call,
                                                  muster_error *err)
{
    bool waits = (call->flags & MUSTER_CALL_WAIT_FOR_READY) != 0;

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

/* A policy may not fail a call with a status that only an application may send:
 * gRFC A54. OK, or what is no code, is no status to fail with either. */
static int policy_status(int status)
{
    enum { OK = 0, INTERNAL = 13, UNAVAILABLE = 14, LAST = 16 };
    /* INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION,
     * ABORTED, OUT_OF_RANGE, DATA_LOSS */
    const unsigned forbidden =
        1u << 3 | 1u << 5 | 1u << 6 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 15;

    if (status <= OK || status > LAST) {
        return UNAVAILABLE;
    }
    return (forbidden >> status & 1u) != 0 ? INTERNAL : status;
}

/* A policy that is asked when nothing is READY and has no better answer leaves
 * it to the state. */
MUSTER__COLD static muster_status
answer_without_index(const muster__plane *plane, const muster__view *view,
                     const muster_call_info *call, muster_verdict verdict,
                     const muster_pick_result *result, muster_error *err)
{
    if (verdict == MUSTER_PICK_FAIL) {
        (void)muster_error_set(err, MUSTER_UNAVAILABLE, "%s",
                               result->message != NULL
                                   ? result->message
                                   : "the policy failed the call");
        if (err != NULL) {
            err->grpc_status = policy_status(result->status);
        }
        return MUSTER_UNAVAILABLE;
    }
    if (verdict == MUSTER_PICK_CONNECT) {
        plane->host.connect(plane->host.ctx, result->id);
        return queued(err);
    }
    return view->n_pickable == 0 ? answer_by_state(view, call, err)
                                 : queued(err);
}

/* The policy heard of the pick as of a call. guard is a copy, so that the hot
 * path's own need not be in memory. */
MUSTER__COLD static muster_status give_back(muster__plane *plane,
                                            const muster__view *view,
                                            muster__guard guard,
                                            muster__slot *slot)
{
    static const muster_outcome given_back = {.struct_size = sizeof given_back,
                                              .status = 14};

    if (view->done != NULL) {
        view->done(view->self, slot->id, muster__view_state(view, slot->id),
                   &given_back);
    }
    atomic_fetch_add_explicit(&plane->n_given_back, 1,
                              memory_order_relaxed); /* a counter */
    muster__plane_give_back(slot, &guard);
    return GIVEN_BACK;
}

/* Policies that go round come to the slots ahead next. */
MUSTER__HOT void prefetch_ahead(const muster__view *view, uint32_t index)
{
    if (index < view->n_prefetched) {
        muster__prefetch(
            muster__view_slot(view, index + MUSTER__PREFETCH_AHEAD));
    }
}

/* Counting comes before looking, and inside the guard: outside, or after, the
 * slot might be closed in between. */
MUSTER__HOT muster_status take(muster__plane *plane, const muster__view *view,
                               const muster__guard *guard, uint32_t index,
                               muster_lease *ret_lease)
{
    muster__slot *slot = muster__view_slot(view, index);

    prefetch_ahead(view, index);
    muster__slot_count(slot, guard, 1);
    if (muster__unlikely(!muster__slot_is_ready(slot))) {
        return give_back(plane, view, *guard, slot);
    }
    ret_lease->slot_ = slot;
    ret_lease->data_ = view->lease_data;
    return MUSTER_OK;
}

/* The policy's index is none of ours: a fault of the policy, not of the call.
 */
MUSTER__COLD static muster_status
take_modulo(muster__plane *plane, const muster__view *view, muster__guard guard,
            uint32_t index, muster_lease *ret_lease, muster_error *err)
{
    uint32_t n = view->n_pickable;

    muster__log(MUSTER_LOG_ERROR, "policy %s: picked endpoint %u of %u",
                view->policy_name, index, n);
    if (n == 0) {
        return queued(err);
    }
    return take(plane, view, &guard, index % n, ret_lease);
}

/* One look at the picker, inside the guard. */
MUSTER__HOT muster_status look(muster__plane *plane, const muster__view *view,
                               const muster__guard *guard,
                               const muster_call_info *call, uint32_t repick,
                               muster_lease *ret_lease, muster_error *err)
{
    muster_pick_args args = {.struct_size = sizeof args,
                             .n_ready = view->n_pickable,
                             .shard = guard->shard,
                             .repick = repick,
                             .call = call};
    muster_pick_result result = {.struct_size = sizeof result};
    muster_verdict verdict;

    if (muster__unlikely(view->n_pickable == 0 && !view->asks_when_empty)) {
        return answer_by_state(view, call, err);
    }
    verdict = view->pick(view->self, view->table, &args, &result);
    if (muster__unlikely(verdict != MUSTER_PICK_INDEX)) {
        return answer_without_index(plane, view, call, verdict, &result, err);
    }
    if (muster__unlikely(repick > MAX_ASKS && view->n_pickable != 0)) {
        result.index =
            (uint32_t)((result.index + repick * SPREAD) % view->n_pickable);
    }
    if (muster__unlikely(result.index >= view->n_pickable)) {
        return take_modulo(plane, view, *guard, result.index, ret_lease, err);
    }
    return take(plane, view, guard, result.index, ret_lease);
}

/* In a fork child the guard has no slot, so the hot path does not ask. */
static bool is_in_fork_child(const muster__guard *guard)
{
    return guard->slot == NULL && muster__is_forked();
}

/* The whole of it: any thread, and again and again. */
MUSTER__COLD static muster_status
pick_slowly(muster__plane *plane, const muster_call_info *call,
            muster_lease *ret_lease, uint64_t *ret_generation,
            muster_error *err, uint32_t repick)
{
    muster_status status = GIVEN_BACK;

    for (; status == GIVEN_BACK && repick < MAX_TRIES; repick++) {
        muster__guard guard;
        const muster__view *view =
            muster__guard_enter(&guard, &plane->published);

        *ret_generation = view->generation;
        if (is_in_fork_child(&guard)) {
            status = muster_error_set(err, MUSTER_FORKED, "%s",
                                      muster_status_text(MUSTER_FORKED));
        } else {
            status = look(plane, view, &guard, call, repick, ret_lease, err);
        }
        muster__guard_leave(&guard);
    }
    return status == GIVEN_BACK ? queued(err) : status;
}

muster_status muster__plane_pick(muster__plane *plane,
                                 const muster_call_info *call,
                                 muster_lease *ret_lease,
                                 uint64_t *ret_generation, muster_error *err)
{
    muster__guard guard;
    const muster__view *view;
    muster_status status;

    call = call != NULL ? call : &default_call;
    if (muster__unlikely(!muster__guard_enter_own(&guard))) {
        return pick_slowly(plane, call, ret_lease, ret_generation, err, 0);
    }
    view = atomic_load_explicit(&plane->published, memory_order_acquire);
    *ret_generation = view->generation;
    status = look(plane, view, &guard, call, 0, ret_lease, err);
    muster__guard_leave_own(&guard);
    if (muster__unlikely(status == GIVEN_BACK)) {
        return pick_slowly(plane, call, ret_lease, ret_generation, err, 1);
    }
    return status;
}
