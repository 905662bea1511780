/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint of a channel: connecting, failing, backing off. */
#include "subchannel.h"

#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "channel_options.h"
#include "connection.h"
#include "log_internal.h"
#include "spares.h"

uint64_t muster__subchannel_id(const muster__subchannel *subchannel)
{
    return (uint64_t)subchannel->life << 32 | subchannel->number;
}

const char *muster__subchannel_failure(const muster__subchannel *subchannel)
{
    const char *of_health =
        subchannel->connection == NULL
            ? NULL
            : muster__connection_health_reason(subchannel->connection);

    if (of_health != NULL) {
        return of_health;
    }
    return subchannel->retry == NULL ? NULL : subchannel->retry->reason;
}

void muster__subchannel_move(muster_channel *channel,
                             muster__subchannel *subchannel,
                             muster_connectivity state, const char *cause)
{
    muster_connectivity previous = (muster_connectivity)subchannel->state;

    muster__priorities_subtract(&channel->priorities, subchannel);
    subchannel->state = (uint8_t)state;
    subchannel->is_unhealthy = false;
    muster__priorities_add(&channel->priorities, subchannel);
    if (state != previous) {
        muster__states_tell_subchannel(channel, subchannel, previous, cause);
    }
}

void muster__subchannel_set_state(muster_channel *channel,
                                  muster__subchannel *subchannel,
                                  muster_connectivity state)
{
    muster__subchannel_move(channel, subchannel, state, NULL);
}

bool muster__subchannel_may_connect(const muster_channel *channel,
                                    const muster__subchannel *subchannel)
{
    return subchannel->is_listed &&
           (subchannel->is_wanted || subchannel->is_asked) &&
           subchannel->connection == NULL && !subchannel->is_retry_due &&
           !channel->is_closing &&
           muster__priorities_is_started(&channel->priorities,
                                         subchannel->endpoint->data.priority);
}

void muster__subchannel_connect(muster_channel *channel,
                                muster__subchannel *subchannel)
{
    if (muster__subchannel_may_connect(channel, subchannel)) {
        muster__connector_add(channel, subchannel);
    } else {
        muster__spares_want(channel, subchannel);
    }
}

static void end_backoff(muster_channel *channel, muster__subchannel *subchannel,
                        const char *cause)
{
    subchannel->is_retry_due = false;
    muster__subchannel_move(channel, subchannel, MUSTER_IDLE, cause);
    muster__subchannel_connect(channel, subchannel);
}

static void backoff_over(void *arg)
{
    muster__retry *retry = arg;
    muster_channel *channel = retry->channel;
    muster__subchannel *subchannel = retry->subchannel;

    end_backoff(channel, subchannel, "its backoff is over");
    muster__connector_run(channel);
    muster__channel_reconcile(channel, subchannel); /* it may be READY now */
}

static muster__retry *retry_create(muster_channel *channel,
                                   muster__subchannel *subchannel)
{
    muster__retry *retry = calloc(1, sizeof *retry);

    if (retry == NULL) {
        return NULL;
    }
    if (muster__timer_create(backoff_over, retry, &retry->timer) != MUSTER_OK) {
        free(retry);
        return NULL;
    }
    retry->channel = channel;
    retry->subchannel = subchannel;
    muster__channel_backoff_init(&retry->backoff, &channel->options);
    return retry;
}

static void retry_destroy(muster__retry *retry)
{
    if (retry != NULL) {
        muster__timer_destroy(retry->timer);
        free(retry->reason);
        free(retry);
    }
}

static void remember_failure(muster_channel *channel,
                             const muster__subchannel *subchannel,
                             const char *reason)
{
    const char *address = subchannel->endpoint->data.address;
    size_t size = strlen(address) + strlen(reason) + 3;
    char *text = malloc(size);

    if (text != NULL) {
        (void)snprintf(text, size, "%s: %s", address, reason);
        free(channel->latest_failure);
        channel->latest_failure = text;
    }
}

static void start_backoff(muster_channel *channel,
                          muster__subchannel *subchannel, const char *reason)
{
    subchannel->is_retry_due = true;
    if (subchannel->retry == NULL) {
        subchannel->retry = retry_create(channel, subchannel);
    }
    if (subchannel->retry == NULL) {
        muster__channel_try_again_later(channel); /* out of memory */
        return;
    }
    free(subchannel->retry->reason);
    subchannel->retry->reason = strdup(reason);
    muster__timer_start(
        subchannel->retry->timer,
        muster__backoff_next(&subchannel->retry->backoff, muster__random()));
}

static void set_failing(muster_channel *channel, muster__subchannel *subchannel,
                        bool is_failing)
{
    muster__priorities_subtract(&channel->priorities, subchannel);
    subchannel->is_failing = is_failing;
    muster__priorities_add(&channel->priorities, subchannel);
}

static void log_failure(muster_channel *channel,
                        const muster__subchannel *subchannel,
                        const char *reason)
{
    muster__log(MUSTER_LOG_INFO, "channel %s: %s: %s",
                muster__channel_name(channel),
                subchannel->endpoint->data.address, reason);
    remember_failure(channel, subchannel, reason);
}

