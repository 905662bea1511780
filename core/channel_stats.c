/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's counters. */
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "fork.h"
#include "request.h"

typedef struct stats_request {
    muster__request request; /* first */
    muster_channel *channel;
    muster_channel_stats stats;
} stats_request;

static void fill_parking(muster_channel *channel, muster_channel_stats *stats)
{
    muster__parking *parking = &channel->parking;

    pthread_mutex_lock(&parking->lock);
    stats->parked = parking->n;
    stats->picks_parked = parking->n_parked_ever;
    stats->picks_timed_out = parking->n_timed_out;
    stats->picks_exhausted = parking->n_exhausted;
    pthread_mutex_unlock(&parking->lock);
}

static void fill_plane(const muster_channel *channel,
                       muster_channel_stats *stats)
{
    muster__plane_stats plane;

    muster__plane_stats_get(channel->plane, &plane);
    stats->generation = muster__plane_generation(channel->plane);
    stats->ready = plane.n_published;
    stats->picks_given_back = plane.picks_given_back;
    stats->picks_failed = plane.picks_failed;
    stats->in_flight = plane.in_flight > 0 ? (uint64_t)plane.in_flight : 0;
    stats->draining = plane.draining;
}

static void fill_resolver(const muster_channel *channel,
                          muster_channel_stats *stats)
{
    const muster__resolution *resolution = channel->subscriber.resolution;
    muster__resolver_stats resolver;

    if (resolution == NULL) {
        return;
    }
    muster__resolution_stats(resolution, &resolver);
    stats->list_generation = muster__resolution_generation(resolution);
    stats->updates_accepted = resolver.updates_accepted;
    stats->updates_refused = resolver.updates_refused;
    stats->updates_unchanged = resolver.updates_unchanged;
    stats->resolver_failures = resolver.failures;
    stats->late_reports = resolver.late_reports;
}

static void fill_on_control(muster__request *base)
{
    stats_request *request = (stats_request *)base;
    muster_channel *channel = request->channel;
    muster_channel_stats *stats = &request->stats;

    stats->state = muster_channel_state(channel);
    stats->endpoints = channel->table.n_listed;
    stats->connections_created = channel->connections.created;
    stats->connections_ready = channel->connections.ready;
    stats->connections_failed = channel->connections.failed;
    stats->connections_destroyed = channel->connections.destroyed;
    fill_parking(channel, stats);
    fill_plane(channel, stats);
    fill_resolver(channel, stats);
    muster__channel_retry_stats(channel, stats);
}

static void stats_request_free(muster__request *base)
{
    muster__request_fini(base);
    free(base);
}

static muster_status ask(muster_channel *channel, muster_channel_stats *stats)
{
    stats_request *request = calloc(1, sizeof *request);
    muster_status status;

    if (request == NULL ||
        muster__request_init(&request->request, fill_on_control,
                             stats_request_free) != MUSTER_OK) {
        free(request);
        return MUSTER_NOMEM;
    }
    request->channel = channel;
    status = muster__request_run(&request->request, NULL);
    if (status == MUSTER_OK) {
        *stats = request->stats;
        stats_request_free(&request->request);
    }
    return status;
}

muster_status muster_channel_get_stats(muster_channel *channel,
                                       muster_channel_stats *ret_stats)
{
    muster_channel_stats stats;
    uint32_t size = ret_stats->struct_size;
    muster_status status;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    status = ask(channel, &stats);
    if (status != MUSTER_OK) {
        return status;
    }
    stats.struct_size = size < sizeof stats ? size : (uint32_t)sizeof stats;
    memcpy(ret_stats, &stats, stats.struct_size);
    return MUSTER_OK;
}
