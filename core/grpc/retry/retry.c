/* SPDX-License-Identifier: Apache-2.0 */
/* Whether, and when, a call is tried again. */
#include "retry.h"

/* gRFC A6: backoffs stray by 20 % either way. */
#define LEAST_FACTOR 0.8
#define FACTOR_RANGE 0.4

/* Some three centuries, in which no sum with a time of today overflows. */
#define LONGEST_NS 9e18

#define NS_A_MS UINT64_C(1000000)

static bool is_retryable(const muster__retry *retry, int status)
{
    return status > 0 && status < 32 &&
           (retry->rules.status_codes >> status & 1u) != 0;
}

muster__retry_class muster__retry_classify(const muster__retry *retry,
                                           const muster__retry_end *end)
{
    if (end->status == 0) {
        return MUSTER__RETRY_SUCCESS;
    }
    return is_retryable(retry, end->status) ||
                   end->pushback.kind == MUSTER__PUSHBACK_STOP
               ? MUSTER__RETRY_FAILURE
               : MUSTER__RETRY_NEUTRAL;
}

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

static uint64_t next_backoff_ns(muster__retry *retry, uint64_t random)
{
    const muster__retry_rules *rules = &retry->rules;
    const double fraction = (double)(random >> 11) / (double)(1ull << 53);
    const double max_ns = (double)rules->max_backoff_ns;
    double base_ns = retry->backoff_ns;

    if (base_ns <= 0) {
        base_ns = lesser((double)rules->initial_backoff_ns, max_ns);
    }
    retry->backoff_ns = lesser(base_ns * rules->backoff_multiplier, max_ns);
    return (uint64_t)lesser(base_ns * (LEAST_FACTOR + FACTOR_RANGE * fraction),
                            LONGEST_NS);
}

static bool is_last(const muster__retry *retry)
{
    return retry->n_failed + retry->n_unplaced + 1 >= retry->rules.max_attempts;
}

static muster__retry_verdict decide(const muster__retry *retry,
                                    const muster__retry_end *end,
                                    bool is_allowed)
{
    if (!is_retryable(retry, end->status)) {
        return MUSTER__RETRY_OVER;
    }
    if (end->is_committed) {
        return MUSTER__RETRY_COMMITTED;
    }
    if (end->is_too_large) {
        return MUSTER__RETRY_TOO_LARGE;
    }
    if (is_last(retry)) {
        return MUSTER__RETRY_EXHAUSTED;
    }
    if (end->pushback.kind == MUSTER__PUSHBACK_STOP) {
        return MUSTER__RETRY_REFUSED;
    }
    return is_allowed ? MUSTER__RETRY_AGAIN : MUSTER__RETRY_THROTTLED;
}

void muster__retry_note_tried(muster__retry *retry, uint64_t endpoint)
{
    if (retry->n_tried < MUSTER__RETRY_MAX_TRIED) {
        retry->tried[retry->n_tried++] = endpoint;
    }
}

muster__retry_verdict muster__retry_judge(muster__retry *retry,
                                          const muster__retry_end *end,
                                          uint64_t endpoint, bool is_allowed,
                                          uint64_t random,
                                          uint64_t *ret_delay_ns)
{
    const muster__retry_verdict verdict = decide(retry, end, is_allowed);

    if (verdict != MUSTER__RETRY_AGAIN) {
        return verdict;
    }
    retry->n_failed++;
    muster__retry_note_tried(retry, endpoint);
    if (end->pushback.kind == MUSTER__PUSHBACK_DELAY) {
        retry->backoff_ns = 0;
        *ret_delay_ns = end->pushback.delay_ms * NS_A_MS;
    } else {
        *ret_delay_ns = next_backoff_ns(retry, random);
    }
    return verdict;
}

muster__retry_verdict muster__retry_judge_pick(muster__retry *retry, int status,
                                               uint64_t random,
                                               uint64_t *ret_delay_ns)
{
    if (!is_retryable(retry, status)) {
        return MUSTER__RETRY_OVER;
    }
    if (is_last(retry)) {
        return MUSTER__RETRY_EXHAUSTED;
    }
    retry->n_unplaced++;
    *ret_delay_ns = next_backoff_ns(retry, random);
    return MUSTER__RETRY_AGAIN;
}
