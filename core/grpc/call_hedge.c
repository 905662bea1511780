/* SPDX-License-Identifier: Apache-2.0 */
/* A call of which several attempts are made at a time: gRFC A6. */
#include "call_hedge.h"

#include <stdlib.h>
#include <string.h>

#include <muster/service_config.h>

/* While others are out, what an attempt waits that finds its connection lost
 * once more, so that the channel hears of it. */
#define NEWS_DELAY_NS UINT64_C(1000000)

static void hold(muster__call_timer *timer)
{
    muster__call_hedge *hedge = (muster__call_hedge *)timer;

    muster__call_ref(hedge->call);
}

muster__call_hedge *muster__call_hedge_create(muster_call *call,
                                              muster__hedging_rules rules)
{
    muster__call_hedge *hedge = calloc(1, sizeof *hedge);

    if (hedge == NULL) {
        return NULL;
    }
    hedge->timer.hold = hold;
    hedge->call = call;
    hedge->state.rules = rules;
    hedge->next_ns = MUSTER_FOREVER;
    return hedge;
}

void muster__call_hedge_destroy(muster__call_hedge *hedge)
{
    free(hedge);
}

void muster__call_hedge_cancel_locked(muster__call_hedge *hedge)
{
    for (uint32_t i = 0; i < MUSTER__RETRY_MAX_TRIED; i++) {
        if (hedge->attempts[i].placed.call != NULL) {
            (void)grpc_call_cancel(hedge->attempts[i].placed.call, NULL);
        }
    }
}

/* ---- when ---- */

static void unset_timer(muster__call_hedge *hedge)
{
    hedge->next_ns = MUSTER_FOREVER;
    muster__call_timers_unset(muster__call_queue_timers(hedge->call->queue),
                              &hedge->timer);
}

/* Without memory for the timer the call is hedged no further. */
static void set_timer(muster__call_hedge *hedge, uint64_t due_ns)
{
    hedge->next_ns = due_ns;
    if (!muster__call_queue_set_timer(hedge->call->queue, &hedge->timer,
                                      due_ns)) {
        hedge->next_ns = MUSTER_FOREVER;
    }
}

/* Nobody waits for the call any more, though its attempts have not heard so. */
static bool is_late(const muster_call *call, uint64_t now_ns)
{
    return call->is_cancelled || now_ns >= call->deadline_ns;
}

static void await_next(muster__call_hedge *hedge, uint64_t now_ns,
                       uint64_t delay_ns)
{
    const uint64_t due_ns = muster__call_after(now_ns, delay_ns);

    if (due_ns != MUSTER_FOREVER && muster__hedging_may_begin(&hedge->state)) {
        set_timer(hedge, due_ns);
    }
}

/* Known when the first attempt is placed, whose channel has the latencies. */
static void choose_delay(muster__call_hedge *hedge,
                         const muster__grpc_attempt *first, uint64_t now_ns)
{
    const muster__hedging_rules *rules = &hedge->state.rules;
    uint64_t found_ns = 0;

    hedge->delay_ns = rules->delay_ns;
    if (rules->percentile <= 0) {
        return;
    }
    hedge->latency =
        muster__grpc_connection_latency(first->connection, hedge->call->method);
    if (hedge->latency != NULL) {
        found_ns = muster__latency_percentile_ns(hedge->latency,
                                                 rules->percentile, now_ns);
    }
    if (found_ns != 0) {
        hedge->delay_ns = found_ns;
    } else if (rules->delay_ns == 0) {
        hedge->delay_ns = MUSTER_FOREVER;
    }
}

/* ---- one more ---- */

static muster__grpc_attempt *free_attempt(muster__call_hedge *hedge)
{
    muster__grpc_attempt *attempt = hedge->attempts;

    while (attempt->placed.call != NULL) {
        attempt++;
    }
    return attempt;
}

static bool settle(muster__call_step *step, bool is_ok,
                   muster_call_event *ret_event);

/* To be started without the mutex. It is out from here on, so the call stays.
 */