void muster__subchannel_fail(muster_channel *channel,
                             muster__subchannel *subchannel, const char *reason)
{
    log_failure(channel, subchannel, reason);
    start_backoff(channel, subchannel, reason);
    set_failing(channel, subchannel, true);
    muster__subchannel_move(channel, subchannel, MUSTER_TRANSIENT_FAILURE,
                            reason);
}

void muster__subchannel_reset_backoff(muster_channel *channel,
                                      muster__subchannel *subchannel)
{
    muster__spares_reset_backoff(channel, subchannel);
    if (subchannel->retry != NULL) {
        muster__backoff_reset(&subchannel->retry->backoff);
        muster__timer_stop(subchannel->retry->timer);
    }
    if (subchannel->is_retry_due) {
        end_backoff(channel, subchannel, "its backoff was reset");
    }
}

void muster__subchannel_try_again(muster_channel *channel,
                                  muster__subchannel *subchannel)
{
    if (subchannel->is_retry_due && subchannel->retry == NULL) {
        end_backoff(channel, subchannel, "its backoff is over");
    }
}

void muster__subchannel_connected(muster__subchannel *subchannel)
{
    retry_destroy(subchannel->retry);
    subchannel->retry = NULL;
    subchannel->is_retry_due = false;
}

static void refuse_health(muster_channel *channel,
                          muster__subchannel *subchannel)
{
    const char *reason =
        muster__connection_health_reason(subchannel->connection);

    log_failure(channel, subchannel, reason);
    set_failing(channel, subchannel, true);
    muster__subchannel_move(channel, subchannel, MUSTER_TRANSIENT_FAILURE,
                            reason);
    subchannel->is_unhealthy = true; /* until it moves again */
}

void muster__subchannel_judge(muster_channel *channel,
                              muster__subchannel *subchannel)
{
    switch (muster__connection_health(subchannel->connection)) {
    case MUSTER_HEALTH_NOT_SERVING:
        refuse_health(channel, subchannel);
        break;
    case MUSTER_HEALTH_UNKNOWN:
        muster__subchannel_move(channel, subchannel, MUSTER_CONNECTING,
                                "its health is not known yet");
        break;
    default:
        set_failing(channel, subchannel, false);
        muster__subchannel_set_state(channel, subchannel, MUSTER_READY);
        break;
    }
}

uint64_t
muster__subchannel_backoff_left_ms(const muster__subchannel *subchannel)
{
    return subchannel->retry == NULL || !subchannel->is_retry_due
               ? 0
               : muster__timer_left_ms(subchannel->retry->timer);
}

uint64_t muster__subchannel_calls(muster__subchannel *subchannel)
{
    for (muster__connection *connection = subchannel->connections;
         connection != NULL; connection = connection->older) {
        muster__connection_count_calls(connection);
    }
    return subchannel->n_calls;
}

void muster__subchannel_set_wanted(muster_channel *channel,
                                   muster__subchannel *subchannel,
                                   bool is_wanted, bool is_asked)
{
    muster__priorities_subtract(&channel->priorities, subchannel);
    subchannel->is_wanted = is_wanted;
    subchannel->is_asked = is_asked;
    muster__priorities_add(&channel->priorities, subchannel);
}

void muster__subchannel_shed(muster_channel *channel,
                             muster__subchannel *subchannel)
{
    muster__connection *connection = subchannel->connection;

    if (connection == NULL) {
        return;
    }
    muster__held_remove(channel, subchannel);
    muster__spares_end(channel, subchannel);
    subchannel->is_in_view = false;
    subchannel->connection = NULL;
    muster__connector_leave(connection);
    muster__subchannel_move(channel, subchannel, MUSTER_IDLE,
                            "its connection was given up");
    muster__connection_give_up(connection);
}

void muster__subchannel_disconnect(muster_channel *channel,
                                   muster__subchannel *subchannel)
{
    muster__priorities_subtract(&channel->priorities, subchannel);
    retry_destroy(subchannel->retry);
    subchannel->retry = NULL;
    subchannel->is_retry_due = false;
    subchannel->is_failing = false;
    muster__priorities_add(&channel->priorities, subchannel);
    for (muster__connection *old = subchannel->connections; old != NULL;
         old = old->older) {
        muster__connection_hurry(old);
    }
    if (subchannel->connection != NULL) {
        muster__subchannel_shed(channel, subchannel);
    } else {
        muster__spares_end(channel, subchannel);
        muster__subchannel_move(channel, subchannel, MUSTER_IDLE,
                                "its failures are forgotten");
    }
}

void muster__subchannel_release(muster_channel *channel,
                                muster__subchannel *subchannel)
{
    if (subchannel->endpoint != NULL && !subchannel->is_listed &&
        !subchannel->is_held && !subchannel->is_queued &&
        subchannel->connections == NULL) {
        retry_destroy(subchannel->retry);
        subchannel->retry = NULL;
        muster__spares_end(channel, subchannel);
        muster__subchannel_move(channel, subchannel, MUSTER_SHUTDOWN,
                                "its endpoint has left the list");
        muster__table_remove(&channel->table, subchannel);
    }
}
