/* SPDX-License-Identifier: Apache-2.0 */
/* Making a channel: its parts, and what reaches it from its surroundings. */
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "channel_options.h"
#include "connection.h"
#include "draining.h"
#include "fork.h"
#include "policy_choice.h"
#include "request.h"
#include "sized.h"
#include "thread.h"
#include "timing.h"

/* ---- what reaches it. Thread: control, unless said otherwise ---- */

static void on_subscription_failed(muster__subscriber *subscriber,
                                   muster_status status, const char *message)
{
    muster_channel *channel =
        (muster_channel *)(void *)((char *)subscriber -
                                   offsetof(muster_channel, subscriber));

    (void)status;
    if (!channel->has_list) { /* afterwards the list serves on: rule 2 */
        free(channel->resolver_failure);
        channel->resolver_failure = strdup(message);
        muster__channel_publish(channel);
    }
}

static void on_subscription_ended(muster__subscriber *subscriber,
                                  muster_status status)
{
    muster_channel *channel =
        (muster_channel *)(void *)((char *)subscriber -
                                   offsetof(muster_channel, subscriber));

    channel->has_ended = channel->is_closing;
    channel->end_status = status;
    channel->subscriber.resolution = NULL;
    if (!channel->is_closing) {
        muster__idle_unsubscribed(channel);
    }
    muster__channel_advance_close(channel);
}

static void plane_wake(void *ctx)
{
    muster_channel *channel = ctx;

    muster__nudge_post(&channel->poll_nudge);
}

static void plane_noted(void *ctx)
{
    muster_channel *channel = ctx;

    muster__nudge_post(&channel->wake_nudge);
}

static void plane_connect(void *ctx, uint64_t id)
{
    muster_channel *channel = ctx;

    muster__asked_add(&channel->asked, id);
    muster__nudge_post(&channel->connect_nudge);
}

/* NULL when that changes nothing: a policy may well ask again for one that
 * connects already, and a publication would make it ask once more. */
static muster__subchannel *connect_asked(muster_channel *channel, uint64_t id)
{
    muster__subchannel *subchannel = muster__table_by_id(&channel->table, id);

    if (subchannel == NULL || !subchannel->is_listed || subchannel->is_asked) {
        return NULL;
    }
    muster__subchannel_set_wanted(channel, subchannel, subchannel->is_wanted,
                                  true);
    muster__subchannel_connect(channel, subchannel);
    muster__connector_run(channel);
    muster__channel_update_one(channel, subchannel);
    return subchannel;
}

static void on_connect(void *arg)
{
    muster_channel *channel = arg;
    muster__subchannel *changed = NULL;

    for (uint64_t id; (id = muster__asked_take(&channel->asked)) != 0;) {
        muster__subchannel *subchannel = connect_asked(channel, id);
        changed = subchannel != NULL ? subchannel : changed;
    }
    if (changed != NULL) {
        muster__channel_reconcile(channel, changed);
    }
    muster__connector_run(channel); /* renewals come one at a time */
    if (muster__asked_was_full(&channel->asked) && !channel->is_closing) {
        channel->publisher.is_dirty = true; /* a new picker asks again */
        muster__channel_poll_soon(channel);
    }
    muster__channel_advance_close(channel);
}

static void on_poll(void *arg)
{
    muster_channel *channel = arg;

    if (channel->is_resync_due && !channel->is_closing) {
        muster__channel_resync(channel);
    }
    if (channel->is_reconcile_due) {
        muster__channel_reconcile(channel, NULL);
    } else if (channel->publisher.is_dirty) {
        muster__publisher_run(channel, false);
    }
    channel->is_plane_busy = muster__plane_poll(channel->plane);
    if (muster__plane_needs_timer(channel->plane) ||
        (channel->publisher.is_dirty && channel->publisher.build == NULL) ||
        channel->is_resync_due) {
        muster__channel_poll_soon(channel);
    }
    muster__channel_advance_close(channel);
}

void muster__channel_poll_soon(muster_channel *channel)
{
    if (!muster__timer_is_active(channel->poll_timer)) {
        muster__timer_start(channel->poll_timer, MUSTER__RECLAIM_PERIOD_MS);
    }
}

static void on_refresh(void *arg)
{
    muster_channel *channel = arg;

    if (muster__idle_has_resolver(channel) && !channel->is_closing) {
        muster__resolution_refresh(channel->subscriber.resolution);
    }
    muster__channel_advance_close(channel);
}

static void on_republish(void *arg)
{
    muster_channel *channel = arg;

    if (!channel->is_closing) {
        if (channel->is_reconcile_due) {
            muster__channel_reconcile(channel, NULL);
        } else {
            muster__publisher_republish(channel);
        }
    }
    muster__channel_advance_close(channel);
}

