/* SPDX-License-Identifier: Apache-2.0 */
/* Brings the working view and the policy before the pickers. */
#include "publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "connection.h"
#include "log_internal.h"
#include "policy_choice.h"
#include "policy_update.h"
#include "put_off.h"
#include "timing.h"

/* What a published picker needs as long as a reader may hold it. */
typedef struct muster__published {
    muster__policy *policy;
    void *table;
    muster__service_config *config; /* the view's methods are in it */
} muster__published;

/* A table in the making, for a frozen view. */
struct muster__build {
    muster_channel *channel;
    muster__policy *policy;
    muster__view *view;
    muster__endpoint **endpoints; /* one reference each, n of them */
    muster_backend *ready;
    uint32_t n;
    uint64_t generation;       /* the plane's, when the view was frozen */
    muster_connectivity state; /* the channel's, likewise */
    muster_error reason;       /* of the state */
    void *table;
    muster_status status;
    muster_error err;
};

/* Before any list no policy is asked: calls wait, whatever it would say. Nor is
 * it while no service config is valid. */
static bool has_policy(const muster_channel *channel)
{
    return channel->has_list && !channel->is_closing &&
           !channel->config.is_blocked && channel->publisher.policy != NULL;
}

/* The one that is published; NULL: none. */
static muster__policy *serving_policy(const muster_channel *channel)
{
    const muster__publisher *publisher = &channel->publisher;

    if (!has_policy(channel)) {
        return NULL;
    }
    return publisher->former != NULL ? publisher->former : publisher->policy;
}

bool muster__publisher_includes_unfit(const muster_channel *channel)
{
    const muster__policy *policy = serving_policy(channel);

    return policy != NULL && policy->includes_unfit;
}

/* ---- telling the policy ---- */

/* False when memory lacks: then all of it is tried again. */
static bool tell_policy(muster_channel *channel)
{
    muster__publisher *publisher = &channel->publisher;
    muster__policy *policy = publisher->policy;
    bool is_update = publisher->is_update_due;

    if (!has_policy(channel) || !(is_update || publisher->is_want_due)) {
        return true;
    }
    publisher->is_update_due = false; /* before: it may cause the next */
    publisher->is_want_due = false;
    if ((policy->class_->update != NULL || policy->class_->want != NULL) &&
        !muster__policy_update(channel, policy, is_update)) {
        publisher->is_update_due |= is_update;
        publisher->is_want_due = true;
        return false;
    }
    return true;
}

/* ---- publishing ---- */

static void table_destroy(const muster__policy *policy, void *table)
{
    if (table != NULL) {
        muster__loop_enter_plugin(policy->class_->name, "table_destroy");
        policy->class_->table_destroy(policy->self, table);
        muster__loop_leave_plugin();
    }
}

static void published_free(muster__published *published)
{
    table_destroy(published->policy, published->table);
    muster__policy_unref(published->policy);
    muster__service_config_unref(published->config);
    free(published);
}

void muster__publisher_garbage(void *ctx, void *garbage)
{
    (void)ctx;
    published_free(garbage);
}

static muster__published *published_new(const muster_channel *channel,
                                        muster__policy *policy, void *table)
{
    muster__published *published = calloc(1, sizeof *published);

    if (published != NULL) {
        published->policy = policy == NULL ? NULL : muster__policy_ref(policy);
        published->table = table;
        published->config = muster__service_config_ref(channel->config.current);
    }
    return published;
}

/* Takes over view and table when it answers true. state is of the same moment
 * as they are: who sees it finds picks that go with it. */
static bool publish(muster_channel *channel, muster__view *view,
                    muster__policy *policy, void *table,
                    muster_connectivity state, const char *reason)
{
    muster__published *published = published_new(channel, policy, table);
    int previous;
    muster__publication publication = {
        .view = view,
        .policy = policy == NULL ? NULL : &policy->published,
        .table = table,
        .garbage = published,
        .methods = muster__channel_config_methods(channel),
        .state = state,
        .reason = reason,
    };

    if (published == NULL) {
        return false;
    }
    if (muster__plane_publish(channel->plane, &publication) != MUSTER_OK) {
        published->table = NULL; /* still the caller's */
        published_free(published);
        return false;
    }
    channel->publisher.published_number =
        policy == NULL ? 0 : policy->published.number;
    previous = atomic_exchange(&channel->state, (int)state);
    if (previous != (int)state) {
        muster__states_tell_channel(channel, (muster_connectivity)previous,
                                    reason != NULL && reason[0] != '\0' ? reason
                                                                        : NULL);
    }
    muster__parking_serve(channel);
    muster__channel_poll_soon(channel);
    return true;
}

