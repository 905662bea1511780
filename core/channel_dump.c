/* SPDX-License-Identifier: Apache-2.0 */
/* A channel as JSON. The schema is in README.md. */
#include "channel_dump.h"

#include <stdlib.h>

#include "channel_snapshot.h"
#include "fork.h"
#include "request.h"

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

static const char *at(const muster__channel_snapshot *snapshot,
                      muster__snapshot_text text)
{
    return text == 0 ? NULL : snapshot->text + text;
}

static json_t *dump_text(const muster__channel_snapshot *snapshot,
                         muster__snapshot_text text)
{
    return text_or_null(at(snapshot, text));
}

/* null: it is not watched, or nothing is connected. */
static json_t *dump_health(unsigned health)
{
    static const char *const names[] = {NULL, "unknown", "serving",
                                        "not_serving"};

    return text_or_null(names[health]);
}

static json_t *dump_connection(const muster__channel_snapshot *snapshot,
                               const muster__connection_snapshot *connection)
{
    return json_pack("{s:o, s:s, s:o, s:I}", "address",
                     dump_text(snapshot, connection->address), "state",
                     state_name(connection->state), "health",
                     dump_health(connection->health), "in_flight",
                     (json_int_t)connection->in_flight);
}

static json_t *dump_connections(const muster__channel_snapshot *snapshot,
                                size_t index)
{
    const uint32_t n = snapshot->n_connections;
    json_t *list = json_array();

    for (uint32_t i = 0; list != NULL && i < n; i++) {
        if (json_array_append_new(
                list, dump_connection(snapshot,
                                      &snapshot->connections[index * n + i])) !=
            0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *dump_endpoint(const muster__channel_snapshot *snapshot,
                             size_t index)
{
    const muster__endpoint_snapshot *endpoint = &snapshot->endpoints[index];
    json_t *json = json_pack(
        "{s:o, s:o, s:I, s:s, s:o, s:I, s:I, s:o, s:b, s:b, s:I, s:o, s:I, "
        "s:b, s:b, s:b, s:b}",
        "address", dump_text(snapshot, endpoint->address), "connected_address",
        dump_text(snapshot, endpoint->connected_address), "id",
        (json_int_t)endpoint->id, "state", state_name(endpoint->state),
        "health", dump_health(endpoint->health), "weight",
        (json_int_t)endpoint->weight, "priority",
        (json_int_t)endpoint->priority, "zone",
        dump_text(snapshot, endpoint->zone), "listed", (int)endpoint->is_listed,
        "ejected", (int)endpoint->is_ejected, "in_flight",
        (json_int_t)endpoint->in_flight, "last_failure",
        dump_text(snapshot, endpoint->last_failure), "backoff_left_ms",
        (json_int_t)endpoint->backoff_left_ms, "in_view",
        (int)endpoint->is_in_view, "held", (int)endpoint->is_held, "wanted",
        (int)endpoint->is_wanted, "queued", (int)endpoint->is_queued);

    if (json != NULL && snapshot->n_connections > 0 &&
        json_object_set_new(json, "connections",
                            dump_connections(snapshot, index)) != 0) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

static json_t *dump_endpoints(const muster__channel_snapshot *snapshot)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < snapshot->n_endpoints; i++) {
        if (json_array_append_new(list, dump_endpoint(snapshot, i)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *dump_list(const muster__channel_snapshot *snapshot)
{
    if (!snapshot->has_list) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:b, s:b, s:o}", "generation",
                     (json_int_t)snapshot->list_generation, "age_ms",
                     (json_int_t)snapshot->list_age_ms, "stale",
                     (int)(snapshot->list_failure != 0), "held",
                     (int)snapshot->is_held, "failure",
                     dump_text(snapshot, snapshot->list_failure));
}

/* Where the config in force comes from, and why another one is not. */
static json_t *dump_config(const muster__channel_snapshot *snapshot)
{
    const char *source =
        snapshot->has_resolvers_config ? "resolver" : "application";

    return json_pack("{s:o, s:o}", "source",
                     text_or_null(snapshot->has_config ? source : NULL),
                     "refusal", dump_text(snapshot, snapshot->config_refusal));
}

static json_t *dump_policy_config(const muster__channel_snapshot *snapshot)
{
    const char *text = at(snapshot, snapshot->policy_config);
    json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL);

    return json != NULL ? json : json_null();
}

json_t *muster__channel_dump(const muster__channel_snapshot *snapshot)
{
    return json_pack(
        "{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:O}",
        "schema_version", 1, "target", at(snapshot, snapshot->target), "state",
        state_name(snapshot->state), "reason",
        dump_text(snapshot, snapshot->reason), "policy",
        dump_text(snapshot, snapshot->policy), "policy_config",
        dump_policy_config(snapshot), "former_policy",
        dump_text(snapshot, snapshot->former_policy), "priority",
        snapshot->has_priority ? json_integer((json_int_t)snapshot->priority)
                               : json_null(),
        "service_config", dump_config(snapshot), "picker_generation",
        (json_int_t)snapshot->picker_generation, "list", dump_list(snapshot),
        "endpoints", dump_endpoints(snapshot), "counters", snapshot->counters);
}

/* ---- for the program ---- */

typedef struct dump_request {
    muster__request request; /* first */
    const muster_channel *channel;
    muster__channel_snapshot *snapshot;
} dump_request;

static void dump_on_control(muster__request *base)
{
    dump_request *request = (dump_request *)base;

    request->snapshot = muster__channel_snapshot_take(request->channel);
}

static void dump_request_free(muster__request *base)
{
    dump_request *request = (dump_request *)base;

    muster__channel_snapshot_free(request->snapshot);
    muster__request_fini(base);
    free(request);
}

static char *text_of(const muster__channel_snapshot *snapshot)
{
    json_t *json = snapshot == NULL ? NULL : muster__channel_dump(snapshot);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    json_decref(json);
    return text;
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
        *ret_text = text_of(request->snapshot);
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
