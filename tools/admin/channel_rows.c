/* SPDX-License-Identifier: Apache-2.0 */
/* Channels of a process, as its admin socket gives them, for tables. */
#include "channel_rows.h"

#include <string.h>

#include "period.h"

const output_column channel_row_columns[] = {
    {"CHANNEL", "id", 0},    {"TARGET", "target", 0},
    {"STATE", "state", 0},   {"POLICY", "policy", 0},
    {"LIST", "list", 0},     {"ENDPOINTS", "listed", 0},
    {"PICKED", "picked", 0}, {"REASON", "reason", 0},
    {NULL, NULL, 0},
};

const output_column endpoint_row_columns[] = {
    {"CHANNEL", "id", 0},
    {"ENDPOINT", "address", 0},
    {"STATE", "state", 0},
    {"WEIGHT", "weight", 0},
    {"PRIORITY", "priority", 0},
    {"IN-FLIGHT", "in_flight", 0},
    {"BACKOFF", "backoff", 0},
    {"REASON", "last_failure", 0},
    {NULL, NULL, 0},
};

static json_t *period_text(const char *word, const json_t *ms)
{
    return json_sprintf("%s%s", word,
                        period_of_ms((uint64_t)json_integer_value(ms)).text);
}

/* "fresh 1.5s": the source has confirmed it so long ago. */
static json_t *list_text(const json_t *list)
{
    const json_t *age = json_object_get(list, "age_ms");

    if (json_integer_value(json_object_get(list, "generation")) == 0) {
        return json_string("none");
    }
    if (json_is_true(json_object_get(list, "held"))) {
        return period_text("held ", age);
    }
    return period_text(json_is_true(json_object_get(list, "stale")) ? "stale "
                                                                    : "fresh ",
                       age);
}

static json_int_t count(const json_t *endpoints, const char *key)
{
    json_int_t n = 0;
    size_t index;
    const json_t *endpoint;

    json_array_foreach(endpoints, index, endpoint)
    {
        n += json_is_true(json_object_get(endpoint, key)) ? 1 : 0;
    }
    return n;
}

/* Why it has failed, else why its list is not confirmed any more. */
static json_t *reason_of(const json_t *channel)
{
    json_t *reason = json_object_get(channel, "reason");

    return json_is_string(reason)
               ? reason
               : json_object_get(json_object_get(channel, "list"), "failure");
}

static json_t *channel_row(json_t *channel)
{
    json_t *endpoints = json_object_get(channel, "endpoints");

    return json_pack("{s:O?, s:O?, s:O?, s:O?, s:o, s:I, s:I, s:O?}", "id",
                     json_object_get(channel, "id"), "target",
                     json_object_get(channel, "target"), "state",
                     json_object_get(channel, "state"), "policy",
                     json_object_get(channel, "policy"), "list",
                     list_text(json_object_get(channel, "list")), "listed",
                     count(endpoints, "listed"), "picked",
                     count(endpoints, "in_view"), "reason", reason_of(channel));
}

json_t *channel_rows(const json_t *channels)
{
    json_t *rows = json_array();
    size_t index;
    json_t *channel;

    json_array_foreach(channels, index, channel)
    {
        if (json_array_append_new(rows, channel_row(channel)) != 0) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

/* The state, and what else keeps calls away. */
static json_t *state_text(const json_t *endpoint)
{
    const char *state = json_string_value(json_object_get(endpoint, "state"));
    const char *health = json_string_value(json_object_get(endpoint, "health"));
    const char *more = "";

    if (!json_is_true(json_object_get(endpoint, "listed"))) {
        more = ", draining";
    } else if (json_is_true(json_object_get(endpoint, "ejected"))) {
        more = ", ejected";
    } else if (health != NULL && strcmp(health, "not_serving") == 0) {
        more = ", unhealthy";
    }
    return json_sprintf("%s%s", state == NULL ? "?" : state, more);
}

static json_t *endpoint_row(const json_t *channel, const json_t *endpoint)
{
    const json_t *backoff = json_object_get(endpoint, "backoff_left_ms");

    return json_pack(
        "{s:O?, s:O?, s:o, s:O?, s:O?, s:O?, s:o, s:O?}", "id",
        json_object_get(channel, "id"), "address",
        json_object_get(endpoint, "address"), "state", state_text(endpoint),
        "weight", json_object_get(endpoint, "weight"), "priority",
        json_object_get(endpoint, "priority"), "in_flight",
        json_object_get(endpoint, "in_flight"), "backoff",
        json_integer_value(backoff) == 0 ? json_null()
                                         : period_text("", backoff),
        "last_failure", json_object_get(endpoint, "last_failure"));
}

json_t *endpoint_rows(const json_t *channels)
{
    json_t *rows = json_array();
    size_t index;
    size_t place;
    const json_t *channel;
    const json_t *endpoint;

    json_array_foreach(channels, index, channel)
    {
        json_array_foreach(json_object_get(channel, "endpoints"), place,
                           endpoint)
        {
            if (json_array_append_new(rows, endpoint_row(channel, endpoint)) !=
                0) {
                json_decref(rows);
                return NULL;
            }
        }
    }
    return rows;
}