static bool publish_now(muster_channel *channel)
{
    muster__view *view = NULL;
    const char *reason = NULL;
    const muster_connectivity state =
        muster__channel_aggregate(channel, &reason);

    if (muster__view_freeze(channel->plane, &view) != MUSTER_OK) {
        return false;
    }
    if (!publish(channel, view, serving_policy(channel), NULL, state, reason)) {
        muster__view_discard(channel->plane, view);
        return false;
    }
    channel->publisher.is_put_off = false; /* this has all of it */
    return true;
}

/* ---- building ---- */

static void build_free(muster__build *build)
{
    for (uint32_t i = 0; i < build->n; i++) {
        muster__endpoint_unref(build->endpoints[i]);
    }
    free(build->endpoints);
    free(build->ready);
    if (build->view != NULL) {
        muster__view_discard(build->channel->plane, build->view);
    }
    table_destroy(build->policy, build->table);
    muster__policy_unref(build->policy);
    muster__channel_unref(build->channel);
    free(build);
}

static void build_work(void *arg)
{
    muster__build *build = arg;
    muster_build_args args = {(uint32_t)sizeof args,
                              (uint32_t)sizeof *build->ready, build->ready,
                              build->n};

    build->status = build->policy->class_->build(build->policy->self, &args,
                                                 &build->table, &build->err);
    build->err.message[sizeof build->err.message - 1] = '\0'; /* theirs */
}

static void start_build_timer(muster_channel *channel)
{
    muster__timer_start(channel->publisher.build_timer,
                        muster__timing_build_spacing_ms());
}

/* What lacked memory is tried again, by and by. */
static void build_failed(const muster__build *build)
{
    muster_channel *channel = build->channel;

    muster__log(MUSTER_LOG_WARNING,
                "channel %s: policy %s could not build its table, the old one "
                "serves on: %s",
                muster__channel_name(channel), build->policy->class_->name,
                build->err.message);
    if (build->status == MUSTER_NOMEM && !channel->is_closing) {
        channel->publisher.is_put_off = true;
        start_build_timer(channel);
    }
}

static void build_publish(muster__build *build)
{
    muster_channel *channel = build->channel;

    if (build->status != MUSTER_OK) {
        build_failed(build);
        return;
    }
    if (build->generation != muster__plane_generation(channel->plane) ||
        channel->is_closing) {
        return; /* something newer is out */
    }
    if (publish(channel, build->view, build->policy, build->table, build->state,
                build->reason.message)) {
        build->view = NULL;
        build->table = NULL;
    } else {
        channel->publisher.is_dirty = true;
    }
}

static void build_done(void *arg)
{
    muster__build *build = arg;
    muster_channel *channel = build->channel;

    channel->publisher.build = NULL;
    build_publish(build);
    build_free(build);
    if (channel->publisher.is_dirty || channel->publisher.is_update_due ||
        channel->publisher.is_want_due) {
        muster__publisher_run(channel, false);
    }
    muster__channel_advance_close(channel);
}

static void fill_ready(muster__build *build)
{
    uint32_t n_fit = 0;

    for (uint32_t i = 0; i < build->n; i++) {
        muster__subchannel *subchannel = muster__table_by_id(
            &build->channel->table, muster__frozen_id(build->view, i));
        muster_backend *backend = &build->ready[i];

        build->endpoints[i] = muster__endpoint_ref(subchannel->endpoint);
        backend->id = muster__subchannel_id(subchannel);
        backend->endpoint = &build->endpoints[i]->data;
        backend->state =
            muster__policy_state(build->policy, subchannel->number);
        backend->connectivity = MUSTER_READY;
        backend->position = subchannel->endpoint->position;
        backend->endpoint_size = (uint32_t)sizeof *backend->endpoint;
        backend->flags = muster__policy_flags_of(subchannel);
        subchannel->is_told_unfit = muster__subchannel_is_unfit(subchannel);
        n_fit += subchannel->is_told_unfit ? 0 : 1;
    }
    build->channel->publisher.n_fit_told = n_fit;
}

