/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel's service config says of methods, for its users. */
#include <muster/service_config.h>

#include <string.h>

#include "channel_internal.h"
#include "fork.h"

static uint32_t flags_of(const muster__method_config *config)
{
    return (config->says_wait_for_ready ? MUSTER_METHOD_SAYS_WAIT_FOR_READY
                                        : 0u) |
           (config->is_wait_for_ready ? MUSTER_METHOD_WAIT_FOR_READY : 0u) |
           (config->has_retry ? MUSTER_METHOD_RETRIES : 0u) |
           (config->has_hedging ? MUSTER_METHOD_HEDGES : 0u);
}

static void fill_retrying(const muster__method_config *found,
                          muster_method_config *config)
{
    if (found->has_retry) {
        config->max_attempts = found->retry.max_attempts;
        config->status_codes = found->retry.codes;
        config->initial_backoff_ns = found->retry.initial_backoff_ns;
        config->max_backoff_ns = found->retry.max_backoff_ns;
        config->backoff_multiplier = found->retry.backoff_multiplier;
        config->attempt_timeout_ns = found->retry.per_attempt_timeout_ns;
    } else if (found->has_hedging) {
        config->max_attempts = found->hedging.max_attempts;
        config->status_codes = found->hedging.codes;
        config->hedging_delay_ns = found->hedging.delay_ns;
        config->hedging_percentile = found->hedging.percentile;
    }
}

int muster_channel_get_method_config(muster_channel *channel,
                                     const char *method,
                                     muster_method_config *ret_config)
{
    muster__method_config found;
    muster_method_config config;
    uint32_t size = ret_config->struct_size;

    if (muster__is_forked() ||
        !muster__plane_find_method(channel->plane, method, &found)) {
        return 0;
    }
    memset(&config, 0, sizeof config);
    config.struct_size = size < sizeof config ? size : (uint32_t)sizeof config;
    config.flags = flags_of(&found);
    config.timeout_ns =
        found.timeout_ns == 0 ? MUSTER_FOREVER : found.timeout_ns;
    config.max_request_bytes = found.max_request_bytes;
    config.max_response_bytes = found.max_response_bytes;
    fill_retrying(&found, &config);
    memcpy(ret_config, &config, config.struct_size);
    return 1;
}
