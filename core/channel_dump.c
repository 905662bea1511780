/* SPDX-License-Identifier: Apache-2.0 */
/* A channel as JSON. The schema is in README.md. */
#include "channel_dump.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "channel_internal.h"
#include "connection.h"
#include "fork.h"
#include "json_text.h"
#include "request.h"
#include "spares.h"

typedef struct dump_request {
    muster__request request; /* first */
    muster_channel *channel;
    char *text;
} dump_request;

static const char *state_name(int state)
{
    static const char *const names[] = {"IDLE", "CONNECTING", "READY",
                                        "TRANSIENT_FAILURE", "SHUTDOWN"};

    return names[state];
}

static int64_t in_flight(const muster__subchannel *subchannel)
{
    int64_t n = 0;

    for (const muster__connection *connection = subchannel->connections;
         connection != NULL; connection = connection->older) {
        n += muster__connection_in_flight(connection);
    }
    return n;
}

static const char *connected_address(const muster__connection *connection)
{
    return connection == NULL ? NULL : muster__connection_address(connection);
}

/* NULL: it is not watched, or nothing is connected. */
static const char *health_name(const muster__connection *connection)
{
    static const char *const names[] = {NULL, "unknown", "serving",
                                        "not_serving"};

    return connection == NULL ? NULL
                              : names[muster__connection_health(connection)];
}

static void write_text(FILE *out, const char *before, const char *text)
{
    (void)fputs(before, out);
    muster__json_string(out, text);
}

static void dump_connection(const muster__connection *connection,
                            muster_connectivity state, FILE *out)
{
    write_text(out, "{\"address\":", connected_address(connection));
    write_text(out, ",\"state\":", state_name((int)state));
    write_text(out, ",\"health\":", health_name(connection));
    (void)fprintf(
        out, ",\"in_flight\":%" PRId64 "}",
        connection == NULL ? 0 : muster__connection_in_flight(connection));
}

/* The first, then those beside it. */
static void dump_connections(const muster_channel *channel,
                             const muster__subchannel *subchannel, FILE *out)
{
    const muster__connection *connection = subchannel->connection;
    muster_connectivity state = (muster_connectivity)subchannel->state;
    uint32_t n = channel->options.connections_per_endpoint;

    (void)fputs(",\"connections\":[", out);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0) {
            state = muster__spares_at(channel, subchannel, i, &connection);
            (void)fputc(',', out);
        }
        dump_connection(connection, state, out);
    }
    (void)fputc(']', out);
}

/* What is of the list, and what becomes of it. */
static void dump_origin(const muster__subchannel *subchannel, FILE *out)
{
    const muster_endpoint *endpoint = &subchannel->endpoint->data;

    write_text(out, "{\"address\":", endpoint->address);
    write_text(out, ",\"connected_address\":",
               connected_address(subchannel->connection));
    (void)fprintf(out, ",\"id\":%" PRIu64 ",\"state\":\"%s\"",
                  muster__subchannel_id(subchannel),
                  state_name(subchannel->state));
    write_text(out, ",\"health\":", health_name(subchannel->connection));
    (void)fprintf(out, ",\"weight\":%" PRIu32 ",\"priority\":%" PRIu32,
                  endpoint->weight, endpoint->priority);
    write_text(out, ",\"zone\":", endpoint->zone);
}

static void dump_endpoint(const muster_channel *channel,
                          muster__subchannel *subchannel, FILE *out)
{
    dump_origin(subchannel, out);
    (void)fprintf(out, ",\"listed\":%s,\"ejected\":%s,\"in_flight\":%" PRId64,
                  muster__json_word(subchannel->is_listed),
                  muster__json_word(subchannel->is_ejected),
                  in_flight(subchannel));
    write_text(out,
               ",\"last_failure\":", muster__subchannel_failure(subchannel));
    (void)fprintf(
        out,
        ",\"backoff_left_ms\":%" PRIu64 ",\"calls\":%" PRIu64
        ",\"in_view\":%s,\"held\":%s,\"wanted\":%s,\"queued\":%s",
        muster__subchannel_backoff_left_ms(subchannel),
        muster__subchannel_calls(subchannel),
        muster__json_word(subchannel->is_in_view),
        muster__json_word(subchannel->is_held),
        muster__json_word(subchannel->is_wanted || subchannel->is_asked),
        muster__json_word(subchannel->is_queued));
    if (muster__pools_are_used(&channel->options)) {
        dump_connections(channel, subchannel, out);
    }
    (void)fputc('}', out);
}

