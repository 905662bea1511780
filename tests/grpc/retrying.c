/* SPDX-License-Identifier: Apache-2.0 */
/* Channels whose calls are retried. */
#include "retrying.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADERS = 4 };

static void write_target(const backend *servers, size_t n, char text[512])
{
    size_t length = (size_t)snprintf(text, 512, "static:///");

    for (size_t i = 0; i < n; i++) {
        length += (size_t)snprintf(text + length, 512 - length, "%s%s",
                                   i == 0 ? "" : ",", servers[i].address);
    }
}

muster_channel *open_retrying(const backend *servers, size_t n,
                              const char *config,
                              const muster_grpc_options *grpc_options)
{
    char *json = strdup(config);
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 50,
                                            .max_backoff_ms = 100,
                                            .service_config = json};
    muster_channel *channel = NULL;
    muster_error err;
    char target[512];

    for (char *at = json; (at = strchr(at, '\'')) != NULL;) {
        *at = '"';
    }
    write_target(servers, n, target);
    cr_assert_eq(muster_grpc_channel_create(target, &options, grpc_options,
                                            &channel, &err),
                 MUSTER_OK, "%s", err.message);
    free(json);
    while (stats_of(channel).ready < n) {
        /* Answers come from the control thread. */
    }
    return channel;
}

static muster_call *make(muster_channel *channel, muster_call_options options,
                         const char *const *headers)
{
    grpc_metadata items[MAX_HEADERS];
    muster_call *call;

    options.metadata = items;
    memset(items, 0, sizeof items);
    for (; headers[0] != NULL; headers += 2) {
        items[options.n_metadata].key =
            grpc_slice_from_copied_string(headers[0]);
        items[options.n_metadata++].value =
            grpc_slice_from_copied_string(headers[1]);
    }
    call = make_call(channel, &options);
    for (size_t i = 0; i < options.n_metadata; i++) {
        free_header(&items[i]);
    }
    return call;
}

muster_call *make_call_with(muster_channel *channel, uint64_t deadline_ns,
                            const char *const *headers)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .deadline_ns = deadline_ns};

    return make(channel, options, headers);
}

muster_call *make_call_waiting(muster_channel *channel,
                               const char *const *headers)
{
    return make(channel, patient, headers);
}

muster_channel_stats stats_of(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(channel, &stats), MUSTER_OK);
    return stats;
}

void hear_nothing(muster_call_queue *queue)
{
    muster_call_event event;

    cr_assert_eq(muster_call_queue_next(queue, now_ns() + MILLISECOND, &event),
                 MUSTER_TIMEOUT);
}

void await_parked(muster_channel *channel, uint64_t n)
{
    while (stats_of(channel).parked != n) {
        /* Answers come from the control thread. */
    }
}
