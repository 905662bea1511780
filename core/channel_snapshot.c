/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel is at one moment, copied. */
#include "channel_snapshot.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "connection.h"
#include "spares.h"

enum { TEXT_PER_ENDPOINT = 48, TEXT_AT_LEAST = 1024 };

/* ---- text ---- */

static bool make_room(muster__channel_snapshot *self, size_t more)
{
    size_t size = self->text_size;
    char *text;

    if (size - self->text_length >= more) {
        return true;
    }
    size = size * 2 > self->text_length + more ? size * 2
                                               : self->text_length + more;
    text = realloc(self->text, size);
    if (text == NULL) {
        self->is_out_of_memory = true;
        return false;
    }
    self->text = text;
    self->text_size = size;
    return true;
}

static muster__snapshot_text put(muster__channel_snapshot *self,
                                 const char *text)
{
    muster__snapshot_text at = self->text_length;
    size_t size;

    if (text == NULL) {
        return 0;
    }
    size = strlen(text) + 1;
    if (!make_room(self, size)) {
        return 0;
    }
    memcpy(self->text + at, text, size);
    self->text_length += size;
    return at;
}

/* ---- endpoints ---- */

static muster_health health_of(const muster__connection *connection)
{
    return connection == NULL ? MUSTER_HEALTH_UNCHECKED
                              : muster__connection_health(connection);
}

static const char *address_of(const muster__connection *connection)
{
    return connection == NULL ? NULL : muster__connection_address(connection);
}

/* Draining ones included. */
static int64_t in_flight(const muster__subchannel *subchannel)
{
    int64_t n = 0;

    for (const muster__connection *connection = subchannel->connections;
         connection != NULL; connection = connection->older) {
        n += muster__connection_in_flight(connection);
    }
    return n;
}

/* The first, then those beside it. */
static void take_connections(muster__channel_snapshot *self,
                             const muster_channel *channel,
                             const muster__subchannel *subchannel)
{
    const muster__connection *connection = subchannel->connection;
    muster_connectivity state = (muster_connectivity)subchannel->state;

    for (uint32_t i = 0; i < self->n_connections; i++) {
        muster__connection_snapshot *to =
            &self->connections[self->n_endpoints * self->n_connections + i];

        if (i > 0) {
            state = muster__spares_at(channel, subchannel, i, &connection);
        }
        to->address = put(self, address_of(connection));
        to->in_flight =
            connection == NULL ? 0 : muster__connection_in_flight(connection);
        to->state = (uint8_t)state;
        to->health = (uint8_t)health_of(connection);
    }
}

static void take_endpoint(muster__channel_snapshot *self,
                          const muster_channel *channel,
                          const muster__subchannel *subchannel)
{
    const muster_endpoint *endpoint = &subchannel->endpoint->data;

    take_connections(self, channel, subchannel);
    self->endpoints[self->n_endpoints++] = (muster__endpoint_snapshot){
        .id = muster__subchannel_id(subchannel),
        .in_flight = in_flight(subchannel),
        .backoff_left_ms = muster__subchannel_backoff_left_ms(subchannel),
        .address = put(self, endpoint->address),
        .connected_address = put(self, address_of(subchannel->connection)),
        .zone = put(self, endpoint->zone),
        .last_failure = put(self, muster__subchannel_failure(subchannel)),
        .weight = endpoint->weight,
        .priority = endpoint->priority,
        .state = subchannel->state,
        .health = (uint8_t)health_of(subchannel->connection),
        .is_listed = subchannel->is_listed,
        .is_ejected = subchannel->is_ejected,
        .is_in_view = subchannel->is_in_view,
        .is_held = subchannel->is_held,
        .is_wanted = subchannel->is_wanted || subchannel->is_asked,
        .is_queued = subchannel->is_queued,
    };
}

static void take_endpoints(muster__channel_snapshot *self,
                           const muster_channel *channel)
{
    const size_t n = channel->table.n_numbers;

    if (muster__pools_are_used(&channel->options)) {
        self->n_connections = channel->options.connections_per_endpoint;
        self->connections =
            calloc(n * self->n_connections + 1, sizeof *self->connections);
    }
    self->endpoints = malloc((n + 1) * sizeof *self->endpoints);
    if (self->endpoints == NULL ||
        (self->n_connections > 0 && self->connections == NULL)) {
        self->is_out_of_memory = true;
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        const muster__subchannel *subchannel =
            muster__table_at(&channel->table, i);
        if (subchannel->endpoint != NULL) {
            take_endpoint(self, channel, subchannel);
        }
    }
}

/* ---- the channel ---- */

static const char *reason_of(const muster_channel *channel)
{
    const char *text = NULL;

    (void)muster__channel_aggregate(channel, &text);
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static void take_policy(muster__channel_snapshot *self,
                        const muster__publisher *publisher)
{
    const muster__policy *policy = publisher->policy;
    const muster__policy *former = publisher->former;

    if (policy != NULL) {
        self->policy = put(self, policy->class_->name);
        self->policy_config = put(self, policy->config_json);
    }
    if (former != NULL) {
        self->former_policy = put(self, former->class_->name);
    }
}

static void take_list(muster__channel_snapshot *self,
                      const muster__resolution *resolution)
{
    if (resolution != NULL) {
        self->has_list = true;
        self->list_generation = muster__resolution_generation(resolution);
        self->list_age_ms = muster__resolution_age_ms(resolution);
        self->list_failure = put(self, muster__resolution_failure(resolution));
        self->is_held = muster__resolution_is_held(resolution);
    }
}

static void take(muster__channel_snapshot *self, const muster_channel *channel)
{
    self->number = channel->shutdown.number;
    self->picker_generation = muster__plane_generation(channel->plane);
    self->target = put(self, muster__channel_name(channel));
    self->reason = put(self, reason_of(channel));
    self->state = (uint8_t)muster_channel_state(channel);
    self->has_priority = channel->priorities.has_active;
    self->priority = channel->priorities.active;
    self->has_config = channel->config.current != NULL;
    self->has_resolvers_config = channel->config.is_of_resolver;
    self->config_refusal = put(self, channel->config.refusal);
    take_policy(self, &channel->publisher);
    take_list(self, channel->subscriber.resolution);
    take_endpoints(self, channel);
    self->counters = muster__counters_dump(&channel->counters);
    self->is_out_of_memory |= self->counters == NULL;
}

muster__channel_snapshot *
muster__channel_snapshot_take(const muster_channel *channel)
{
    muster__channel_snapshot *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return NULL;
    }
    if (make_room(self, TEXT_AT_LEAST + (size_t)channel->table.n_numbers *
                                            TEXT_PER_ENDPOINT)) {
        self->text_length = 1; /* 0 is no text */
        take(self, channel);
    }
    if (self->is_out_of_memory) {
        muster__channel_snapshot_free(self);
        return NULL;
    }
    return self;
}

void muster__channel_snapshot_free(muster__channel_snapshot *snapshot)
{
    if (snapshot != NULL) {
        json_decref(snapshot->counters);
        free(snapshot->endpoints);
        free(snapshot->connections);
        free(snapshot->text);
        free(snapshot);
    }
}
