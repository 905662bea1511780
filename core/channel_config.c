/* SPDX-License-Identifier: Apache-2.0 */
/* The service config of a channel. */
#include "channel_config.h"

#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "channel_options.h"
#include "connection.h"
#include "log_internal.h"

/* Makes the policy and lets it go: whether it is the one to serve, the list
 * decides too. */
static muster_status check_policy(void *arg, const char *name,
                                  const char *config_json, muster_error *err)
{
    const muster_balancer_class *class_ = NULL;
    muster__plugin *plugin = NULL;
    muster__policy *policy = NULL;
    muster_status status =
        muster__registry_balancer(name, &class_, &plugin, err);

    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__policy_create(arg, NULL, name, config_json, &policy, err);
    muster__policy_unref(policy);
    /* The policy is there: what it does not find is its own affair. */
    return status == MUSTER_NOTFOUND ? MUSTER_INVAL : status;
}

/* What a resolver gives is for programs of several versions. */
static muster_status parse(muster_channel *channel, const char *text,
                           bool is_of_resolver,
                           muster__service_config **ret_config,
                           muster_error *err)
{
    muster__problems problems;
    muster_status status;

    muster__problems_init(&problems);
    problems.ignores_unknown = is_of_resolver;
    (void)muster__service_config_parse(text, strlen(text), check_policy,
                                       channel, &problems, ret_config);
    status = muster__problems_status(&problems, "service config", err);
    muster__problems_fini(&problems);
    return status;
}

static const muster_settings *settings_of(const muster__service_config *config)
{
    return config == NULL ? NULL : muster__service_config_settings(config);
}

static void settle(muster_channel *channel)
{
    const uint64_t idle_timeout_ms = channel->options.idle_timeout_ms;

    muster__channel_options_settle(&channel->options, &channel->given,
                                   settings_of(channel->config.own),
                                   settings_of(channel->config.current));
    if (channel->options.idle_timeout_ms != idle_timeout_ms) {
        muster__idle_start(channel);
    }
}

static muster_status read_own(muster_channel *channel, muster_error *err)
{
    muster_status status;

    if (channel->options.service_config == NULL) {
        return MUSTER_OK;
    }
    status = parse(channel, channel->options.service_config, false,
                   &channel->config.own, err);
    if (status == MUSTER_OK) {
        settle(channel);
    }
    return status;
}

muster_status muster__channel_config_init(muster_channel *channel,
                                          muster_error *err)
{
    const muster_status status = read_own(channel, err);

    muster__backoff_init(&channel->config.backoff,
                         channel->options.initial_backoff_ms,
                         channel->options.max_backoff_ms);
    return status;
}

void muster__channel_config_fini(muster_channel *channel)
{
    muster__channel_config *config = &channel->config;

    muster__timer_destroy(config->retry_timer);
    muster__service_config_unref(config->own);
    muster__service_config_unref(config->current);
    free(config->text);
    free(config->refusal);
}

/* ---- what the resolver says ---- */

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static const char *health_service_of(const muster__service_config *config)
{
    return config == NULL ? NULL
                          : muster__service_config_health_service(config);
}

/* Takes over chosen. */
static void put_in_force(muster__channel_config *config,
                         muster__service_config *chosen, bool is_of_resolver)
{
    config->health_version +=
        !is_same(health_service_of(config->current), health_service_of(chosen));
    muster__service_config_unref(config->current);
    config->current = chosen;
    config->is_of_resolver = is_of_resolver;
    config->is_known = true;
    config->was_blocked |= config->is_blocked;
    config->is_blocked = false;
    free(config->refusal);
    config->refusal = NULL;
}

static void refuse(muster_channel *channel, const muster_error *err)
{
    muster__channel_config *config = &channel->config;

    if (config->refusal == NULL || strcmp(config->refusal, err->message) != 0) {
        muster__log(MUSTER_LOG_ERROR, "channel %s: the resolver's %s; %s",
                    muster__channel_name(channel), err->message,
                    config->is_known ? "the last valid one stays"
                                     : "there is no valid one yet");
    }
    config->is_blocked = !config->is_known;
    free(config->refusal);
    config->refusal = strdup(err->message);
}

static void retry_later(muster__channel_config *config)
{
    muster__timer_start(
        config->retry_timer,
        muster__backoff_next(&config->backoff, muster__random()));
}

void muster__channel_config_retry(void *arg)
{
    muster_channel *channel = arg;

    channel->config.has_text = false;
    channel->is_resync_due = true;
    muster__channel_poll_soon(channel);
}

static muster_status take_text(muster_channel *channel, const char *text)
{
    muster__service_config *parsed = NULL;
    muster_error err = {.code = MUSTER_OK};
    muster_status status = parse(channel, text, true, &parsed, &err);

    if (status == MUSTER_OK) {
        put_in_force(&channel->config, parsed, true);
    } else if (status != MUSTER_NOMEM) {
        refuse(channel, &err);
        if (status != MUSTER_INVAL) {
            retry_later(&channel->config);
        }
        status = MUSTER_OK;
    }
    return status;
}

/* Those still being made are told when they are READY. */
static void tell_health_service(muster_channel *channel)
{
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__connection *connection =
            muster__table_at(&channel->table, i)->connections;

        for (; connection != NULL; connection = connection->older) {
            if (connection->attempt != NULL && !connection->is_given_up) {
                muster__attempt_set_health_service(connection->attempt);
            }
        }
    }
}

muster_status muster__channel_config_update(muster_channel *channel)
{
    muster__channel_config *config = &channel->config;
    const char *text =
        muster__resolution_service_config(channel->subscriber.resolution);
    const uint32_t told_version = config->health_version;
    char *copy = NULL;
    muster_status status = MUSTER_OK;

    if (config->has_text && is_same(config->text, text)) {
        return MUSTER_OK;
    }
    muster__timer_stop(config->retry_timer);
    if (!is_same(config->text, text)) {
        muster__backoff_reset(&config->backoff);
    }
    if (text != NULL) {
        copy = strdup(text);
        status = copy == NULL ? MUSTER_NOMEM : take_text(channel, text);
    } else {
        put_in_force(config, muster__service_config_ref(config->own), false);
    }
    if (status != MUSTER_OK) {
        free(copy);
        return status;
    }
    free(config->text);
    config->text = copy;
    config->has_text = true;
    settle(channel);
    muster__channel_retry_settle(channel);
    if (config->health_version != told_version) {
        tell_health_service(channel);
    }
    return MUSTER_OK;
}

const char *muster__channel_health_service(const muster_channel *channel)
{
    const muster__policy *policy = channel->publisher.policy;

    if (policy != NULL &&
        (policy->class_->flags & MUSTER_BALANCER_IGNORES_HEALTH) != 0) {
        return NULL;
    }
    return health_service_of(channel->config.current);
}

void muster__channel_config_policy_changed(muster_channel *channel,
                                           const char *before)
{
    if (!is_same(before, muster__channel_health_service(channel))) {
        channel->config.health_version++;
        tell_health_service(channel);
    }
}

const muster__methods *
muster__channel_config_methods(const muster_channel *channel)
{
    const muster__methods *methods =
        channel->config.current == NULL
            ? NULL
            : muster__service_config_methods(channel->config.current);

    return methods == NULL || methods->n == 0 ? NULL : methods;
}
