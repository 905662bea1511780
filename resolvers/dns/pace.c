/* SPDX-License-Identifier: Apache-2.0 */
/* When a question is to be asked again. */
#include "pace.h"

enum {
    /* A denial that does not say how long it holds; and the longest that one is
     * believed: a name that is not there yet is mostly one that comes soon. */
    DENIAL_DEFAULT_MS = 5000,
    DENIAL_MAX_MS = 30000,
    /* After a failure: 1 s, 2 s, then every 3 s, so that a server which is back
     * is noticed within 5 s, a time-out of 2 s included. */
    RETRY_MS = 1000,
    RETRY_MAX_MS = 3000,
    /* A server that refuses is being restarted, most likely. */
    RESTART_RETRY_MS = 250,
    RESTART_PERIOD_MS = 5000,
    HINT_RETRY_MS = 250
};

void muster__dns_pace_draw(muster__dns_pace *pace, uint64_t random)
{
    unsigned range = pace->options->jitter_percent * 10 + 1;

    pace->early_permille = (unsigned)(random % range);
}

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t early(const muster__dns_pace *pace, uint64_t interval_ms)
{
    return interval_ms - interval_ms * pace->early_permille / 1000;
}

static uint64_t retry_ms(const muster__dns_known *known)
{
    if (known->trouble == MUSTER__DNS_UNREACHABLE &&
        known->tried_ms - known->trouble_since_ms < RESTART_PERIOD_MS) {
        return RESTART_RETRY_MS;
    }
    return min_of((uint64_t)RETRY_MS * known->n_troubles, RETRY_MAX_MS);
}

static uint64_t ttl_ms(const muster__dns_answer *answer)
{
    uint64_t ms;

    if (answer->ttl_s == UINT64_MAX) {
        return DENIAL_DEFAULT_MS;
    }
    ms = answer->ttl_s * 1000;
    return answer->outcome == MUSTER__DNS_ANSWER ? ms
                                                 : min_of(ms, DENIAL_MAX_MS);
}

static uint64_t interval_ms(const muster__dns_options *options,
                            const muster__dns_answer *answer)
{
    uint64_t ms =
        options->refresh_ms != 0 ? options->refresh_ms : ttl_ms(answer);

    if (options->refresh_ms == 0 && ms < options->ttl_min_ms) {
        return options->ttl_min_ms;
    }
    return options->refresh_ms != 0 ? ms : min_of(ms, options->ttl_max_ms);
}

/* The least time between two queries. */
static uint64_t floor_ms(const muster__dns_pace *pace,
                         const muster__dns_known *known)
{
    return known->trouble != MUSTER__DNS_NO_TROUBLE ? HINT_RETRY_MS
                                                    : pace->options->ttl_min_ms;
}

uint64_t muster__dns_pace_due_ms(const muster__dns_pace *pace,
                                 const muster__dns_known *known)
{
    uint64_t due_ms;

    if (known->trouble != MUSTER__DNS_NO_TROUBLE) {
        due_ms = known->tried_ms + early(pace, retry_ms(known));
    } else if (known->answer == NULL || known->is_inherited) {
        return 0;
    } else {
        due_ms = known->answered_ms +
                 early(pace, interval_ms(pace->options, known->answer));
    }
    if (known->tried_event < pace->hinted_event) {
        due_ms = min_of(due_ms, known->tried_ms + floor_ms(pace, known));
    }
    return due_ms;
}
