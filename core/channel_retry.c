/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel counts of retries, and its server's throttling of them. */
#include "channel_retry.h"

#include "channel_internal.h"
#include "fork.h"

muster_status muster__channel_retry_init(muster_channel *channel)
{
    channel->retry.throttle =
        muster__throttle_ref(muster__channel_name(channel));
    return channel->retry.throttle != NULL ? MUSTER_OK : MUSTER_NOMEM;
}

void muster__channel_retry_fini(muster_channel *channel)
{
    muster__throttle_unref(channel->retry.throttle);
}

void muster__channel_retry_settle(muster_channel *channel)
{
    const muster__service_config *config = channel->config.current;
    const muster__retry_throttling *wanted =
        config == NULL ? NULL : muster__service_config_throttling(config);

    if (wanted != NULL) {
        muster__throttle_set(channel->retry.throttle, wanted->max_milli_tokens,
                             wanted->milli_token_ratio);
    }
    /* release: who sees it sees the size, too. */
    atomic_store_explicit(&channel->retry.is_throttled, wanted != NULL,
                          memory_order_release);
}

void muster__channel_retry_stats(const muster_channel *channel,
                                 muster_channel_stats *stats)
{
    const _Atomic uint64_t *counts = channel->retry.counts;

    stats->retries =
        atomic_load_explicit(&counts[MUSTER_RETRY_MADE], memory_order_relaxed);
    stats->retries_throttled = atomic_load_explicit(
        &counts[MUSTER_RETRY_THROTTLED], memory_order_relaxed);
    stats->retries_refused = atomic_load_explicit(&counts[MUSTER_RETRY_REFUSED],
                                                  memory_order_relaxed);
    stats->retries_exhausted = atomic_load_explicit(
        &counts[MUSTER_RETRY_EXHAUSTED], memory_order_relaxed);
    stats->hedges = atomic_load_explicit(&counts[MUSTER_RETRY_HEDGED],
                                         memory_order_relaxed);
}

/* Most calls succeed, and a count of them would be one for all threads. */
static void count(muster__channel_retry *retry, muster_retry_event event)
{
    if (event != MUSTER_RETRY_SUCCEEDED) {
        atomic_fetch_add_explicit(&retry->counts[event], 1,
                                  memory_order_relaxed); /* a counter */
    }
}

int muster_channel_retry_note(muster_channel *channel, muster_retry_event event)
{
    muster__channel_retry *retry = &channel->retry;

    if (muster__is_forked() || (unsigned)event >= MUSTER_RETRY_N_EVENTS) {
        return 0;
    }
    count(retry, event);
    if (!atomic_load_explicit(&retry->is_throttled, memory_order_acquire)) {
        return 1;
    }
    if (event == MUSTER_RETRY_SUCCEEDED) {
        muster__throttle_count_success(retry->throttle);
    } else if (event == MUSTER_RETRY_FAILED) {
        muster__throttle_count_failure(retry->throttle);
    }
    return muster__throttle_allows(retry->throttle) ? 1 : 0;
}
