/* SPDX-License-Identifier: Apache-2.0 */
/* A channel as JSON. The schema is in README.md. */
#include "channel_dump.h"

#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "connection.h"
#include "fork.h"
#include "request.h"
#include "spares.h"

typedef struct dump_request {
    muster__request request; /* first */
    muster_channel *channel;
    json_t *json;
} dump_request;

static const char *state_name(int state)
{
    static const char *const names[] = {"IDLE", "CONNECTING", "READY",
                                        "TRANSIENT_FAILURE", "SHUTDOWN"};

    return names[state];
}

/* A string, or null: also for text that is not UTF-8. */
static json_t *text_or_null(const char *text)
{
    json_t *json = text == NULL ? NULL : json_string(text);

    return json != NULL ? json : json_null();
}

static json_int_t in_flight(const muster__subchannel *subchannel)
{
    int64_t n = 0;

    for (const muster__connection *connection = subchannel->connections;
         connection != NULL; connection = connection->older) {
        n += muster__connection_in_flight(connection);
    }
    return (json_int_t)n;
}

static const char *connected_address(const muster__subchannel *subchannel)
{
    return subchannel->connection == NULL
               ? NULL
               : muster__connection_address(subchannel->connection);
}

/* null: it is not watched, or nothing is connected. */
static json_t *dump_health(const muster__connection *connection)
{
    static const char *const names[] = {NULL, "unknown", "serving",
                                        "not_serving"};

    return text_or_null(connection == NULL
                            ? NULL
                            : names[muster__connection_health(connection)]);
}

static json_t *dump_connection(const muster__connection *connection,
                               muster_connectivity state)
{
    return json_pack(
        "{s:o, s:s, s:o, s:I}", "address",
        text_or_null(
            connection == NULL ? NULL : muster__connection_address(connection)),
        "state", state_name((int)state), "health", dump_health(connection),
        "in_flight",
        (json_int_t)(connection == NULL
                         ? 0
                         : muster__connection_in_flight(connection)));
}