static muster__build *build_new(muster_channel *channel)
{
    muster__build *build = calloc(1, sizeof *build);
    uint32_t n = muster__view_size(channel->plane);
    const char *reason = "";

    if (build == NULL) {
        return NULL;
    }
    muster__channel_ref(channel);
    build->channel = channel;
    build->policy = muster__policy_ref(serving_policy(channel));
    build->endpoints = calloc(n + 1, sizeof(muster__endpoint *));
    build->ready = calloc(n + 1, sizeof *build->ready);
    if (build->endpoints == NULL || build->ready == NULL ||
        muster__view_freeze(channel->plane, &build->view) != MUSTER_OK) {
        build_free(build);
        return NULL;
    }
    build->n = n;
    build->generation = muster__plane_generation(channel->plane);
    build->state = muster__channel_aggregate(channel, &reason);
    (void)snprintf(build->reason.message, sizeof build->reason.message, "%s",
                   reason != NULL ? reason : "");
    fill_ready(build);
    return build;
}

static bool start_build(muster_channel *channel)
{
    muster__build *build = build_new(channel);

    if (build == NULL) {
        return false;
    }
    channel->publisher.build = build;
    muster__plane_refuse_removed(channel->plane);
    if (muster__loop_work(build_work, build_done, build) != MUSTER_OK) {
        channel->publisher.build = NULL;
        build_free(build);
        return false;
    }
    channel->publisher.is_put_off = false; /* this has all of it */
    start_build_timer(channel);
    return true;
}

/* ---- the whole ---- */

static bool needs_table(const muster_channel *channel)
{
    const muster__policy *policy = serving_policy(channel);

    return policy != NULL && policy->class_->build != NULL &&
           (muster__view_size(channel->plane) > 0 ||
            (policy->class_->flags & MUSTER_BALANCER_PICKS_WHEN_EMPTY) != 0);
}

/* While a build runs, its view waits and newer ones are merged: only one that
 * needs no table goes out at once. */
static bool must_wait_for_build(muster_channel *channel)
{
    if (channel->publisher.build == NULL || !needs_table(channel)) {
        return false;
    }
    muster__plane_refuse_removed(channel->plane);
    return true;
}

static bool may_put_off(muster_channel *channel)
{
    return needs_table(channel) &&
           muster__timer_is_active(channel->publisher.build_timer) &&
           muster__may_put_off(channel, serving_policy(channel));
}

static bool publish_or_build(muster_channel *channel)
{
    const muster__build *build = channel->publisher.build;

    /* One that builds is not told meanwhile; any other is, before it is asked
     * for a pick. */
    if (build == NULL || build->policy != channel->publisher.policy) {
        if (!tell_policy(channel)) {
            return false;
        }
        muster__policy_settle(channel);
    }
    if (must_wait_for_build(channel)) { /* another is to serve now */
        channel->publisher.is_dirty = true;
        return true;
    }
    if (may_put_off(channel)) {
        channel->publisher.is_put_off = true;
        return true;
    }
    if (muster__plane_should_merge(channel->plane) && !channel->is_closing) {
        return false;
    }
    return needs_table(channel) ? start_build(channel) : publish_now(channel);
}

void muster__publisher_run(muster_channel *channel, bool is_update)
{
    muster__publisher *publisher = &channel->publisher;

    publisher->is_dirty = true;
    publisher->is_update_due |= is_update;
    if (publisher->is_running || must_wait_for_build(channel)) {
        return;
    }
    publisher->is_running = true; /* telling the policy may lead here again */
    do {
        publisher->is_dirty = false;
        if (!publish_or_build(channel)) {
            publisher->is_dirty = true;
            muster__channel_poll_soon(channel); /* tries again */
            break;
        }
    } while (publisher->is_dirty && !must_wait_for_build(channel));
    publisher->is_running = false;
}

void muster__publisher_hurry(void *arg)
{
    muster_channel *channel = arg;

    if (channel->publisher.is_put_off) {
        muster__publisher_run(channel, false);
    }
}

void muster__publisher_republish(muster_channel *channel)
{
    channel->publisher.is_want_due = true;
    muster__publisher_run(channel, false);
}

const muster__policy *muster__publisher_builder(const muster_channel *channel)
{
    const muster__build *build = channel->publisher.build;

    return build != NULL ? build->policy : NULL;
}

/* First it is not wanted any more: what it says of ejections at its end is for
 * nobody. */
void muster__publisher_close(muster_channel *channel)
{
    muster__policy *policy = channel->publisher.policy;

    muster__policy_unref(channel->publisher.former);
    channel->publisher.former = NULL;
    channel->publisher.policy = NULL;
    muster__policy_unref(policy);
}