static muster__grpc_attempt *place_locked(muster__call_hedge *hedge,
                                          muster_lease lease, uint64_t now_ns)
{
    muster_call *call = hedge->call;
    muster__grpc_attempt *attempt = free_attempt(hedge);
    const uint32_t n_before = hedge->state.n_begun;

    muster__grpc_attempt_init(attempt, call);
    attempt->step.take = settle;
    attempt->is_racing = call->stream != NULL;
    hedge->next_ns = MUSTER_FOREVER;
    muster__hedging_begin(&hedge->state);
    muster__retry_note_tried(&call->retry, muster_lease_id(&lease));
    muster__call_attempt_create(attempt, lease, n_before);
    if (n_before == 0) {
        choose_delay(hedge, attempt, now_ns);
    } else {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_HEDGED);
    }
    if (muster__call_is_too_large(attempt)) {
        hedge->state.rules.max_attempts = 1;
    }
    await_next(hedge, now_ns, hedge->delay_ns);
    return attempt;
}

/* On an endpoint that is ready now; NULL: there is none, or enough is out. */
static muster__grpc_attempt *begin_locked(muster__call_hedge *hedge,
                                          uint64_t now_ns)
{
    muster_lease lease = {0};

    if (!muster__hedging_may_begin(&hedge->state) ||
        muster__call_pick_now(hedge->call, &lease) != MUSTER_OK) {
        return NULL;
    }
    return place_locked(hedge, lease, now_ns);
}

void muster__call_hedge_place(muster_call *call, muster_lease lease,
                              uint64_t now_ns)
{
    muster__grpc_attempt *attempt = NULL;

    pthread_mutex_lock(&call->mutex);
    if (!call->is_cancelled) {
        attempt = place_locked(call->hedge, lease, now_ns);
    }
    pthread_mutex_unlock(&call->mutex);
    if (attempt != NULL) {
        muster__call_attempt_start(attempt, now_ns);
    } else {
        muster__call_give_back(call, lease);
    }
}

/* ---- the end of one ---- */

/* What becomes of the call when its mutex has been unlocked. */
typedef enum outcome {
    GOES_ON = 0,
    IS_OVER,  /* to be reported */
    IS_PARKED /* to be parked until next_ns */
} outcome;

typedef struct change {
    outcome outcome;
    muster__grpc_attempt *begun; /* to be started; NULL: none */
} change;

/* Of a first attempt; of one that is cancelled, less than it would have been,
 * but more than the delay. */
static void note_latency(muster__call_hedge *hedge,
                         const muster__grpc_attempt *attempt, bool is_answered,
                         uint64_t now_ns)
{
    const bool is_loser = hedge->is_decided && !hedge->call->is_cancelled;

    if (hedge->latency != NULL && attempt->number == 1 &&
        (is_answered || is_loser)) {
        muster__latency_note(hedge->latency, hedge->state.rules.percentile,
                             now_ns - attempt->started_ns, now_ns);
    }
}

/* The call becomes the owner of what the attempt left. */
static void keep(muster__grpc_attempt *attempt)
{
    muster_call *call = attempt->call;

    muster__grpc_attempt_fini(&call->own_attempt);
    call->own_attempt = *attempt;
    attempt->placed.call = NULL;
}

static outcome decide_locked(muster__call_hedge *hedge,
                             muster__grpc_attempt *attempt, uint64_t now_ns)
{
    muster_call *call = hedge->call;
    char *message = muster__call_message_of(attempt);

    muster__call_finish_lease(attempt, now_ns);
    keep(attempt);
    hedge->is_decided = true;
    unset_timer(hedge);
    muster__call_hedge_cancel_locked(hedge);
    muster__call_end(call, call->attempt->status, message, now_ns);
    hedge->has_end = true;
    return hedge->state.n_out == 0 ? IS_OVER : GOES_ON;
}

/* It is the last word if no other attempt has one. */
static void keep_failure_locked(muster__call_hedge *hedge,
                                muster__grpc_attempt *attempt, uint64_t now_ns)
{
    muster_call *call = hedge->call;

    free(call->last_message);
    call->last_message = muster__call_message_of(attempt);
    muster__call_keep_last_failure(attempt);
    muster__call_finish_lease(attempt, now_ns);
    keep(attempt);
    call->retry.n_failed++;
}

static change park_locked(muster__call_hedge *hedge, uint64_t due_ns)
{
    unset_timer(hedge);
    hedge->next_ns = due_ns;
    return (change){.outcome = IS_PARKED};
}

/* The next is due in a moment, or with the timer; while nothing is out, the
 * call waits as those do that are retried. */
