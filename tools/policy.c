/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel with a certain policy would make of a target. */
#include "policy.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <muster/muster.h>
#include <muster/plugin.h>

/* "channel TARGET: policy NAME ..." is of interest here, "resolver ..." is not:
 * resolve tells of the source itself. */
static void print_policy(void *arg, muster_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    if (strstr(message, ": policy ") != NULL) {
        (void)fprintf(stderr, "muster: %s\n", message);
    }
}

static uint64_t deadline_ns(uint64_t timeout_ms)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec +
           timeout_ms * UINT64_C(1000000);
}

exit_code policy_find(const char *policy)
{
    const muster_balancer_class *found = NULL;
    muster_error err = {.code = MUSTER_OK};
    muster_status status = muster_plugin_find_balancer(policy, &found, &err);

    return status == MUSTER_OK ? EXIT_CODE_OK
                               : command_fail_create(status, policy, &err);
}

exit_code policy_check(const char *target, const char *policy,
                       uint64_t timeout_ms)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .policy = policy};
    const muster_call_info call = {.struct_size = sizeof call,
                                   .deadline_ns = deadline_ns(timeout_ms)};
    muster_channel *channel = NULL;
    muster_lease lease = {NULL, 0};
    muster_error err;
    muster_status status;

    muster_log_set(print_policy, NULL, MUSTER_LOG_WARNING);
    status = muster_channel_create(target, &options, &channel, &err);
    if (status != MUSTER_OK) {
        return command_fail_create(status, target, &err);
    }
    /* A pick shows that the list has come; whom it finds does not matter. */
    if (muster_channel_pick_wait(channel, &call, &lease, NULL) == MUSTER_OK) {
        muster_lease_finish(&lease, NULL);
    }
    muster_channel_destroy(channel);
    muster_log_set(NULL, NULL, MUSTER_LOG_ERROR);
    return EXIT_CODE_OK;
}
