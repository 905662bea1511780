/* SPDX-License-Identifier: Apache-2.0 */
/* Picking: ask the published policy, count the call in, refuse what is gone. */
#include <stddef.h>

#include "config/method_config.h"
#include "fork.h"
#include "log_internal.h"
#include "pick_elsewhere.h"
#include "plane_internal.h"

enum {
    /* Further picks of the policy's own after one that hit a slot that is gone,
     * then of slots all over the view, so that no run of them holds us. */
    MAX_ASKS = 4,
    MAX_TRIES = 64
};

/* Within this file: the pick was given back, pick again. */
#define GIVEN_BACK MUSTER_BUSY

static const muster_call_info default_call = {.struct_size =
                                                  sizeof(muster_call_info)};

static const muster_pick_result no_result = {.struct_size =
                                                 sizeof(muster_pick_result)};

/* On the slow way, which noted picks take too. */
static uint32_t n_pickable(const muster__view *view)
{
    return view->notes_picks ? view->n_noted : view->n_pickable;
}

static muster_status queued(muster_error *err)
{
    return muster_error_set(err, MUSTER_QUEUED, "no endpoint is ready yet");
}

static void count_failure(muster__plane *plane)
{
    atomic_fetch_add_explicit(&plane->n_failed, 1,
                              memory_order_relaxed); /* a counter */
}

/* What the call does not say itself, the service config may say of its method.
 */
static bool waits_for_ready(const muster__view *view,
                            const muster_call_info *call)
{
    const muster__method_config *config = NULL;

    if ((call->flags & MUSTER_CALL_WAIT_FOR_READY) != 0) {
        return true;
    }
    if (view->methods != NULL && (call->flags & MUSTER_CALL_FAIL_FAST) == 0) {
        config = muster__methods_find(view->methods, call->method);
    }
    return config != NULL && config->is_wait_for_ready;
}