static void on_priority_timer(void *arg)
{
    muster__channel_reconcile(arg, NULL);
}

/* ---- making ---- */

static muster_status make_parts(muster_channel *channel)
{
    const muster__plane_host host = {
        .slot_closed = muster__connection_slot_closed,
        .garbage = muster__publisher_garbage,
        .wake = plane_wake,
        .noted = plane_noted,
        .connect = plane_connect,
        .ctx = channel,
    };
    muster_status status = muster__parking_init(&channel->parking, channel);

    muster__table_init(&channel->table);
    muster__connector_init(&channel->connector);
    muster__nudge_init(&channel->poll_nudge, on_poll, channel);
    muster__nudge_init(&channel->refresh_nudge, on_refresh, channel);
    muster__nudge_init(&channel->republish_nudge, on_republish, channel);
    muster__nudge_init(&channel->connect_nudge, on_connect, channel);
    muster__nudge_init(&channel->wake_nudge, muster__channel_wake, channel);
    muster__nudge_init(&channel->reset_nudge, muster__channel_forget_backoff,
                       channel);
    if (status == MUSTER_OK) {
        status = muster__timer_create(on_poll, channel, &channel->poll_timer);
    }
    if (status == MUSTER_OK) {
        status = muster__timer_create(muster__draining_check_deadlines, channel,
                                      &channel->drain_timer);
    }
    if (status == MUSTER_OK) {
        status = muster__timer_create(muster__channel_try_again, channel,
                                      &channel->again_timer);
    }
    if (status == MUSTER_OK) {
        status = muster__timer_create(muster__channel_replace_timeout, channel,
                                      &channel->held.timer);
    }
    if (status == MUSTER_OK) {
        status = muster__timer_create(muster__policy_former_timeout, channel,
                                      &channel->publisher.former_timer);
    }
    if (status == MUSTER_OK) {
        status = muster__timer_create(muster__publisher_hurry, channel,
                                      &channel->publisher.build_timer);
    }
    if (status == MUSTER_OK) {
        status = muster__timer_create(muster__channel_config_retry, channel,
                                      &channel->config.retry_timer);
    }
    if (status == MUSTER_OK) {
        status = muster__timer_create(on_priority_timer, channel,
                                      &channel->priorities.timer);
    }
    if (status == MUSTER_OK) {
        status = muster__timer_create(muster__channel_give_up, channel,
                                      &channel->close_timer);
    }
    if (status == MUSTER_OK) {
        status = muster__channel_init_shutdown(channel);
    }
    if (status == MUSTER_OK) {
        status = muster__idle_init(channel);
    }
    if (status == MUSTER_OK) {
        status = muster__plane_create(&host, &channel->plane);
    }
    return status;
}

/* What muster_channel_create() hands to the control thread. */
typedef struct opening {
    muster__request request; /* first: the request is the opening */
    muster_channel *channel;
    muster__target *target;
    muster_status status;
    muster_error err;
} opening;

/* Before anything connects: a connection takes the name when it is made. */
static muster_status take_authority(opening *open)
{
    muster_channel *channel = open->channel;
    muster_status status = MUSTER_OK;
    char *authority = NULL;

    if (channel->options.authority == NULL) {
        status = muster__target_authority(open->target, &authority);
        channel->options.authority = authority;
    }
    channel->authority = channel->options.authority;
    return status;
}

/* So that errors in what the application says are told here. */
static muster_status take_own_config(opening *open)
{
    muster_channel *channel = open->channel;
    muster_status status = muster__channel_config_init(channel, &open->err);

    if (status == MUSTER_OK && channel->options.policy != NULL) {
        status = muster__policy_choose(channel, &open->err);
    }
    return status;
}

muster_status muster__channel_subscribe(muster_channel *channel,
                                        muster__target *target,
                                        muster_error *err)
{
    const muster__resolver_options options = {
        channel->options.resolver_initial_backoff_ms,
        channel->options.resolver_max_backoff_ms};

    channel->subscriber.changed = muster__channel_list_changed;
    channel->subscriber.failed = on_subscription_failed;
    channel->subscriber.ended = on_subscription_ended;
    return muster__resolution_subscribe(target, &options, &channel->subscriber,
                                        err);
}

/* It will not be. Its policy may have nudged it already. */
static void abandon(muster_channel *channel)
{
    channel->is_closing = true;
    muster__publisher_close(channel);
    if (muster__channel_is_nudged(channel)) {
        muster__loop_post(&channel->free_task); /* behind the nudges */
    } else {
        muster__channel_free(channel);
    }
}

/* Before any plugin is called: while one is stuck, the creator may give up and
 * free what is behind transport_arg. */
