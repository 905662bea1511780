/* SPDX-License-Identifier: Apache-2.0 */
/* A process with channels, to be looked into: says "up" when it has them, and
 * lives until its stdin ends.
 *   live_channels [--none] [--policy NAME] [--config JSON] TARGET...
 * --none: the channels after it connect to nothing; else by gRPC. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <muster/grpc.h>
#include <muster/muster.h>

enum { MAX_CHANNELS = 16 };

static muster_channel *open_channel(const char *target, const char *policy,
                                    const char *config, int is_none)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .policy = policy,
                                            .policy_config_json = config,
                                            .backoff_jitter_percent = 1,
                                            .initial_backoff_ms = 3600000,
                                            .max_backoff_ms = 3600000};
    muster_channel *channel = NULL;
    muster_error err;
    muster_status status =
        is_none ? muster_channel_create(target, &options, &channel, &err)
                : muster_grpc_channel_create(target, &options, NULL, &channel,
                                             &err);

    if (status != MUSTER_OK) {
        (void)fprintf(stderr, "%s: %s\n", target, err.message);
        exit(1);
    }
    return channel;
}

int main(int argc, char **argv)
{
    muster_channel *channels[MAX_CHANNELS];
    const char *policy = NULL;
    const char *config = NULL;
    int is_none = 0;
    int n = 0;
    char byte;

    for (int i = 1; i < argc && n < MAX_CHANNELS; i++) {
        if (strcmp(argv[i], "--none") == 0) {
            is_none = 1;
        } else if (strcmp(argv[i], "--policy") == 0 && i + 1 < argc) {
            policy = argv[++i];
        } else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            config = argv[++i];
        } else {
            channels[n++] = open_channel(argv[i], policy, config, is_none);
        }
    }
    (void)puts("up");
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    while (n > 0) {
        muster_channel_destroy(channels[--n]);
    }
    return 0;
}
