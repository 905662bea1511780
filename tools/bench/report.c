/* SPDX-License-Identifier: Apache-2.0 */
/* A benchmark's figures as JSON. */
#include "report.h"

#include <math.h>

#include "../model.h"

enum { N_BARS = 10 };

static const struct {
    const char *name;
    double share;
} percentiles[] = {
    {"p10", .10}, {"p25", .25}, {"p50", .50}, {"p75", .75},
    {"p90", .90}, {"p95", .95}, {"p99", .99}, {"p999", .999},
};

/* null for what is no number. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *ms(double duration_ns)
{
    return json_real(duration_ns / 1e6);
}

/* ---- latencies ---- */

static json_t *latencies_of(const latency *all)
{
    json_t *object;

    if (all->n == 0) {
        return json_null();
    }
    object = json_pack(
        "{s:o, s:o, s:o}", "fastest", ms((double)all->fastest_ns), "average",
        ms(latency_average_ns(all)), "slowest", ms((double)all->slowest_ns));
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        (void)json_object_set_new(object, percentiles[i].name,
                                  ms(latency_at(all, percentiles[i].share)));
    }
    return object;
}

/* Bars whose ends grow by a factor: a long tail leaves the middle in sight. */
static json_t *histogram_of(const latency *all)
{
    json_t *bars = json_array();
    const double first_ns = (double)all->fastest_ns;
    const double last_ns = (double)all->slowest_ns;
    uint64_t n_before = 0;

    for (int i = 1; all->n > 0 && i <= N_BARS; i++) {
        const double end_ns = i == N_BARS ? last_ns
                                          : first_ns * pow(last_ns / first_ns,
                                                           (double)i / N_BARS);
        const uint64_t n = latency_count(all, end_ns);

        (void)json_array_append_new(bars, json_pack("{s:o, s:o}", "until_ms",
                                                    ms(end_ns), "calls",
                                                    count(n - n_before)));
        n_before = n;
    }
    return bars;
}

/* ---- endpoints and statuses ---- */

static json_t *endpoint_of(const tally_endpoint *endpoint, uint64_t n_calls)
{
    const latency *all = &endpoint->latency;
    const bool has_any = all->n > 0;

    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o}", "endpoint",
        model_text(endpoint->address), "calls", count(endpoint->n_calls),
        "share_percent",
        json_real(round(1000 * (double)endpoint->n_calls / (double)n_calls) /
                  10),
        "errors", count(endpoint->n_errors), "p50_ms",
        has_any ? ms(latency_at(all, .5)) : json_null(), "p99_ms",
        has_any ? ms(latency_at(all, .99)) : json_null());
}

static json_t *endpoints_of(const tally *all)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < all->n_endpoints; i++) {
        (void)json_array_append_new(
            rows, endpoint_of(all->endpoints[i], all->n_calls));
    }
    return rows;
}

static json_t *statuses_of(const tally *all)
{
    json_t *rows = json_array();

    for (int i = 0; i < MUSTER__N_STATUS_CODES; i++) {
        const tally_status *status = &all->statuses[i];

        if (status->n_calls > 0) {
            (void)json_array_append_new(
                rows, json_pack("{s:s, s:i, s:o, s:o}", "status",
                                muster__status_code_name(i), "code", i, "calls",
                                count(status->n_calls), "message",
                                model_text(status->example)));
        }
    }
    return rows;
}

static json_t *thresholds_of(const thresholds *limits,
                             const run_outcome *outcome)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < limits->n; i++) {
        double value;
        const bool is_hit = threshold_is_hit(&limits->of[i], outcome, &value);

        (void)json_array_append_new(
            rows, json_pack("{s:o, s:b, s:o}", "fail_on",
                            model_text(limits->of[i].text), "is_hit", is_hit,
                            "value", number(value)));
    }
    return rows;
}

/* ---- the whole ---- */

static json_t *plan_of(const load_plan *plan)
{
    return json_pack(
        "{s:i, s:o, s:o, s:i, s:i, s:o, s:o, s:o}", "schema_version",
        OUTPUT_SCHEMA_VERSION, "target", model_text(plan->target), "method",
        model_text(plan->method), "concurrency", (int)plan->n_at_once,
        "threads", (int)plan->n_threads, "rate_per_s",
        plan->rate > 0 ? json_real(plan->rate) : json_null(), "duration_ms",
        plan->duration_ns == LOAD_NO_LIMIT ? json_null()
                                           : ms((double)plan->duration_ns),
        "requests",
        plan->n_calls == LOAD_NO_LIMIT ? json_null() : count(plan->n_calls));
}

static json_t *counts_of(const run_outcome *outcome)
{
    const load_outcome *load = &outcome->load;
    const tally *all = &load->tally;

    return json_pack(
        "{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "is_interrupted", outcome->is_interrupted, "ready_ms",
        outcome->was_ready ? ms((double)outcome->ready_ns) : json_null(),
        "calls", count(all->n_calls), "errors", count(all->n_calls - all->n_ok),
        "attempts", count(all->n_attempts), "cancelled",
        count(load->n_cancelled), "unsent", count(load->n_unsent), "late",
        count(load->n_late), "longest_delay_ms",
        ms((double)load->longest_delay_ns), "time_ms",
        ms((double)load->elapsed_ns), "calls_per_s",
        json_real(threshold_rate(outcome)));
}

json_t *report_model(const run_plan *plan, const run_outcome *outcome,
                     const thresholds *limits)
{
    const tally *all = &outcome->load.tally;
    json_t *model = plan_of(&plan->measured);
    json_t *counts = counts_of(outcome);
    json_t *rest = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "latency_ms",
        latencies_of(&all->latency), "histogram", histogram_of(&all->latency),
        "endpoints", endpoints_of(all), "endpoints_listed",
        count(outcome->n_listed), "fairness",
        number(threshold_fairness(outcome)), "statuses", statuses_of(all),
        "thresholds", thresholds_of(limits, outcome));

    if (json_object_update(model, counts) != 0 ||
        json_object_update(model, rest) != 0) {
        json_decref(model);
        model = NULL;
    }
    json_decref(counts);
    json_decref(rest);
    return model;
}
