/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot as a JSON document. */
#include "document.h"

#include "../model.h"
#include "../output.h"

/* null: none. */
static json_t *rate_of(double rate)
{
    return rate < 0 ? json_null() : json_real(rate);
}

static json_t *total_line(const top_snapshot *snapshot)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:I}", "line", "total",
                     "targets", (json_int_t)snapshot->n_targets, "endpoints",
                     (json_int_t)snapshot->n_endpoints, "listed",
                     (json_int_t)snapshot->n_listed, "ready",
                     (json_int_t)snapshot->n_ready, "calls_per_s",
                     rate_of(snapshot->rate), "in_flight",
                     (json_int_t)snapshot->in_flight);
}

static const char *list_state(const top_target *target)
{
    if (!target->has_list) {
        return NULL;
    }
    if (target->is_stale) {
        return "stale";
    }
    return target->is_held ? "held" : "fresh";
}

static json_t *target_line(const top_target *target)
{
    return json_pack(
        "{s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:I}",
        "line", "target", "target", model_text(target->name), "channel",
        (json_int_t)target->id, "state", model_text(target->state), "policy",
        model_text(target->policy), "list", model_text(list_state(target)),
        "age_ms",
        target->has_list ? json_integer((json_int_t)target->age_ms)
                         : json_null(),
        "failure", model_text(target->failure), "endpoints",
        (json_int_t)target->n_endpoints, "listed", (json_int_t)target->n_listed,
        "ready", (json_int_t)target->n_ready, "calls_per_s",
        rate_of(target->rate), "in_flight", (json_int_t)target->in_flight);
}

static json_t *endpoint_line(const top_target *target,
                             const top_endpoint *endpoint)
{
    return json_pack(
        "{s:s, s:o, s:I, s:o, s:I, s:o, s:I, s:o, s:o, s:I, s:I, s:I, s:o}",
        "line", "endpoint", "target", model_text(target->name), "channel",
        (json_int_t)target->id, "address", model_text(endpoint->address), "id",
        (json_int_t)endpoint->id, "state", model_text(endpoint->state), "calls",
        (json_int_t)endpoint->calls, "calls_per_s", rate_of(endpoint->rate),
        "share", rate_of(endpoint->share), "in_flight",
        (json_int_t)endpoint->in_flight, "weight", (json_int_t)endpoint->weight,
        "backoff_left_ms", (json_int_t)endpoint->backoff_left_ms, "reason",
        model_text(endpoint->reason));
}

static bool add_target(json_t *lines, const top_target *target,
                       bool has_endpoints_only)
{
    if (!has_endpoints_only &&
        json_array_append_new(lines, target_line(target)) != 0) {
        return false;
    }
    for (size_t i = 0; i < target->n_endpoints; i++) {
        if (json_array_append_new(
                lines, endpoint_line(target, &target->endpoints[i])) != 0) {
            return false;
        }
    }
    return true;
}

static json_t *lines_of(const top_snapshot *snapshot, bool has_endpoints_only)
{
    json_t *lines = json_array();
    bool is_whole = lines != NULL &&
                    (has_endpoints_only ||
                     json_array_append_new(lines, total_line(snapshot)) == 0);

    for (size_t i = 0; is_whole && i < snapshot->n_targets; i++) {
        is_whole = add_target(lines, &snapshot->targets[i], has_endpoints_only);
    }
    if (!is_whole) {
        json_decref(lines);
        return NULL;
    }
    return lines;
}

json_t *top_document(const top_snapshot *snapshot, bool has_endpoints_only)
{
    return json_pack(
        "{s:i, s:o, s:I, s:o, s:I, s:o}", "schema_version",
        OUTPUT_SCHEMA_VERSION, "muster", model_text(snapshot->version), "pid",
        (json_int_t)snapshot->pid, "program", model_text(snapshot->program),
        "time_ms", (json_int_t)snapshot->time_ms, "lines",
        lines_of(snapshot, has_endpoints_only));
}
