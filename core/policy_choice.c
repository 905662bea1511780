/* SPDX-License-Identifier: Apache-2.0 */
/* Which policy a channel has, and going from one to the next without a gap. */
#include "policy_choice.h"

#include <string.h>

#include "channel_internal.h"
#include "log_internal.h"

/* ---- which ---- */

typedef struct choice {
    const char *name;
    const char *config_json;
} choice;

static choice choose(const muster_channel *channel)
{
    const muster_channel_options *options = &channel->options;
    const muster__balancer_choice *said = NULL;

    if (options->policy != NULL) {
        return (choice){options->policy, options->policy_config_json};
    }
    if (channel->config.current != NULL) {
        said = muster__service_config_balancer(channel->config.current);
    }
    if (said != NULL && said->name != NULL) {
        return (choice){said->name, said->config_json};
    }
    return (choice){muster__channel_weights_differ(channel)
                        ? "weighted_round_robin"
                        : "round_robin",
                    options->policy_config_json};
}

static bool is_chosen(const muster__policy *policy, const choice *wanted)
{
    const char *config =
        wanted->config_json == NULL ? "{}" : wanted->config_json;

    return policy != NULL && strcmp(policy->class_->name, wanted->name) == 0 &&
           strcmp(policy->config_json, config) == 0;
}

static void warn_of_weights(muster_channel *channel)
{
    const muster__policy *policy = channel->publisher.policy;

    if (!channel->has_warned_weights &&
        muster__channel_weights_differ(channel) &&
        (policy->class_->flags & MUSTER_BALANCER_USES_WEIGHTS) == 0) {
        channel->has_warned_weights = true;
        muster__log(MUSTER_LOG_WARNING,
                    "channel %s: policy %s ignores the endpoints' weights, "
                    "which differ",
                    muster__channel_name(channel), policy->class_->name);
    }
}

/* ---- from one to the next ---- */

/* CONNECT verdicts that are under way: whoever they were given to picks again
 * when the next policy is published. */
static void forget_asked(muster_channel *channel)
{
    while (muster__asked_take(&channel->asked) != 0) {
    }
    (void)muster__asked_was_full(&channel->asked);
}

/* What the former policy wished of endpoints is void. A policy that says itself
 * what it wants is asked soon: until then nothing begins to connect, and what
 * did goes on. Any other wants all. */
static void forget_wishes(muster_channel *channel, bool wants_all)
{
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);

        if (subchannel->endpoint != NULL) {
            muster__priorities_subtract(&channel->priorities, subchannel);
            subchannel->is_wanted =
                wants_all ||
                (subchannel->is_wanted && subchannel->connection != NULL);
            subchannel->is_asked = false;
            subchannel->is_ejected = false;
            muster__priorities_add(&channel->priorities, subchannel);
        }
    }
    forget_asked(channel);
    channel->is_reconcile_due = true;
}

static void drop_former(muster_channel *channel)
{
    muster__timer_stop(channel->publisher.former_timer);
    muster__policy_unref(channel->publisher.former);
    channel->publisher.former = NULL;
}

/* One that says what it wants may want others than those that are READY. */
static void replace(muster_channel *channel, muster__policy *policy)
{
    muster__publisher *publisher = &channel->publisher;
    muster__policy *old = publisher->policy;
    const char *health_service = muster__channel_health_service(channel);
    bool wants_all = policy->class_->want == NULL;

    publisher->policy = policy;
    muster__channel_config_policy_changed(channel, health_service);
    publisher->is_update_due = true;
    if (old != NULL && !wants_all && publisher->former == NULL &&
        muster__view_size(channel->plane) > 0) {
        publisher->former = old;
        muster__timer_start(publisher->former_timer,
                            channel->options.replace_timeout_ms);
    } else {
        muster__policy_unref(old);
    }
    if (wants_all) {
        drop_former(channel);
    }
}

muster_status muster__policy_choose(muster_channel *channel, muster_error *err)
{
    muster__publisher *publisher = &channel->publisher;
    choice wanted = choose(channel);
    muster__policy *policy = NULL;
    bool is_new = !is_chosen(publisher->policy, &wanted);

    if (is_new) {
        muster_status status = muster__policy_create(
            channel, NULL, wanted.name, wanted.config_json, &policy, err);
        if (status != MUSTER_OK) {
            return status;
        }
        replace(channel, policy);
    }
    if (is_new || channel->config.was_blocked) {
        forget_wishes(channel, publisher->policy->class_->want == NULL);
        channel->config.was_blocked = false;
    }
    warn_of_weights(channel);
    return MUSTER_OK;
}

/* Whether it may become eligible by itself. One that is READY and is not
 * eligible waits for others: it is ejected, or its priority is not served. */
static bool is_on_its_way(const muster_channel *channel,
                          const muster__subchannel *subchannel)
{
    return subchannel->state != MUSTER_READY && !subchannel->is_failing &&
           muster__priorities_is_started(&channel->priorities,
                                         subchannel->endpoint->data.priority);
}

/* Something that is wanted is READY, or nothing is that may become so: as gRPC
 * has it, a new policy takes over when it does not just connect. What the
 * former has in its view for a panic is not READY to the next. */
static bool may_take_over(const muster_channel *channel)
{
    bool is_connecting = false;

    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        const muster__subchannel *subchannel =
            muster__table_at(&channel->table, i);

        if (subchannel->endpoint == NULL || !subchannel->is_listed ||
            !(subchannel->is_wanted || subchannel->is_asked)) {
            continue;
        }
        if (muster__channel_is_eligible(channel, subchannel) &&
            !muster__subchannel_is_unfit(subchannel)) {
            return true;
        }
        is_connecting |= is_on_its_way(channel, subchannel);
    }
    return !is_connecting || muster__view_size(channel->plane) == 0;
}

/* Nor is anything asked any more: only the former can have asked. */
static void shed_unwanted(muster_channel *channel)
{
    forget_asked(channel);
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);

        if (subchannel->endpoint == NULL || !subchannel->is_listed) {
            continue;
        }
        muster__subchannel_set_wanted(channel, subchannel,
                                      subchannel->is_wanted, false);
        if (!subchannel->is_wanted) {
            muster__subchannel_shed(channel, subchannel);
        }
    }
    channel->is_reconcile_due = true;
    muster__nudge_post(&channel->republish_nudge);
}

void muster__policy_former_timeout(void *arg)
{
    muster_channel *channel = arg;

    if (channel->publisher.former != NULL && !channel->is_closing) {
        muster__log(MUSTER_LOG_WARNING,
                    "channel %s: nothing that policy %s wants became ready in "
                    "time; policy %s is given up",
                    muster__channel_name(channel),
                    channel->publisher.policy->class_->name,
                    channel->publisher.former->class_->name);
        drop_former(channel);
        shed_unwanted(channel);
    }
}

void muster__policy_settle(muster_channel *channel)
{
    muster__publisher *publisher = &channel->publisher;

    if (publisher->former != NULL &&
        (channel->is_closing || may_take_over(channel))) {
        drop_former(channel);
        shed_unwanted(channel);
    }
}
