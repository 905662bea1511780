/* SPDX-License-Identifier: Apache-2.0 */
/* Picks an endpoint of a target a few times, for a program that makes its
 * connections itself:  pick_client TARGET [POLICY [HASH_KEY]] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <muster/muster.h>

enum { PICKS = 4, PATIENCE_S = 5 };

static uint64_t deadline_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)(now.tv_sec + PATIENCE_S) * 1000000000 +
           (uint64_t)now.tv_nsec;
}

static muster_status pick_and_print(muster_channel *channel,
                                    const muster_call_info *call,
                                    muster_error *err)
{
    muster_lease lease;
    muster_status status = muster_channel_pick_wait(channel, call, &lease, err);

    if (status == MUSTER_OK) {
        puts(muster_lease_endpoint(&lease)->address);
        /* Here a program would make its call; the endpoint's load is known
         * until it says that the call has ended. */
        muster_lease_finish(&lease, NULL);
    }
    return status;
}

int main(int argc, char **argv)
{
    muster_channel_options options = {.struct_size = sizeof options};
    muster_call_info call = {.struct_size = sizeof call};
    muster_channel *channel;
    muster_error err;
    muster_status status;

    if (argc < 2) {
        fprintf(stderr, "usage: %s TARGET [POLICY [HASH_KEY]]\n", argv[0]);
        return 2;
    }
    options.policy = argc > 2 ? argv[2] : NULL;
    call.hash_key = argc > 3 ? argv[3] : NULL;
    call.deadline_ns = deadline_ns();

    status = muster_channel_create(argv[1], &options, &channel, &err);
    if (status != MUSTER_OK) {
        fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    for (int i = 0; status == MUSTER_OK && i < PICKS; i++) {
        status = pick_and_print(channel, &call, &err);
    }
    if (status != MUSTER_OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    muster_channel_destroy(channel);
    return status == MUSTER_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