/* The first, then those beside it. */
static json_t *dump_connections(const muster_channel *channel,
                                const muster__subchannel *subchannel)
{
    json_t *list = json_array();
    const muster__connection *connection = subchannel->connection;
    muster_connectivity state = (muster_connectivity)subchannel->state;
    uint32_t n = channel->options.connections_per_endpoint;

    for (uint32_t i = 0; list != NULL && i < n; i++) {
        if (i > 0) {
            state = muster__spares_at(channel, subchannel, i, &connection);
        }
        if (json_array_append_new(list, dump_connection(connection, state)) !=
            0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *dump_endpoint(const muster_channel *channel,
                             const muster__subchannel *subchannel)
{
    const muster_endpoint *endpoint = &subchannel->endpoint->data;

    json_t *json = json_pack(
        "{s:o, s:o, s:I, s:s, s:o, s:I, s:I, s:o, s:b, s:b, s:I, s:o, s:I, "
        "s:b, s:b, s:b, s:b}",
        "address", text_or_null(endpoint->address), "connected_address",
        text_or_null(connected_address(subchannel)), "id",
        (json_int_t)muster__subchannel_id(subchannel), "state",
        state_name(subchannel->state), "health",
        dump_health(subchannel->connection), "weight",
        (json_int_t)endpoint->weight, "priority",
        (json_int_t)endpoint->priority, "zone", text_or_null(endpoint->zone),
        "listed", (int)subchannel->is_listed, "ejected",
        (int)subchannel->is_ejected, "in_flight", in_flight(subchannel),
        "last_failure", text_or_null(muster__subchannel_failure(subchannel)),
        "backoff_left_ms",
        (json_int_t)muster__subchannel_backoff_left_ms(subchannel), "in_view",
        (int)subchannel->is_in_view, "held", (int)subchannel->is_held, "wanted",
        (int)(subchannel->is_wanted || subchannel->is_asked), "queued",
        (int)subchannel->is_queued);

    if (json != NULL && muster__pools_are_used(&channel->options) &&
        json_object_set_new(json, "connections",
                            dump_connections(channel, subchannel)) != 0) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

static json_t *dump_endpoints(const muster_channel *channel)
{
    json_t *list = json_array();

    for (uint32_t i = 0; list != NULL && i < channel->table.n_numbers; i++) {
        const muster__subchannel *subchannel =
            muster__table_at(&channel->table, i);
        if (subchannel->endpoint != NULL &&
            json_array_append_new(list, dump_endpoint(channel, subchannel)) !=
                0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *dump_list(const muster_channel *channel)
{
    const muster__resolution *resolution = channel->subscriber.resolution;

    if (resolution == NULL) {
        return json_null();
    }
    return json_pack(
        "{s:I, s:I, s:b, s:b, s:o}", "generation",
        (json_int_t)muster__resolution_generation(resolution), "age_ms",
        (json_int_t)muster__resolution_age_ms(resolution), "stale",
        (int)(muster__resolution_failure(resolution) != NULL), "held",
        (int)muster__resolution_is_held(resolution), "failure",
        text_or_null(muster__resolution_failure(resolution)));
}

/* Where the config in force comes from, and why another one is not. */
static json_t *dump_config(const muster_channel *channel)
{
    const muster__channel_config *config = &channel->config;
    const char *source = config->is_of_resolver ? "resolver" : "application";

    return json_pack("{s:o, s:o}", "source",
                     text_or_null(config->current == NULL ? NULL : source),
                     "refusal", text_or_null(config->refusal));
}

static json_t *policy_name(const muster__policy *policy)
{
    return text_or_null(policy == NULL ? NULL : policy->class_->name);
}

static json_t *policy_config(const muster__policy *policy)
{
    json_t *json = policy == NULL || policy->config_json == NULL
                       ? NULL
                       : json_loads(policy->config_json, 0, NULL);

    return json != NULL ? json : json_null();
}

/* null: the policy takes care of priorities itself, or there is none yet. */
static json_t *served_priority(const muster_channel *channel)
{
    const muster__priorities *priorities = &channel->priorities;

    return priorities->has_active ? json_integer((json_int_t)priorities->active)
                                  : json_null();
}

static json_t *reason(const muster_channel *channel)
{
    const char *text = "";

    (void)muster__channel_aggregate(channel, &text);
    return text_or_null(text == NULL || text[0] == '\0' ? NULL : text);
}

json_t *muster__channel_dump(const muster_channel *channel)
{
    const muster__publisher *publisher = &channel->publisher;

    return json_pack(
        "{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}",
        "schema_version", 1, "target", muster__channel_name(channel), "state",
        state_name((int)muster_channel_state(channel)), "reason",
        reason(channel), "policy", policy_name(publisher->policy),
        "policy_config", policy_config(publisher->policy), "former_policy",
        policy_name(publisher->former), "priority", served_priority(channel),
        "service_config", dump_config(channel), "picker_generation",
        (json_int_t)muster__plane_generation(channel->plane), "list",
        dump_list(channel), "endpoints", dump_endpoints(channel), "counters",
        muster__counters_dump(&channel->counters));
}

static void dump_on_control(muster__request *base)
{
    dump_request *request = (dump_request *)base;

    request->json = muster__channel_dump(request->channel);
}

static void dump_request_free(muster__request *base)
{
    dump_request *request = (dump_request *)base;

    json_decref(request->json);
    muster__request_fini(base);
    free(request);
}

static muster_status ask(muster_channel *channel, char **ret_text)
{
    dump_request *request = calloc(1, sizeof *request);
    muster_status status;

    if (request == NULL ||
        muster__request_init(&request->request, dump_on_control,
                             dump_request_free) != MUSTER_OK) {
        free(request);
        return MUSTER_NOMEM;
    }
    request->channel = channel;
    status = muster__request_run(&request->request, NULL);
    if (status == MUSTER_OK) {
        *ret_text = request->json == NULL
                        ? NULL
                        : json_dumps(request->json, JSON_COMPACT);
        dump_request_free(&request->request);
    }
    return status;
}

muster_status muster_channel_dump_json(muster_channel *channel, char **ret_json)
{
    char *text = NULL;
    muster_status status;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    status = ask(channel, &text);
    if (status != MUSTER_OK) {
        return status;
    }
    if (text == NULL) {
        return MUSTER_NOMEM;
    }
    *ret_json = text;
    return MUSTER_OK;
}
