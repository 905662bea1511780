/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario played with one policy after the other. */
#include "comparison.h"

#include <muster/testkit.h>

#include <stdlib.h>

#include "plot.h"
#include "world.h"

/* ---- which policies ---- */

/* An alias only repeats another's row. */
static bool is_alias(const policies *known, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (known->classes[k]->create == known->classes[i]->create) {
            return true;
        }
    }
    return false;
}

/* Such a policy is played when it is asked for. */
static bool needs_settings(const policies *known, size_t i)
{
    const muster_testkit_balancer_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = known->classes[i],
        .children = known->classes,
        .n_children = (uint32_t)known->n};
    muster_testkit_balancer *kit = NULL;
    muster_status status = muster_testkit_balancer_create(&options, &kit, NULL);

    muster_testkit_balancer_destroy(kit);
    return status == MUSTER_INVAL;
}

/* All that a scenario without settings can compare. */
static json_t *name_all(const policies *known)
{
    json_t *names = json_array();

    for (size_t i = 0; i < known->n; i++) {
        if (!is_alias(known, i) && !needs_settings(known, i)) {
            (void)json_array_append_new(names,
                                        json_string(known->classes[i]->name));
        }
    }
    return names;
}

static muster_status read_choices(comparison *self, const json_t *wanted,
                                  muster_error *err)
{
    size_t n = json_array_size(wanted);

    self->choices = calloc(n + 1, sizeof *self->choices);
    self->measures = calloc(n + 1, sizeof *self->measures);
    if (self->choices == NULL || self->measures == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    for (; self->n < n; self->n++) {
        muster_status status = policy_choice_read(
            json_array_get(wanted, self->n), &self->choices[self->n], err);

        if (status != MUSTER_OK) {
            return status;
        }
    }
    return MUSTER_OK;
}

static muster_status choose(comparison *self, const json_t *wanted,
                            muster_error *err)
{
    json_t *all;
    muster_status status;

    if (wanted == NULL) {
        wanted = self->scenario.policies;
    }
    if (wanted != NULL) {
        return read_choices(self, wanted, err);
    }
    all = name_all(&self->known);
    status = read_choices(self, all, err);
    json_decref(all);
    return status;
}

/* ---- playing ---- */

static muster_status play(comparison *self, size_t i, muster_error *err)
{
    fleet_calls calls = {.of = NULL};
    muster_status status = world_play(&self->scenario, &self->known,
                                      &self->choices[i], &calls, err);

    if (status == MUSTER_OK &&
        !measure_calls(&self->measures[i], &calls, &self->scenario)) {
        status = muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    free(calls.of);
    return status;
}

static muster_status play_all(comparison *self, const json_t *wanted,
                              muster_error *err)
{
    muster_status status = policies_open(&self->known, err);

    if (status == MUSTER_OK) {
        status = choose(self, wanted, err);
    }
    for (size_t i = 0; i < self->n && status == MUSTER_OK; i++) {
        status = play(self, i, err);
    }
    return status;
}

muster_status comparison_run(comparison *ret_comparison, const char *text,
                             size_t size, const json_t *wanted,
                             const char *seed, muster_error *err)
{
    comparison self = {.n = 0};
    muster_status status = scenario_parse(text, size, &self.scenario, err);

    if (status != MUSTER_OK) {
        return status;
    }
    if (seed != NULL) {
        self.scenario.seed = strtoull(seed, NULL, 10);
    }
    status = play_all(&self, wanted, err);
    if (status != MUSTER_OK) {
        comparison_release(&self);
        return status;
    }
    *ret_comparison = self;
    return MUSTER_OK;
}

void comparison_release(comparison *self)
{
    for (size_t i = 0; i < self->n; i++) {
        policy_choice_release(&self->choices[i]);
        measure_release(&self->measures[i]);
    }
    free(self->choices);
    free(self->measures);
    policies_release(&self->known);
    scenario_release(&self->scenario);
}

/* ---- telling ---- */

/* What the least and the most loaded server got, against the mean. */
static void write_load(const measure *measured, char *buffer, size_t size)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    uint64_t sum = 0;
    double mean;

    for (size_t i = 0; i < measured->n_servers; i++) {
        uint64_t n = measured->placed[i];

        least = n < least ? n : least;
        most = n > most ? n : most;
        sum += n;
    }
    mean = sum == 0 ? 1 : (double)sum / (double)measured->n_servers;
    (void)snprintf(buffer, size, "%.2f-%.2f", (double)least / mean,
                   (double)most / mean);
}

static json_t *list_placed(const measure *measured)
{
    json_t *array = json_array();

    for (size_t i = 0; i < measured->n_servers; i++) {
        (void)json_array_append_new(
            array, json_integer((json_int_t)measured->placed[i]));
    }
    return array;
}

static json_t *list_windows(const measure *measured, double duration_s)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < MEASURE_WINDOWS; i++) {
        const measure_window *window = &measured->windows[i];

        (void)json_array_append_new(
            array,
            json_pack("{s:f, s:i, s:i, s:f, s:f}", "at_s",
                      duration_s * i / MEASURE_WINDOWS, "calls",
                      (int)window->n_calls, "lost", (int)window->n_lost,
                      "p50_ms", window->p50_ms, "p99_ms", window->p99_ms));
    }
    return array;
}

static double duration_s(const comparison *self)
{
    return (double)self->scenario.duration_ns / 1e9;
}

static json_t *tell(const comparison *self, size_t i)
{
    const measure *measured = &self->measures[i];
    char load[64];

    write_load(measured, load, sizeof load);
    return json_pack(
        "{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:o, s:o}",
        "policy", self->choices[i].label, "calls",
        (json_int_t)measured->n_calls, "lost", (json_int_t)measured->n_lost,
        "mean_ms", measured->mean_ms, "p50_ms", measured->p50_ms, "p90_ms",
        measured->p90_ms, "p99_ms", measured->p99_ms, "p999_ms",
        measured->p999_ms, "max_ms", measured->max_ms, "load", load,
        "endpoint_calls", list_placed(measured), "windows",
        list_windows(measured, duration_s(self)));
}

json_t *comparison_rows(const comparison *self)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < self->n; i++) {
        if (json_array_append_new(rows, tell(self, i)) != 0) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

bool comparison_plot(const comparison *self, const char *title, FILE *out)
{
    plot_series *series = calloc(self->n + 1, sizeof *series);
    bool is_written;

    if (series == NULL) {
        return false;
    }
    for (size_t i = 0; i < self->n; i++) {
        series[i] = (plot_series){self->choices[i].label, &self->measures[i]};
    }
    is_written = plot_write(out, title, duration_s(self), series, self->n);
    free(series);
    return is_written;
}
