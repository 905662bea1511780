/* SPDX-License-Identifier: Apache-2.0 */
/* A channel is closed, and its calls in flight get some time. */
#include "shutdown.h"

#include <errno.h>
#include <string.h>

#include "channel_internal.h"
#include "connection.h"
#include "fork.h"
#include "thread.h"
#include "timing.h"

/* A call that had its connection, but was not on it yet, missed the first
 * cancelling. There is another after this, then after twice that, and so on. */
#define FIRST_PATIENCE_MS 10u

/* ---- Thread: control ---- */

static uint64_t n_in_flight(const muster_channel *channel)
{
    muster__plane_stats stats;

    muster__plane_stats_get(channel->plane, &stats);
    return stats.in_flight > 0 ? (uint64_t)stats.in_flight : 0;
}

static void cancel_all(muster_channel *channel)
{
    const muster_transport_class *transport = channel->options.transport;

    if (transport == NULL || transport->cancel == NULL) {
        return;
    }
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        const muster__subchannel *subchannel =
            muster__table_at(&channel->table, i);
        const muster__connection *connection =
            subchannel->endpoint == NULL ? NULL : subchannel->connections;
        for (; connection != NULL; connection = connection->older) {
            void *theirs = muster__connection_transport(connection);
            if (theirs != NULL) {
                transport->cancel(theirs);
            }
        }
    }
}

static void end(muster_channel *channel, uint64_t n_left)
{
    muster__shutdown *shutdown = &channel->shutdown;
    uint64_t n_begun = shutdown->n_begun;

    pthread_mutex_lock(&channel->close_lock);
    shutdown->numbers.channels = 1;
    shutdown->numbers.finished = n_begun > n_left ? n_begun - n_left : 0;
    shutdown->numbers.cancelled = n_left;
    shutdown->numbers.parked_failed = shutdown->n_parked;
    shutdown->is_over = true;
    pthread_cond_broadcast(&channel->close_changed);
    pthread_mutex_unlock(&channel->close_lock);
    muster__shutdown_check(channel);
}

void muster__channel_drained(muster_channel *channel)
{
    muster__timer_stop(channel->shutdown.timer);
    if (channel->shutdown.is_begun && !channel->shutdown.is_over) {
        end(channel, 0);
    }
}

static void on_timer(void *arg)
{
    muster_channel *channel = arg;
    muster__shutdown *shutdown = &channel->shutdown;
    uint64_t n_left = n_in_flight(channel);

    cancel_all(channel);
    if (n_left > 0) {
        muster__timer_start(shutdown->timer, shutdown->patience_ms);
        shutdown->patience_ms *= 2;
    }
    if (!shutdown->is_over) {
        end(channel, n_left);
    }
}

static uint64_t left_ms(uint64_t deadline_ns)
{
    uint64_t now_ns = muster__now_ns();

    return deadline_ns > now_ns ? (deadline_ns - now_ns) / 1000000 + 1 : 0;
}

/* Calls that end while the channel closes are in flight before, those that
 * begin until then are after. */
static uint64_t close_and_count(muster_channel *channel)
{
    uint64_t n_before = n_in_flight(channel);
    uint64_t n_after;

    muster__channel_begin_close(channel);
    n_after = n_in_flight(channel);
    return n_before > n_after ? n_before : n_after;
}

static void begin(muster_channel *channel)
{
    muster__shutdown *shutdown = &channel->shutdown;
    uint64_t deadline_ns;
    uint64_t n_begun;

    pthread_mutex_lock(&channel->close_lock);
    deadline_ns = shutdown->deadline_ns;
    pthread_mutex_unlock(&channel->close_lock);
    n_begun = close_and_count(channel);
    if (!shutdown->is_begun) {
        shutdown->is_begun = true;
        shutdown->n_begun = n_begun;
    }
    if (channel->is_done) { /* it was closed long ago */
        end(channel, 0);
    } else {
        muster__timer_start(shutdown->timer, left_ms(deadline_ns));
    }
}

static void on_asked(void *arg)
{
    muster_channel *channel = arg;

    if (!channel->shutdown.is_over) {
        begin(channel);
    }
    muster__channel_advance_close(channel);
}

muster_status muster__channel_init_shutdown(muster_channel *channel)
{
    muster__shutdown *shutdown = &channel->shutdown;

    muster__nudge_init(&shutdown->nudge, on_asked, channel);
    shutdown->patience_ms = FIRST_PATIENCE_MS;
    shutdown->deadline_ns = UINT64_MAX;
    return muster__timer_create(on_timer, channel, &shutdown->timer);
}

/* ---- Thread: any ---- */

void muster__channel_ask_shutdown(muster_channel *channel, uint64_t deadline_ns)
{
    muster__shutdown *shutdown = &channel->shutdown;

    pthread_mutex_lock(&channel->close_lock);
    if (deadline_ns < shutdown->deadline_ns) {
        shutdown->deadline_ns = deadline_ns;
    }
    pthread_mutex_unlock(&channel->close_lock);
    muster__nudge_post(&shutdown->nudge);
}

void muster__shutdown_give(const muster_shutdown_numbers *numbers,
                           muster_shutdown_numbers *ret_numbers)
{
    muster_shutdown_numbers given = *numbers;
    uint32_t size;

    if (ret_numbers == NULL) {
        return;
    }
    size = ret_numbers->struct_size;
    given.struct_size = size < sizeof given ? size : (uint32_t)sizeof given;
    memcpy(ret_numbers, &given, given.struct_size);
}

/* Until it is over and closed, or the control thread is found to be stuck. */
static muster_status wait_over(muster_channel *channel,
                               muster_shutdown_numbers *ret_numbers)
{
    const muster__shutdown *shutdown = &channel->shutdown;
    muster_status status = MUSTER_OK;
    char who[64];

    pthread_mutex_lock(&channel->close_lock);
    while (!(shutdown->is_over && channel->is_closed) && status == MUSTER_OK) {
        uint64_t check_ms = muster__timing_ms(MUSTER__CLOSE_CHECK_MS);
        if (muster__cond_wait_until(
                &channel->close_changed, &channel->close_lock,
                muster__deadline_ns(check_ms)) == ETIMEDOUT &&
            muster__loop_is_stuck(who, sizeof who)) {
            status = MUSTER_TIMEOUT;
        }
    }
    if (status == MUSTER_OK) {
        status = channel->close_status;
        muster__shutdown_give(&shutdown->numbers, ret_numbers);
    }
    pthread_mutex_unlock(&channel->close_lock);
    return status;
}

muster_status muster_channel_shutdown(muster_channel *channel,
                                      uint64_t grace_ms,
                                      muster_shutdown_numbers *ret_numbers)
{
    static const muster_shutdown_numbers none = {0};

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    muster__channel_ask_shutdown(channel, muster__deadline_ns(grace_ms));
    if (muster__loop_is_current()) {
        muster__shutdown_give(&none, ret_numbers);
        return MUSTER_OK;
    }
    return wait_over(channel, ret_numbers);
}
