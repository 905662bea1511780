/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's options, where a program leaves them to its service config. */
#include "grpc_settings.h"

#include <stdlib.h>
#include <string.h>

#include "sized.h"

static void fill(uint64_t *option, uint64_t setting)
{
    *option = *option != 0 ? *option : setting;
}

static void fill_small(uint32_t *option, uint32_t setting)
{
    *option = *option != 0 ? *option : setting;
}

static void fill_text(const char **option, const char *setting)
{
    *option = *option != NULL ? *option : setting;
}

static void fill_all(muster_grpc_options *options,
                     const muster_settings *settings)
{
    fill(&options->keepalive_time_ms, settings->keepalive_time_ms);
    fill(&options->keepalive_timeout_ms, settings->keepalive_timeout_ms);
    fill_small(&options->keepalive_permit_without_calls,
               settings->keepalive_permit_without_calls);
    fill_small(&options->max_pings_without_data,
               settings->max_pings_without_data);
    fill(&options->max_send_message_bytes, settings->max_send_message_bytes);
    fill(&options->max_receive_message_bytes,
         settings->max_receive_message_bytes);
    fill_text(&options->user_agent_prefix, settings->user_agent_prefix);
    fill_text(&options->user_agent_suffix, settings->user_agent_suffix);
    if (options->compression == GRPC_COMPRESS_NONE) {
        options->compression =
            (grpc_compression_algorithm)settings->compression;
    }
}

muster_status muster__grpc_settings_merge(const muster_grpc_options *given,
                                          const char *service_config,
                                          muster_grpc_options *options,
                                          muster_settings *ret_settings,
                                          muster_error *err)
{
    muster_settings settings = {.struct_size = sizeof settings};
    muster_status status = MUSTER_OK;

    muster__sized_read(options, sizeof *options, given);
    options->struct_size = sizeof *options;
    if (service_config != NULL) {
        status = muster_service_config_get_settings(
            service_config, strlen(service_config), &settings, err);
    }
    if (status == MUSTER_OK) {
        fill_all(options, &settings);
        *ret_settings = settings;
    }
    return status;
}

void muster__grpc_settings_fini(muster_settings *settings)
{
    free(settings->user_agent_prefix);
    free(settings->user_agent_suffix);
}
