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
           (config->is_wait_for_ready ? MUSTER_METHOD_WAIT_FOR_READY : 0u);
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
    memcpy(ret_config, &config, config.struct_size);
    return 1;
}
