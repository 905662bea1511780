/* SPDX-License-Identifier: Apache-2.0 */
/* A channel in a few sentences. */
#include "summary.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "period.h"

static const char *text(const json_t *object, const char *key,
                        const char *otherwise)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value != NULL ? value : otherwise;
}

json_t *summary_headline(const json_t *channel, const tally *counted)
{
    const char *state = text(channel, "state", "");
    const json_t *list = json_object_get(channel, "list");

    if (strcmp(state, "READY") == 0) {
        return json_sprintf("READY: %s picks from %zu of %zu endpoints",
                            text(channel, "policy", "nobody"),
                            counted->n_picked, counted->n_listed);
    }
    if (strcmp(state, "IDLE") == 0) {
        return json_string("IDLE: nobody has used it for long; the next call "
                           "wakes it up");
    }
    if (strcmp(state, "CONNECTING") == 0 &&
        json_integer_value(json_object_get(list, "generation")) == 0) {
        return json_string("CONNECTING: the source has not answered yet");
    }
    if (strcmp(state, "CONNECTING") == 0) {
        return json_sprintf("CONNECTING: none of %zu endpoints is READY yet",
                            counted->n_listed);
    }
    return json_sprintf("%s: %s", state, text(channel, "reason", "no reason"));
}

/* ---- notes ---- */

static json_t *list_note(const json_t *list)
{
    const char *failure = text(list, "failure", NULL);
    const period age = period_of_ms(
        (uint64_t)json_integer_value(json_object_get(list, "age_ms")));

    if (!json_is_object(list)) {
        return json_string("There is no list of endpoints");
    }
    if (json_integer_value(json_object_get(list, "generation")) == 0) {
        return failure == NULL
                   ? json_string("There is no list of endpoints yet")
                   : json_sprintf("There is no list of endpoints: %s", failure);
    }
    if (json_is_true(json_object_get(list, "held"))) {
        return json_sprintf("The source lists nothing; the list of %s ago is "
                            "held",
                            age.text);
    }
    if (json_is_true(json_object_get(list, "stale"))) {
        return json_sprintf("The list is stale, confirmed %s ago: %s", age.text,
                            failure == NULL ? "the source fails" : failure);
    }
    return json_sprintf("The list is fresh, confirmed %s ago", age.text);
}

static json_t *policy_note(const json_t *channel)
{
    const char *policy = text(channel, "policy", NULL);
    const char *former = text(channel, "former_policy", NULL);
    const json_t *config = json_object_get(channel, "policy_config");
    char *shown =
        json_object_size(config) == 0 ? NULL : json_dumps(config, JSON_COMPACT);
    json_t *note = json_null();

    if (policy != NULL) {
        note =
            json_sprintf("The policy is %s%s%s%s%s", policy,
                         shown == NULL ? "" : " ", shown == NULL ? "" : shown,
                         former == NULL ? "" : "; until it can serve: ",
                         former == NULL ? "" : former);
    }
    free(shown);
    return note;
}

/* null when there is nothing to say: all have the same. */
static json_t *priority_note(const json_t *channel)
{
    const json_t *served = json_object_get(channel, "priority");
    const json_t *endpoints = json_object_get(channel, "endpoints");
    const json_t *first =
        json_object_get(json_array_get(endpoints, 0), "priority");
    bool differ = false;
    size_t index;
    const json_t *endpoint;

    json_array_foreach(endpoints, index, endpoint)
    {
        differ |= json_integer_value(json_object_get(endpoint, "priority")) !=
                  json_integer_value(first);
    }
    if (!differ) {
        return json_null();
    }
    return json_is_integer(served)
               ? json_sprintf("Priority %" JSON_INTEGER_FORMAT " is in use",
                              json_integer_value(served))
               : json_string("Priorities are left to the policy");
}

static json_t *config_note(const json_t *config)
{
    const char *refusal = text(config, "refusal", NULL);
    const char *source = text(config, "source", NULL);

    if (refusal == NULL) {
        return json_null();
    }
    return json_sprintf("The service config of the source is refused: %s; %s%s",
                        refusal,
                        source == NULL ? "none"
                                       : "the last valid one "
                                         "of the ",
                        source == NULL ? " is in force" : source);
}

/* "name" or "name{zone=a}", and the value. */
static void write_counter(FILE *out, const json_t *counter)
{
    const char *separator = "{";
    const char *key;
    json_t *label;

    (void)fputs(text(counter, "name", "?"), out);
    json_object_foreach(json_object_get(counter, "labels"), key, label)
    {
        (void)fprintf(out, "%s%s=%s", separator, key, json_string_value(label));
        separator = ",";
    }
    (void)fprintf(out, "%s %" JSON_INTEGER_FORMAT,
                  separator[0] == ',' ? "}" : "",
                  json_integer_value(json_object_get(counter, "value")));
}

static json_t *counter_note(const json_t *counters)
{
    char *buffer = NULL;
    size_t size = 0;
    FILE *out;
    size_t index;
    const json_t *counter;
    json_t *note;

    if (json_array_size(counters) == 0) {
        return json_null();
    }
    out = open_memstream(&buffer, &size);
    if (out == NULL) {
        return NULL;
    }
    json_array_foreach(counters, index, counter)
    {
        (void)fputs(index == 0 ? "The policy has counted " : ", ", out);
        write_counter(out, counter);
    }
    note = fclose(out) == 0 ? json_string(buffer) : NULL;
    free(buffer);
    return note;
}

json_t *summary_notes(const json_t *channel)
{
    json_t *notes = json_array();
    json_t *all[] = {
        list_note(json_object_get(channel, "list")),
        policy_note(channel),
        priority_note(channel),
        config_note(json_object_get(channel, "service_config")),
        counter_note(json_object_get(channel, "counters")),
    };
    bool failed = false;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (json_is_null(all[i])) {
            json_decref(all[i]);
        } else if (json_array_append_new(notes, all[i]) != 0) {
            failed = true;
        }
    }
    if (failed) {
        json_decref(notes);
        return NULL;
    }
    return notes;
}