static change follow_locked(muster__call_hedge *hedge, uint64_t now_ns,
                            uint64_t delay_ns)
{
    const change begun = {.begun = delay_ns == 0 ? begin_locked(hedge, now_ns)
                                                 : NULL};

    if (begun.begun != NULL) {
        return begun;
    }
    if (hedge->state.n_out == 0) {
        return park_locked(hedge, muster__call_after(now_ns, delay_ns));
    }
    if (delay_ns != 0) {
        unset_timer(hedge);
        await_next(hedge, now_ns, delay_ns);
    }
    return begun;
}

static void count_verdict(const muster_call *call,
                          muster__hedging_verdict verdict)
{
    if (verdict == MUSTER__HEDGING_EXHAUSTED) {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_EXHAUSTED);
    } else if (verdict == MUSTER__HEDGING_REFUSED) {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_REFUSED);
    } else if (verdict == MUSTER__HEDGING_THROTTLED) {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_THROTTLED);
    }
}

static muster__hedging_verdict judge(muster__call_hedge *hedge,
                                     const muster__grpc_attempt *attempt,
                                     uint64_t *ret_delay_ns)
{
    muster_call *call = hedge->call;
    const muster__retry_end end = muster__call_attempt_end(attempt);
    const muster__retry_class what =
        muster__hedging_classify(&hedge->state, &end);
    muster__hedging_verdict verdict;
    bool is_allowed = true;

    if (what == MUSTER__RETRY_SUCCESS) {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_SUCCEEDED);
    } else if (what == MUSTER__RETRY_FAILURE) {
        is_allowed =
            muster_channel_retry_note(call->channel, MUSTER_RETRY_FAILED) != 0;
    }
    verdict =
        muster__hedging_judge(&hedge->state, &end, is_allowed, ret_delay_ns);
    count_verdict(call, verdict);
    return verdict;
}

/* It never left this process: that was no attempt. As with calls that are not
 * hedged, the second time that waits for the news of the loss. */
static change place_again_locked(muster__call_hedge *hedge,
                                 muster__grpc_attempt *attempt, uint64_t now_ns)
{
    muster__grpc_connection_check(attempt->connection);
    muster__call_finish_lease(attempt, now_ns);
    muster__grpc_attempt_fini(attempt);
    muster__hedging_take_back(&hedge->state);
    if (hedge->call->n_attempts == 1) {
        return follow_locked(hedge, now_ns, 0);
    }
    return hedge->state.n_out == 0
               ? park_locked(hedge, 0)
               : follow_locked(hedge, now_ns, NEWS_DELAY_NS);
}

static change lose_locked(muster__call_hedge *hedge,
                          muster__grpc_attempt *attempt, uint64_t now_ns)
{
    muster__call_finish_lease(attempt, now_ns);
    muster__grpc_attempt_fini(attempt);
    return (change){.outcome = hedge->has_end && hedge->state.n_out == 0
                                   ? IS_OVER
                                   : GOES_ON};
}

static change end_locked(muster__call_hedge *hedge,
                         muster__grpc_attempt *attempt, uint64_t now_ns)
{
    muster_call *call = hedge->call;
    uint64_t delay_ns = 0;

    muster__hedging_end(&hedge->state);
    note_latency(hedge, attempt, attempt->status == GRPC_STATUS_OK, now_ns);
    if (hedge->is_decided) {
        return lose_locked(hedge, attempt, now_ns);
    }
    if (!call->is_cancelled && muster__call_may_be_placed_again(attempt)) {
        return place_again_locked(hedge, attempt, now_ns);
    }
    muster__call_translate(attempt);
    if (is_late(call, now_ns)) {
        return (change){.outcome = decide_locked(hedge, attempt, now_ns)};
    }
    switch (judge(hedge, attempt, &delay_ns)) {
    case MUSTER__HEDGING_NEXT:
        keep_failure_locked(hedge, attempt, now_ns);
        return follow_locked(hedge, now_ns, delay_ns);
    case MUSTER__HEDGING_WAITS:
        keep_failure_locked(hedge, attempt, now_ns);
        return (change){.outcome = GOES_ON};
    default:
        return (change){.outcome = decide_locked(hedge, attempt, now_ns)};
    }
}

