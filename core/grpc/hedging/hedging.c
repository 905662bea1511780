/* SPDX-License-Identifier: Apache-2.0 */
/* Whether another attempt of a hedged call is begun. */
#include "hedging.h"

#define NS_A_MS UINT64_C(1000000)

bool muster__hedging_may_begin(const muster__hedging *hedging)
{
    return !hedging->is_stopped &&
           hedging->n_begun < hedging->rules.max_attempts;
}

void muster__hedging_begin(muster__hedging *hedging)
{
    hedging->n_begun++;
    hedging->n_out++;
}

void muster__hedging_end(muster__hedging *hedging)
{
    hedging->n_out--;
}

void muster__hedging_take_back(muster__hedging *hedging)
{
    hedging->n_begun--;
}

static bool is_fatal(const muster__hedging *hedging, int status)
{
    return status < 0 || status >= 32 ||
           (hedging->rules.status_codes >> status & 1u) == 0;
}

muster__retry_class muster__hedging_classify(const muster__hedging *hedging,
                                             const muster__retry_end *end)
{
    if (end->status == 0) {
        return MUSTER__RETRY_SUCCESS;
    }
    return !is_fatal(hedging, end->status) ||
                   end->pushback.kind == MUSTER__PUSHBACK_STOP
               ? MUSTER__RETRY_FAILURE
               : MUSTER__RETRY_NEUTRAL;
}

/* Why no other attempt follows. */
static muster__hedging_verdict last(const muster__hedging *hedging)
{
    if (hedging->n_out > 0) {
        return MUSTER__HEDGING_WAITS;
    }
    if (hedging->is_stopped) {
        return MUSTER__HEDGING_REFUSED;
    }
    return hedging->n_begun >= hedging->rules.max_attempts
               ? MUSTER__HEDGING_EXHAUSTED
               : MUSTER__HEDGING_THROTTLED;
}

muster__hedging_verdict muster__hedging_judge(muster__hedging *hedging,
                                              const muster__retry_end *end,
                                              bool is_allowed,
                                              uint64_t *ret_delay_ns)
{
    if (end->status == 0 || end->is_committed || end->is_too_large ||
        is_fatal(hedging, end->status)) {
        return MUSTER__HEDGING_DECIDED;
    }
    if (end->pushback.kind == MUSTER__PUSHBACK_STOP) {
        hedging->is_stopped = true;
    }
    if (!is_allowed || !muster__hedging_may_begin(hedging)) {
        return last(hedging);
    }
    *ret_delay_ns = end->pushback.kind == MUSTER__PUSHBACK_DELAY
                        ? end->pushback.delay_ms * NS_A_MS
                        : 0;
    return MUSTER__HEDGING_NEXT;
}
