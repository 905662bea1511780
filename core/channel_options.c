/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's options: checked, copied, with the defaults filled in. */
#include "channel_options.h"

#include <stdlib.h>
#include <string.h>

#include "plane.h"
#include "sized.h"

#define CONNECTIONS_MAX (MUSTER__POOL_MAX - 1)

static void default_to(uint64_t *value, uint64_t fallback)
{
    if (*value == 0) {
        *value = fallback;
    }
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    if (value < least) {
        return least;
    }
    return value > most ? most : value;
}

static muster_status copy_string(const char **text)
{
    if (*text != NULL) {
        *text = strdup(*text);
        return *text == NULL ? MUSTER_NOMEM : MUSTER_OK;
    }
    return MUSTER_OK;
}

static void options_defaults(muster_channel_options *options)
{
    if (options->max_parked == 0) {
        options->max_parked = 10000;
    }
    if (options->max_connecting == 0) {
        options->max_connecting = 32;
    }
    default_to(&options->replace_timeout_ms, 10000);
    default_to(&options->failover_timeout_ms, 10000);
    default_to(&options->initial_backoff_ms, 1000);
    default_to(&options->max_backoff_ms, 120000);
    default_to(&options->connect_timeout_ms, 20000);
    default_to(&options->connection_attempt_delay_ms, 250);
    options->connection_attempt_delay_ms =
        clamp(options->connection_attempt_delay_ms, 100, 2000);
    if (options->backoff_jitter_percent == 0) {
        options->backoff_jitter_percent = 20;
    }
    options->backoff_jitter_percent =
        (uint32_t)clamp(options->backoff_jitter_percent, 1, 100);
    if (options->connections_per_endpoint == 0 || options->transport == NULL) {
        options->connections_per_endpoint = 1;
    }
}

muster_status
muster__channel_options_check(const muster_channel_options *options,
                              muster_error *err)
{
    muster_channel_options given;

    muster__sized_read(&given, sizeof given, options);
    if (given.connections_per_endpoint > CONNECTIONS_MAX) {
        return muster_error_set(
            err, MUSTER_INVAL, "connections_per_endpoint is %u: at most %u",
            (unsigned)given.connections_per_endpoint, CONNECTIONS_MAX);
    }
    if (given.connection_choice != MUSTER_CONNECTION_ROUND_ROBIN &&
        given.connection_choice != MUSTER_CONNECTION_LEAST_LOADED) {
        return muster_error_set(err, MUSTER_INVAL,
                                "there is no connection_choice %d",
                                (int)given.connection_choice);
    }
    return MUSTER_OK;
}

muster_status
muster__channel_options_copy(muster_channel_options *copy,
                             const muster_channel_options *options)
{
    muster_channel_options given;

    muster__sized_read(&given, sizeof given, options);
    *copy = given;
    copy->policy = NULL;
    copy->policy_config_json = NULL;
    copy->authority = NULL;
    copy->service_config = NULL;
    options_defaults(copy);
    if (copy_string(&given.policy) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    copy->policy = given.policy;
    if (copy_string(&given.policy_config_json) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    copy->policy_config_json = given.policy_config_json;
    if (copy_string(&given.authority) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    copy->authority = given.authority;
    if (copy_string(&given.service_config) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    copy->service_config = given.service_config;
    return MUSTER_OK;
}

static uint64_t first_of(uint64_t a, uint64_t b, uint64_t c)
{
    if (a != 0) {
        return a;
    }
    return b != 0 ? b : c;
}

void muster__channel_options_settle(muster_channel_options *options,
                                    const muster_channel_options *given,
                                    const muster_settings *own,
                                    const muster_settings *resolvers)
{
    static const muster_settings none = {0};
    const muster_settings *a = own != NULL ? own : &none;
    const muster_settings *b = resolvers != NULL ? resolvers : &none;

    options->max_connecting = (uint32_t)first_of(
        given->max_connecting, a->max_connecting, b->max_connecting);
    options->backoff_jitter_percent = (uint32_t)first_of(
        given->backoff_jitter_percent, a->backoff_jitter_percent,
        b->backoff_jitter_percent);
    options->initial_backoff_ms =
        first_of(given->initial_backoff_ms, a->initial_backoff_ms,
                 b->initial_backoff_ms);
    options->max_backoff_ms =
        first_of(given->max_backoff_ms, a->max_backoff_ms, b->max_backoff_ms);
    options->connect_timeout_ms =
        first_of(given->connect_timeout_ms, a->connect_timeout_ms,
                 b->connect_timeout_ms);
    /* Not the resolver's: what is there already is sized by it. */
    options->connections_per_endpoint = (uint32_t)first_of(
        given->connections_per_endpoint, a->connections_per_endpoint, 0);
    options->idle_timeout_ms = first_of(given->idle_timeout_ms,
                                        a->idle_timeout_ms, b->idle_timeout_ms);
    options_defaults(options);
}

void muster__channel_options_fini(muster_channel_options *options)
{
    free((char *)options->policy);
    free((char *)options->policy_config_json);
    free((char *)options->authority);
    free((char *)options->service_config);
}

void muster__channel_backoff_init(muster__backoff *backoff,
                                  const muster_channel_options *options)
{
    muster__backoff_init(backoff, options->initial_backoff_ms,
                         options->max_backoff_ms);
    backoff->jitter_permille = options->backoff_jitter_percent * 10;
}