static void dump_endpoints(const muster_channel *channel, FILE *out)
{
    const char *before = "";

    (void)fputs(",\"endpoints\":[", out);
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);

        if (subchannel->endpoint != NULL) {
            (void)fputs(before, out);
            dump_endpoint(channel, subchannel, out);
            before = ",";
        }
    }
    (void)fputc(']', out);
}

static void dump_list(const muster_channel *channel, FILE *out)
{
    const muster__resolution *resolution = channel->subscriber.resolution;

    if (resolution == NULL) {
        (void)fputs(",\"list\":null", out);
        return;
    }
    (void)fprintf(
        out,
        ",\"list\":{\"generation\":%" PRIu64 ",\"age_ms\":%" PRIu64
        ",\"stale\":%s,\"held\":%s",
        muster__resolution_generation(resolution),
        muster__resolution_age_ms(resolution),
        muster__json_word(muster__resolution_failure(resolution) != NULL),
        muster__json_word(muster__resolution_is_held(resolution)));
    write_text(out, ",\"failure\":", muster__resolution_failure(resolution));
    (void)fputc('}', out);
}

/* Where the config in force comes from, and why another one is not. */
static void dump_config(const muster_channel *channel, FILE *out)
{
    const muster__channel_config *config = &channel->config;
    const char *source = config->is_of_resolver ? "resolver" : "application";

    write_text(out, ",\"service_config\":{\"source\":",
               config->current == NULL ? NULL : source);
    write_text(out, ",\"refusal\":", config->refusal);
    (void)fputc('}', out);
}

static const char *policy_name(const muster__policy *policy)
{
    return policy == NULL ? NULL : policy->class_->name;
}

/* As one line, whatever it was; null: there is none. */
static bool dump_policy_config(const muster__policy *policy, FILE *out)
{
    json_t *json =
        policy == NULL ? NULL : json_loads(policy->config_json, 0, NULL);
    bool is_whole = json == NULL ? fputs("null", out) >= 0
                                 : json_dumpf(json, out, JSON_COMPACT) == 0;

    json_decref(json);
    return is_whole;
}

/* Who picks, and among which endpoints. */
static bool dump_policy(const muster_channel *channel, FILE *out)
{
    const muster__publisher *publisher = &channel->publisher;
    const muster__priorities *priorities = &channel->priorities;
    bool is_whole;

    write_text(out, ",\"policy\":", policy_name(publisher->policy));
    (void)fputs(",\"policy_config\":", out);
    is_whole = dump_policy_config(publisher->policy, out);
    write_text(out, ",\"former_policy\":", policy_name(publisher->former));
    if (priorities->has_active) {
        (void)fprintf(out, ",\"priority\":%" PRIu32, priorities->active);
    } else { /* the policy takes care of them, or there is none yet */
        (void)fputs(",\"priority\":null", out);
    }
    return is_whole;
}

static const char *reason(const muster_channel *channel)
{
    const char *text = NULL;

    (void)muster__channel_aggregate(channel, &text);
    return text == NULL || text[0] == '\0' ? NULL : text;
}

bool muster__channel_dump(const muster_channel *channel, uint64_t id, FILE *out)
{
    bool is_whole;

    (void)fputc('{', out);
    if (id != 0) {
        (void)fprintf(out, "\"id\":%" PRIu64 ",", id);
    }
    write_text(
        out, "\"schema_version\":1,\"target\":", muster__channel_name(channel));
    write_text(out,
               ",\"state\":", state_name((int)muster_channel_state(channel)));
    write_text(out, ",\"reason\":", reason(channel));
    is_whole = dump_policy(channel, out);
    dump_config(channel, out);
    (void)fprintf(out, ",\"picker_generation\":%" PRIu64,
                  muster__plane_generation(channel->plane));
    dump_list(channel, out);
    dump_endpoints(channel, out);
    (void)fputs(",\"counters\":", out);
    is_whole &= muster__counters_dump(&channel->counters, out);
    (void)fputc('}', out);
    return is_whole && ferror(out) == 0;
}

static void dump_on_control(muster__request *base)
{
    dump_request *request = (dump_request *)base;
    muster__json_text json = {.text = NULL};
    FILE *out = muster__json_open(&json);
    bool is_whole;

    if (out == NULL) {
        return;
    }
    is_whole = muster__channel_dump(request->channel, 0, out);
    request->text = muster__json_close(&json, out);
    if (!is_whole) {
        free(request->text);
        request->text = NULL;
    }
}

static void dump_request_free(muster__request *base)
{
    dump_request *request = (dump_request *)base;

    free(request->text);
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
        *ret_text = request->text;
        request->text = NULL;
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