static void take_transport(muster_channel *channel)
{
    const muster_channel_options *options = &channel->options;

    if (options->transport != NULL && options->transport->ref != NULL) {
        options->transport->ref(options->transport_arg);
        channel->has_transport_ref = true;
    }
}

static void open_on_control(muster__request *request)
{
    opening *open = (opening *)request;
    muster_channel *channel = open->channel;

    if (!muster__request_is_wanted(request)) {
        open->status = MUSTER_CANCELLED;
        muster__channel_discard(channel);
        return;
    }
    take_transport(channel);
    open->status = make_parts(channel);
    if (open->status == MUSTER_OK) {
        open->status = take_authority(open);
    }
    if (open->status != MUSTER_OK) {
        (void)muster_error_set(&open->err, open->status, "channel %s: %s",
                               channel->name, muster_status_text(open->status));
    } else {
        open->status = take_own_config(open);
    }
    if (open->status == MUSTER_OK) {
        open->status =
            muster__channel_subscribe(channel, open->target, &open->err);
        open->target = NULL;
    }
    if (open->status != MUSTER_OK) {
        abandon(channel);
        return;
    }
    muster__shutdown_enrol(channel);
    muster__idle_start(channel);
    muster__channel_publish(channel);
}

/* Holds a user of the loop, which discarding it releases. */
static muster_status channel_new(const char *name,
                                 const muster_channel_options *options,
                                 muster_channel **ret_channel)
{
    muster_channel *channel = calloc(1, sizeof *channel);

    if (channel == NULL ||
        muster__cond_init(&channel->close_changed) != MUSTER_OK) {
        free(channel);
        muster__loop_release();
        return MUSTER_NOMEM;
    }
    (void)pthread_mutex_init(&channel->close_lock, NULL);
    muster__states_init(&channel->states);
    channel->name = strdup(name);
    channel->free_task.fn = muster__channel_free_task;
    muster__sized_read(&channel->given, sizeof channel->given, options);
    if (channel->name == NULL ||
        muster__channel_retry_init(channel) != MUSTER_OK ||
        muster__channel_options_copy(&channel->options, options) != MUSTER_OK) {
        muster__channel_discard(channel);
        return MUSTER_NOMEM;
    }
    atomic_init(&channel->refs, 2); /* the user's, and the open channel's */
    atomic_init(&channel->state, (int)MUSTER_CONNECTING);
    *ret_channel = channel;
    return MUSTER_OK;
}

static void opening_destroy(opening *open)
{
    muster__target_destroy(open->target);
    muster__request_fini(&open->request);
    free(open);
}

/* The asker gave up waiting: nobody will ever use this channel. */
static void opening_abandon(muster__request *request)
{
    opening *open = (opening *)request;

    if (open->status == MUSTER_OK) {
        muster_channel_destroy(open->channel);
    }
    opening_destroy(open);
}

/* Takes over target. */
static muster_status opening_create(muster__target *target,
                                    const muster_channel_options *options,
                                    opening **ret_open, muster_error *err)
{
    opening *open = calloc(1, sizeof *open);
    muster_status status = MUSTER_NOMEM;

    if (open != NULL) {
        status = muster__request_init(&open->request, open_on_control,
                                      opening_abandon);
    }
    if (status == MUSTER_OK) {
        open->target = target;
        status = channel_new(target->canonical, options, &open->channel);
        if (status != MUSTER_OK) {
            opening_destroy(open);
            return muster_error_set(err, status, "out of memory");
        }
        *ret_open = open;
        return MUSTER_OK;
    }
    free(open);
    muster__loop_release();
    muster__target_destroy(target);
    return muster_error_set(err, status, "out of memory");
}

static muster_status create(muster__target *target,
                            const muster_channel_options *options,
                            muster_channel **ret_channel, muster_error *err)
{
    opening *open = NULL;
    muster_status status = muster__loop_acquire(err);

    if (status != MUSTER_OK) {
        muster__target_destroy(target);
        return status;
    }
    status = opening_create(target, options, &open, err);
    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__request_run(&open->request, err);
    if (status != MUSTER_OK) {
        return status; /* the opening is the control thread's now */
    }
    status = open->status;
    if (status == MUSTER_OK) {
        *ret_channel = open->channel;
    } else if (err != NULL) {
        *err = open->err;
    }
    opening_destroy(open);
    return status;
}

muster_status muster_channel_create(const char *target,
                                    const muster_channel_options *options,
                                    muster_channel **ret_channel,
                                    muster_error *err)
{
    muster__target *parsed = NULL;
    muster_status status;

    if (muster__is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    if (target == NULL || ret_channel == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "a channel needs a target and a place");
    }
    status = muster__channel_options_check(options, err);
    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__target_parse(target, &parsed, err);
    if (status != MUSTER_OK) {
        return status;
    }
    return create(parsed, options, ret_channel, err);
}
