/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the model share. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t seed;
char addresses[ADDRESSES][24];
char more_texts[ADDRESSES][MORE][24];
const char *more_addresses[ADDRESSES][MORE];
muster_channel *watched[CHANNELS];

void write_addresses(void)
{
    for (int i = 0; i < ADDRESSES; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.0.%d:1", i);
        for (int k = 0; k < MORE; k++) {
            (void)snprintf(more_texts[i][k], sizeof more_texts[i][k],
                           "[fd00::%d]:%d", 1 + i, 1 + k);
            more_addresses[i][k] = more_texts[i][k];
        }
    }
}

static void print_channels(void)
{
    for (int i = 0; i < CHANNELS; i++) {
        muster_channel_stats stats = {.struct_size = sizeof stats};
        char *json = NULL;

        if (muster_channel_dump_json(watched[i], &json) == MUSTER_OK &&
            muster_channel_get_stats(watched[i], &stats) == MUSTER_OK) {
            (void)fprintf(stderr,
                          "%s\ndraining %llu, in flight %llu, parked %llu\n",
                          json, (unsigned long long)stats.draining,
                          (unsigned long long)stats.in_flight,
                          (unsigned long long)stats.parked);
        }
        free(json);
    }
}

void fail_at(const char *file, int line, const char *what, const char *detail)
{
    (void)fprintf(stderr, "channel_model: seed %llu: %s:%d: %s: %s\n",
                  (unsigned long long)seed, file, line, what, detail);
    print_channels();
    abort();
}

uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

muster_channel_stats stats_of(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    MUST(muster_channel_get_stats(channel, &stats) == MUSTER_OK, "stats");
    return stats;
}

void finish(world *w, muster_lease *lease)
{
    if (lease->slot_ != NULL) {
        MUST(muster_testkit_transport_use(w->transport,
                                          muster_lease_connection(lease)),
             "a lease on a dead connection");
        muster_lease_finish(lease, NULL);
    }
}
