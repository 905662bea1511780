/* SPDX-License-Identifier: Apache-2.0 */
/* Why the endpoints of a channel are picked, or are not: as a document. */
#include "explanation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../clean.h"
#include "reason.h"
#include "summary.h"

static const output_column columns[] = {
    {"ENDPOINT", "address", 0},
    {"PICKED", "picked", 0},
    {"STATE", "state", 0},
    {"PRIORITY", "priority", 0},
    {"WEIGHT", "weight", 0},
    {"WHY", "why", 0},
    {NULL, NULL, 0},
};

/* ---- rows ---- */

static json_t *row_of(const json_t *channel, json_t *endpoint, tally *counted)
{
    static const char *const kept[] = {"address",
                                       "connected_address",
                                       "id",
                                       "state",
                                       "health",
                                       "weight",
                                       "priority",
                                       "zone",
                                       "listed",
                                       "ejected",
                                       "in_flight",
                                       "last_failure",
                                       "backoff_left_ms"};
    const reason why = reason_of(channel, endpoint);
    json_t *row =
        json_pack("{s:O?, s:b, s:s, s:o}", "address",
                  json_object_get(endpoint, "address"), "picked",
                  (int)why.is_picked, "cause", why.cause, "why", why.sentence);

    for (size_t i = 0; row != NULL && i < sizeof kept / sizeof kept[0]; i++) {
        json_t *value = json_object_get(endpoint, kept[i]);
        if (value != NULL && json_object_set(row, kept[i], value) != 0) {
            json_decref(row);
            row = NULL;
        }
    }
    counted->n_picked += why.is_picked ? 1 : 0;
    counted->n_listed += json_is_true(json_object_get(endpoint, "listed"));
    return row;
}

static int compare(const void *left_item, const void *right_item)
{
    const json_t *left = *(json_t *const *)left_item;
    const json_t *right = *(json_t *const *)right_item;
    const json_int_t left_priority =
        json_integer_value(json_object_get(left, "priority"));
    const json_int_t right_priority =
        json_integer_value(json_object_get(right, "priority"));
    const char *left_address =
        json_string_value(json_object_get(left, "address"));
    const char *right_address =
        json_string_value(json_object_get(right, "address"));

    if (left_priority != right_priority) {
        return left_priority < right_priority ? -1 : 1;
    }
    return strverscmp(left_address == NULL ? "" : left_address,
                      right_address == NULL ? "" : right_address);
}

static json_t *array_of(json_t **rows, size_t n)
{
    json_t *array = json_array();
    bool failed = array == NULL;

    for (size_t i = 0; i < n; i++) {
        failed |= json_array_append_new(array, rows[i]) != 0;
    }
    if (failed) {
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *rows_of(const json_t *channel, tally *counted)
{
    const json_t *endpoints = json_object_get(channel, "endpoints");
    const size_t n = json_array_size(endpoints);
    json_t **rows = calloc(n + 1, sizeof *rows);
    json_t *array;

    if (rows == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        rows[i] = row_of(channel, json_array_get(endpoints, i), counted);
    }
    qsort(rows, n, sizeof *rows, compare);
    array = array_of(rows, n);
    free(rows);
    return array;
}

/* ---- the document ---- */

json_t *explanation_of(const json_t *channel)
{
    tally counted = {0, 0};
    json_t *rows = rows_of(channel, &counted);

    return json_pack(
        "{s:i, s:O?, s:O?, s:O?, s:o, s:o, s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, "
        "s:O?, s:I, s:I, s:o}",
        "schema_version", OUTPUT_SCHEMA_VERSION, "channel",
        json_object_get(channel, "id"), "target",
        json_object_get(channel, "target"), "channel_state",
        json_object_get(channel, "state"), "headline",
        summary_headline(channel, &counted), "notes", summary_notes(channel),
        "reason", json_object_get(channel, "reason"), "policy",
        json_object_get(channel, "policy"), "policy_config",
        json_object_get(channel, "policy_config"), "former_policy",
        json_object_get(channel, "former_policy"), "served_priority",
        json_object_get(channel, "priority"), "service_config",
        json_object_get(channel, "service_config"), "list",
        json_object_get(channel, "list"), "n_listed",
        (json_int_t)counted.n_listed, "n_picked", (json_int_t)counted.n_picked,
        "endpoints", rows);
}

static bool write_line(const json_t *line)
{
    char *text = strdup(json_string_value(line));

    if (text == NULL) {
        return false;
    }
    clean_text(text);
    (void)puts(text);
    free(text);
    return true;
}

/* What is above the table. False: out of memory. */
static bool write_text(const json_t *explanation)
{
    bool is_done = write_line(json_object_get(explanation, "target")) &&
                   write_line(json_object_get(explanation, "headline"));
    size_t index;
    const json_t *note;

    json_array_foreach(json_object_get(explanation, "notes"), index, note)
    {
        is_done = is_done && write_line(note);
    }
    if (json_array_size(json_object_get(explanation, "endpoints")) > 0) {
        (void)puts("");
    }
    return is_done;
}

static exit_code code_of(const json_t *explanation)
{
    const json_t *list = json_object_get(explanation, "list");
    const bool has_endpoints =
        json_array_size(json_object_get(explanation, "endpoints")) > 0;

    if (json_integer_value(json_object_get(explanation, "n_picked")) > 0) {
        return EXIT_CODE_OK;
    }
    return !has_endpoints &&
                   json_integer_value(json_object_get(list, "generation")) > 0
               ? EXIT_CODE_NO_ENDPOINTS
               : EXIT_CODE_SOURCE;
}

exit_code explanation_write(output *self, json_t *explanation)
{
    static const char *const name[] = {"address", "cause", NULL};
    const output_report report = {explanation, "endpoints", columns, name};
    const bool is_table = self->format == OUTPUT_TABLE;
    exit_code code;

    if (explanation == NULL || (is_table && !write_text(explanation))) {
        return command_fail(EXIT_CODE_FAILURE, "explain", "out of memory");
    }
    if (is_table &&
        json_array_size(json_object_get(explanation, "endpoints")) == 0) {
        self->is_header_due = false; /* of no rows */
    }
    code = output_write(self, &report);
    return code != EXIT_CODE_OK ? code : code_of(explanation);
}