bool muster__call_hedge_settle(muster__grpc_attempt *attempt,
                               muster_call_event *ret_event)
{
    muster_call *call = attempt->call;
    const uint64_t now_ns = muster__grpc_now_ns();
    uint64_t next_ns;
    change what;

    muster__call_attempt_take(attempt);
    pthread_mutex_lock(&call->mutex);
    what = end_locked(call->hedge, attempt, now_ns);
    next_ns = call->hedge->next_ns;
    pthread_mutex_unlock(&call->mutex);
    if (what.begun != NULL) {
        muster__call_attempt_start(what.begun, now_ns);
    } else if (what.outcome == IS_PARKED) {
        muster__call_pick_at(call, next_ns);
    }
    return what.outcome == IS_OVER && muster__call_report(call, ret_event);
}

static bool settle(muster__call_step *step, bool is_ok,
                   muster_call_event *ret_event)
{
    (void)is_ok;
    return muster__call_hedge_settle((muster__grpc_attempt *)step, ret_event);
}

/* ---- a stream goes on with one of them ---- */

/* For a first message that nobody asks for: C core may have done its part, and
 * watches the deadline no more. */
static void watch_deadline(muster__call_hedge *hedge)
{
    const muster_call *call = hedge->call;

    unset_timer(hedge);
    if (!call->stream->is_receive_awaited &&
        call->deadline_ns != MUSTER_FOREVER) {
        set_timer(hedge, call->deadline_ns);
    }
}

void muster__call_hedge_adopt_locked(muster__call_hedge *hedge,
                                     muster__grpc_attempt *attempt)
{
    muster_call *call = hedge->call;

    muster__hedging_end(&hedge->state);
    note_latency(hedge, attempt, true, muster__grpc_now_ns());
    muster__grpc_attempt_fini(&call->own_attempt); /* a failure before */
    call->attempt = attempt;
    attempt->is_racing = false;
    hedge->is_decided = true;
    watch_deadline(hedge);
    for (uint32_t i = 0; i < MUSTER__RETRY_MAX_TRIED; i++) {
        grpc_call *other = hedge->attempts[i].placed.call;

        if (other != NULL && &hedge->attempts[i] != attempt) {
            (void)grpc_call_cancel(other, NULL);
        }
    }
}

bool muster__call_hedge_is_over(muster_call *call)
{
    bool is_over;

    pthread_mutex_lock(&call->mutex);
    unset_timer(call->hedge);
    call->hedge->has_end = true;
    is_over = call->hedge->state.n_out == 0;
    pthread_mutex_unlock(&call->mutex);
    return is_over;
}

/* ---- the timer ---- */

static bool is_throttled(const muster__call_hedge *hedge)
{
    muster_channel *channel = hedge->call->channel;

    if (muster_channel_retry_note(channel, MUSTER_RETRY_HEDGE_DUE) != 0) {
        return false;
    }
    (void)muster_channel_retry_note(channel, MUSTER_RETRY_THROTTLED);
    return true;
}

static bool is_within_share(const muster__call_hedge *hedge)
{
    return hedge->latency == NULL || muster__latency_take_hedge(hedge->latency);
}

/* Where no endpoint is ready now, or calls have used up their share of hedges,
 * that may be otherwise after another delay: few calls are out that long. */
static muster__grpc_attempt *due_locked(muster__call_hedge *hedge,
                                        uint64_t now_ns)
{
    muster__grpc_attempt *begun = NULL;

    if (hedge->next_ns > now_ns ||
        (hedge->state.n_out == 0 && !hedge->is_decided)) {
        return NULL; /* somebody was faster than the timer */
    }
    hedge->next_ns = MUSTER_FOREVER;
    if (hedge->is_decided) {
        muster__stream_drop_early_locked(hedge->call,
                                         GRPC_STATUS_DEADLINE_EXCEEDED);
        return NULL;
    }
    if (is_late(hedge->call, now_ns) || is_throttled(hedge)) {
        return NULL;
    }
    if (is_within_share(hedge)) {
        begun = begin_locked(hedge, now_ns);
    }
    if (begun == NULL && hedge->delay_ns != 0) {
        await_next(hedge, now_ns, hedge->delay_ns);
    }
    return begun;
}

void muster__call_hedge_due(muster__call_timer *timer)
{
    muster__call_hedge *hedge = (muster__call_hedge *)timer;
    muster_call *call = hedge->call;
    const uint64_t now_ns = muster__grpc_now_ns();
    muster__grpc_attempt *begun;

    pthread_mutex_lock(&call->mutex);
    begun = due_locked(hedge, now_ns);
    pthread_mutex_unlock(&call->mutex);
    if (begun != NULL) {
        muster__call_attempt_start(begun, now_ns);
    }
    muster__call_unref(call);
}