/* Nobody is asked: the channel's state answers. */
MUSTER__COLD static muster_status answer_by_state(const muster__view *view,
                                                  const muster_call_info *call,
                                                  muster_error *err)
{
    if (view->state == MUSTER_SHUTDOWN) {
        return muster_error_set(err, MUSTER_CLOSED, "the channel is closed");
    }
    if (view->state == MUSTER_TRANSIENT_FAILURE &&
        !waits_for_ready(view, call)) {
        count_failure(view->plane);
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
answer_without_index(const muster__view *view, const muster_call_info *call,
                     muster_verdict verdict, const muster_pick_result *result,
                     muster_error *err)
{
    const muster__plane_host *host = &view->plane->host;

    if (verdict == MUSTER_PICK_FAIL) {
        count_failure(view->plane);
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
        host->connect(host->ctx, result->id);
        return queued(err);
    }
    return n_pickable(view) == 0 ? answer_by_state(view, call, err)
                                 : queued(err);
}

/* The policy heard of the pick as of a call. */
static void tell_unused(const muster__view *view, uint64_t id)
{
    static const muster_outcome given_back = {.struct_size = sizeof given_back,
                                              .flags =
                                                  MUSTER_OUTCOME_GIVEN_BACK,
                                              .status = 14};

    if (view->done != NULL) {
        view->done(view->self, id, muster__view_state(view, id), &given_back);
    }
}

static void tell_given_back(const muster__view *view, uint64_t id)
{
    tell_unused(view, id);
    atomic_fetch_add_explicit(&view->plane->n_given_back, 1,
                              memory_order_relaxed); /* a counter */
}

static muster_status give_back(const muster__view *view,
                               const muster__guard *guard, muster__slot *slot)
{
    tell_given_back(view, slot->id);
    muster__plane_give_back(slot, guard);
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

MUSTER__HOT void lend(const muster__view *view, muster__slot *slot,
                      muster_lease *ret_lease)
{
    ret_lease->slot_ = slot;
    ret_lease->data_ = view->lease_data;
}

/* Counting comes before looking, and inside the guard: outside, or after, the
 * slot might be closed in between. */
static muster_status take_slot(const muster__view *view,
                               const muster__guard *guard, muster__slot *slot,
                               muster_lease *ret_lease)
{
    muster__slot_count(slot, guard, MUSTER__COUNT_PICK);
    if (!muster__slot_is_ready(slot)) {
        return give_back(view, guard, slot);
    }
    lend(view, slot, ret_lease);
    return MUSTER_OK;
}

/* Of a leader, one of its members. One that has none is given back. */
MUSTER__APART static muster_status take_member(const muster__view *view,
                                               const muster__guard *guard,
                                               muster__slot *leader,
                                               muster_lease *ret_lease)
{
    muster__pool *pool = muster__pool_of(leader);
    muster__slot *member;

    if (pool == NULL) {
        return take_slot(view, guard, leader, ret_lease);
    }
    member = muster__slot_is_ready(leader) ? muster__pool_choose(pool) : NULL;
    if (member == NULL) {
        muster__slot_count(leader, guard, MUSTER__COUNT_PICK);
        return give_back(view, guard, leader);
    }
    return take_slot(view, guard, member, ret_lease);
}

static muster_status take(const muster__view *view, const muster__guard *guard,
                          uint32_t index, muster_lease *ret_lease)
{
    muster__slot *slot = muster__view_slot(view, index);

    return view->has_pools ? take_member(view, guard, slot, ret_lease)
                           : take_slot(view, guard, slot, ret_lease);
}

/* Of an endpoint that the policy did not pick: it hears nothing of the call, or
 * what it counts would be wrong for two endpoints. */
MUSTER__COLD static muster_status take_unpicked(const muster__view *view,
                                                const muster__guard *guard,
                                                uint32_t index,
                                                muster_lease *ret_lease)
{
    muster__slot *slot = muster__view_slot(view, index);
    muster__pool *pool = view->has_pools ? muster__pool_of(slot) : NULL;

    if (pool != NULL) {
        slot = muster__slot_is_ready(slot) ? muster__pool_choose(pool) : NULL;
    }
    if (slot == NULL) {
        return GIVEN_BACK;
    }
    muster__slot_count(slot, guard, MUSTER__COUNT_PICK);
    if (!muster__slot_is_ready(slot)) {
        muster__plane_give_back(slot, guard);
        return GIVEN_BACK;
    }
    ret_lease->slot_ = slot;
    ret_lease->data_ = 0;
    return MUSTER_OK;
}

/* The policy's index is none of ours: a fault of the policy, not of the call.
 */
MUSTER__COLD static muster_status
take_modulo(const muster__view *view, const muster__guard *guard,
            uint32_t index, muster_lease *ret_lease, muster_error *err)
{
    uint32_t n = n_pickable(view);

    muster__log(MUSTER_LOG_ERROR, "policy %s: picked endpoint %u of %u",
                view->policy_name, index, n);
    if (n == 0) {
        return queued(err);
    }
    return take_unpicked(view, guard, index % n, ret_lease);
}

/* The policy's answer has failed the call before. It is asked again, since it
 * knows better than the view what is next, and overruled when it insists. */
MUSTER__COLD static muster_status settle_tried(const muster__view *view,
                                               const muster__guard *guard,
                                               const muster_pick_args *args,
                                               uint32_t index,
                                               muster_lease *ret_lease)
{
    uint32_t other = muster__find_untried(view, args, index);

    if (other == args->n_ready || other == index) {
        return take(view, guard, index, ret_lease);
    }
    tell_unused(view, muster__view_slot(view, index)->id);
    return args->repick < MAX_ASKS
               ? GIVEN_BACK
               : take_unpicked(view, guard, other, ret_lease);
}

/* What the policy answered becomes of the pick. */
MUSTER__COLD static muster_status
settle(const muster__view *view, const muster__guard *guard,
       const muster_pick_args *args, muster_verdict verdict,
       const muster_pick_result *result, muster_lease *ret_lease,
       muster_error *err)
{
    uint32_t index = result->index;

    if (verdict != MUSTER_PICK_INDEX) {
        return answer_without_index(view, args->call, verdict, result, err);
    }
    if (index >= args->n_ready) {
        return take_modulo(view, guard, index, ret_lease, err);
    }
    if (args->repick > MAX_ASKS) {
        tell_given_back(view, muster__view_slot(view, index)->id);
        return take_unpicked(
            view, guard, muster__find_anywhere(view, args, index), ret_lease);
    }
    if (muster__is_tried(args->call, muster__view_slot(view, index)->id)) {
        return settle_tried(view, guard, args, index, ret_lease);
    }
    return take(view, guard, index, ret_lease);
}

/* One look at the picker, inside the guard. */
MUSTER__COLD static muster_status look(const muster__view *view,
                                       const muster__guard *guard,
                                       const muster_call_info *call,
                                       uint32_t repick, muster_lease *ret_lease,
                                       muster_error *err)
{
    muster_pick_args args = {.struct_size = sizeof args,
                             .n_ready = n_pickable(view),
                             .shard = guard->shard,
                             .repick = repick,
                             .call = call};
    muster_pick_result result = {.struct_size = sizeof result};
    muster_verdict verdict;

    if (view->notes_picks) {
        view->plane->host.noted(view->plane->host.ctx);
    }
    if (args.n_ready == 0 && !view->asks_when_empty) {
        return answer_by_state(view, call, err);
    }
    verdict = view->pick(view->self, view->table, &args, &result);
    return settle(view, guard, &args, verdict, &result, ret_lease, err);
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
            status = look(view, &guard, call, repick, ret_lease, err);
        }
        muster__guard_leave(&guard);
    }
    return status == GIVEN_BACK ? queued(err) : status;
}

muster_status muster__plane_pick_noting(muster__plane *plane,
                                        const muster_call_info *call,
                                        muster_lease *ret_lease,
                                        uint64_t *ret_generation,
                                        muster_error *err)
{
    return pick_slowly(plane, call != NULL ? call : &default_call, ret_lease,
                       ret_generation, err, 0);
}

bool muster__plane_find_method(muster__plane *plane, const char *method,
                               muster__method_config *ret_config)
{
    muster__guard guard;
    const muster__view *view = muster__guard_enter(&guard, &plane->published);
    const muster__method_config *config =
        view->methods == NULL ? NULL
                              : muster__methods_find(view->methods, method);

    if (config != NULL) {
        *ret_config = *config;
    }
    muster__guard_leave(&guard);
    return config != NULL;
}

/* ---- the hot path: whatever is not as usual leaves it for good ---- */

MUSTER__COLD static muster_status pick_anew(muster__plane *plane,
                                            const muster_call_info *call,
                                            muster_lease *ret_lease,
                                            muster_error *err, uint32_t repick)
{
    uint64_t generation;

    return pick_slowly(plane, call, ret_lease, &generation, err, repick);
}

/* The policy's answer is no index of the view. By value, because the hot path
 * would keep addresses in registers that it has to save. */
MUSTER__COLD static muster_status
leave_settled(const muster__view *view, muster__guard_slot *own,
              muster_pick_args args, muster_verdict verdict,
              muster_pick_result result, muster_lease *ret_lease,
              muster_error *err)
{
    muster__guard guard = muster__guard_of_own(own);
    muster__plane *plane = view->plane;
    muster_status status =
        settle(view, &guard, &args, verdict, &result, ret_lease, err);

    muster__guard_leave_own(own);
    return status == GIVEN_BACK ? pick_anew(plane, args.call, ret_lease, err, 1)
                                : status;
}

/* The slot is gone, though counted in. */
MUSTER__COLD static muster_status
leave_given_back(const muster__view *view, muster__guard_slot *own,
                 muster__slot *slot, const muster_call_info *call,
                 muster_lease *ret_lease, muster_error *err)
{
    muster__guard guard = muster__guard_of_own(own);
    muster__plane *plane = view->plane;

    (void)give_back(view, &guard, slot);
    muster__guard_leave_own(own);
    return pick_anew(plane, call, ret_lease, err, 1);
}

/* The view has pools. */
MUSTER__COLD static muster_status
leave_with_member(const muster__view *view, muster__guard_slot *own,
                  muster__slot *leader, const muster_call_info *call,
                  muster_lease *ret_lease, muster_error *err)
{
    muster__guard guard = muster__guard_of_own(own);
    muster__plane *plane = view->plane;
    muster_status status = take_member(view, &guard, leader, ret_lease);

    muster__guard_leave_own(own);
    return status == GIVEN_BACK ? pick_anew(plane, call, ret_lease, err, 1)
                                : status;
}

/* What is needed again after the policy's pick is kept on the stack meanwhile:
 * so the call is taken from args, and the plane from the view. Counting comes
 * before looking, as in take(). */
MUSTER__HOT muster_status ask(const muster__view *view, muster__guard_slot *own,
                              const muster_call_info *call,
                              muster_lease *ret_lease, muster_error *err)
{
    muster_pick_args args = {.struct_size = sizeof args,
                             .n_ready = view->n_pickable,
                             .shard = own->id,
                             .call = call};
    muster_pick_result result = no_result;
    muster_verdict verdict =
        view->pick(view->self, view->table, &args, &result);
    muster__slot *slot;

    if (muster__unlikely(verdict != MUSTER_PICK_INDEX ||
                         result.index >= view->n_pickable)) {
        return leave_settled(view, own, args, verdict, result, ret_lease, err);
    }
    slot = muster__view_slot(view, result.index);
    if (muster__unlikely(view->has_pools)) {
        return leave_with_member(view, own, slot, args.call, ret_lease, err);
    }
    prefetch_ahead(view, result.index);
    muster__slot_count_own(slot, own, MUSTER__COUNT_PICK);
    if (muster__unlikely(!muster__slot_is_ready(slot))) {
        return leave_given_back(view, own, slot, args.call, ret_lease, err);
    }
    lend(view, slot, ret_lease);
    muster__guard_leave_own(own);
    return MUSTER_OK;
}

muster_status muster__plane_pick(muster__plane *plane,
                                 const muster_call_info *call,
                                 muster_lease *ret_lease, muster_error *err)
{
    muster__guard_slot *own = muster__guard_enter_own();
    const muster__view *view;

    call = call != NULL ? call : &default_call;
    if (muster__unlikely(own == NULL)) {
        return pick_anew(plane, call, ret_lease, err, 0);
    }
    view = atomic_load_explicit(&plane->published, memory_order_acquire);
    if (muster__unlikely(view->n_pickable == 0 || call->n_tried != 0)) {
        muster__guard_leave_own(own);
        return pick_anew(plane, call, ret_lease, err, 0);
    }
    return ask(view, own, call, ret_lease, err);
}
