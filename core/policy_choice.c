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

/* What the former policy wished of endpoints is void. A policy that says itself
 * what it wants is asked soon; any other wants all. */
static void forget_wishes(muster_channel *channel, bool wants_all)
{
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);

        if (subchannel->endpoint != NULL) {
            muster__priorities_subtract(&channel->priorities, subchannel);
            subchannel->is_wanted |= wants_all;
            subchannel->is_asked = false;
            subchannel->is_ejected = false;
            muster__priorities_add(&channel->priorities, subchannel);
        }
    }
    channel->is_reconcile_due = true;
}

/* One that says what it wants may want others than those that are READY. */
static void replace(muster_channel *channel, muster__policy *policy)
{
    muster__publisher *publisher = &channel->publisher;
    muster__policy *old = publisher->policy;
    bool wants_all = policy->class_->want == NULL;

    publisher->policy = policy;
    publisher->is_update_due = true;
    if (old != NULL && !wants_all && publisher->former == NULL &&
        muster__view_size(channel->plane) > 0) {
        publisher->former = old;
    } else {
        muster__policy_unref(old);
    }
    if (wants_all) {
        muster__policy_unref(publisher->former);
        publisher->former = NULL;
    }
}

muster_status muster__policy_choose(muster_channel *channel, muster_error *err)
{
    muster__publisher *publisher = &channel->publisher;
    choice wanted = choose(channel);
    muster__policy *policy = NULL;
    bool is_new = !is_chosen(publisher->policy, &wanted);
    bool is_change = is_new && publisher->policy != NULL;

    if (is_new) {
        muster_status status = muster__policy_create(
            channel, NULL, wanted.name, wanted.config_json, &policy, err);
        if (status != MUSTER_OK) {
            return status;
        }
        replace(channel, policy);
    }
    if (is_change || channel->config.was_blocked) {
        forget_wishes(channel, publisher->policy->class_->want == NULL);
        channel->config.was_blocked = false;
    }
    warn_of_weights(channel);
    return MUSTER_OK;
}

/* Something that is wanted is READY, or nothing is that may become so: as gRPC
 * has it, a new policy takes over when it does not just connect. */
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
        if (muster__channel_is_eligible(channel, subchannel)) {
            return true;
        }
        is_connecting |= !subchannel->is_failing;
    }
    return !is_connecting || muster__view_size(channel->plane) == 0;
}

static void shed_unwanted(muster_channel *channel)
{
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);

        if (subchannel->endpoint != NULL && subchannel->is_listed &&
            !subchannel->is_wanted && !subchannel->is_asked) {
            muster__subchannel_shed(channel, subchannel);
        }
    }
    channel->is_reconcile_due = true;
    muster__nudge_post(&channel->republish_nudge);
}

void muster__policy_settle(muster_channel *channel)
{
    muster__publisher *publisher = &channel->publisher;

    if (publisher->former != NULL &&
        (channel->is_closing || may_take_over(channel))) {
        muster__policy_unref(publisher->former);
        publisher->former = NULL;
        shed_unwanted(channel);
    }
}
