/* SPDX-License-Identifier: Apache-2.0 */
/* Reads conditions, and compares a run with them. */
#include "threshold.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIGURES                                                                \
    "errors, unsent, rps, fairness, fastest, average, slowest, or a "          \
    "percentile like p99 or p99.9"

typedef enum unit { COUNT, SHARE_OR_COUNT, NUMBER, TIME } unit;

struct threshold_figure {
    const char *name;
    unit unit;
    double (*read)(const threshold *self, const run_outcome *outcome);
};

/* ---- figures ---- */

static double read_errors(const threshold *self, const run_outcome *outcome)
{
    const tally *all = &outcome->load.tally;
    const double n = (double)(all->n_calls - all->n_ok);

    if (!self->is_percent) {
        return n;
    }
    return all->n_calls == 0 ? NAN : 100 * n / (double)all->n_calls;
}

static double read_unsent(const threshold *self, const run_outcome *outcome)
{
    (void)self;
    return (double)outcome->load.n_unsent;
}

double threshold_rate(const run_outcome *outcome)
{
    return outcome->load.elapsed_ns == 0
               ? 0
               : (double)outcome->load.tally.n_ok /
                     ((double)outcome->load.elapsed_ns / 1e9);
}

static double read_rate(const threshold *self, const run_outcome *outcome)
{
    (void)self;
    return threshold_rate(outcome);
}

double threshold_fairness(const run_outcome *outcome)
{
    const tally *all = &outcome->load.tally;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    size_t n = 0;

    for (size_t i = 0; i < all->n_endpoints; i++) {
        const tally_endpoint *endpoint = all->endpoints[i];

        if (endpoint->address != NULL) {
            least = endpoint->n_calls < least ? endpoint->n_calls : least;
            most = endpoint->n_calls > most ? endpoint->n_calls : most;
            n++;
        }
    }
    if (n == 0) {
        return NAN;
    }
    return n < outcome->n_listed ? INFINITY : (double)most / (double)least;
}

static double read_fairness(const threshold *self, const run_outcome *outcome)
{
    (void)self;
    return threshold_fairness(outcome);
}

static double ms_of(const run_outcome *outcome, double duration_ns)
{
    return outcome->load.tally.n_ok == 0 ? NAN : duration_ns / 1e6;
}

static double read_fastest(const threshold *self, const run_outcome *outcome)
{
    (void)self;
    return ms_of(outcome, (double)outcome->load.tally.latency.fastest_ns);
}

static double read_average(const threshold *self, const run_outcome *outcome)
{
    (void)self;
    return ms_of(outcome, latency_average_ns(&outcome->load.tally.latency));
}

static double read_slowest(const threshold *self, const run_outcome *outcome)
{
    (void)self;
    return ms_of(outcome, (double)outcome->load.tally.latency.slowest_ns);
}

static double read_percentile(const threshold *self, const run_outcome *outcome)
{
    return ms_of(outcome,
                 latency_at(&outcome->load.tally.latency, self->share));
}

static const threshold_figure figures[] = {
    {"errors", SHARE_OR_COUNT, read_errors},
    {"unsent", COUNT, read_unsent},
    {"rps", NUMBER, read_rate},
    {"fairness", NUMBER, read_fairness},
    {"fastest", TIME, read_fastest},
    {"average", TIME, read_average},
    {"slowest", TIME, read_slowest},
    {NULL, TIME, read_percentile},
};

/* ---- the grammar ---- */

/* A number at text. False: there is none. */
static bool read_number(const char *text, double *ret_number,
                        const char **ret_end)
{
    char *end;

    if (strspn(text, "0123456789") == 0) {
        return false; /* strtod() would take signs, spaces, "inf" and "nan" */
    }
    *ret_number = strtod(text, &end);
    *ret_end = end;
    return true;
}

static bool find_percentile(threshold *self, const char *name)
{
    const char *end;
    double percent;

    if (name[0] != 'p' || !read_number(name + 1, &percent, &end) ||
        *end != '\0' || percent > 100) {
        return false;
    }
    self->share = percent / 100;
    return true;
}

static bool find_figure(threshold *self, const char *name)
{
    size_t i = 0;

    while (figures[i].name != NULL && strcmp(figures[i].name, name) != 0) {
        i++;
    }
    self->figure = &figures[i];
    return figures[i].name != NULL || find_percentile(self, name);
}

static bool read_time(threshold *self, const char *end)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"us", 1e-3}, {"ms", 1}, {"s", 1e3}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i].name, end) == 0) {
            self->limit *= units[i].ms;
            return true;
        }
    }
    return false;
}

static const char *wanted_of(const threshold *self)
{
    switch (self->figure->unit) {
    case TIME:
        return "a time, like 5ms, 200us or 1s";
    case SHARE_OR_COUNT:
        return "a number or a share of the calls, like 0 or 1%";
    default:
        return "a number";
    }
}

static bool read_limit(threshold *self, const char *text)
{
    const char *end;

    if (!read_number(text, &self->limit, &end)) {
        return false;
    }
    if (self->figure->unit == TIME) {
        return read_time(self, end);
    }
    self->is_percent =
        self->figure->unit == SHARE_OR_COUNT && strcmp(end, "%") == 0;
    return *end == '\0' || self->is_percent;
}

static bool parse(threshold *self, muster_error *err)
{
    const size_t n_name = strcspn(self->text, "<>=! ");
    const char *at = self->text + n_name;
    const size_t n_comparison = strspn(at, "<>=!");
    char name[THRESHOLD_MAX_TEXT];

    memcpy(name, self->text, n_name);
    name[n_name] = '\0';
    if (!find_figure(self, name)) {
        (void)muster_error_set(err, MUSTER_INVAL,
                               "\"%s\": no figure \"%s\": say " FIGURES,
                               self->text, name);
        return false;
    }
    if (n_comparison < 1 || n_comparison > 2 || (*at != '<' && *at != '>') ||
        (n_comparison == 2 && at[1] != '=')) {
        (void)muster_error_set(
            err, MUSTER_INVAL,
            "\"%s\": after \"%s\" comes <, <=, > or >=", self->text, name);
        return false;
    }
    memcpy(self->comparison, at, n_comparison);
    if (!read_limit(self, at + n_comparison)) {
        (void)muster_error_set(err, MUSTER_INVAL, "\"%s\": \"%s\" is not %s",
                               self->text, at + n_comparison, wanted_of(self));
        return false;
    }
    return true;
}

bool thresholds_add(thresholds *self, const char *text, muster_error *err)
{
    for (;;) {
        const size_t length = strcspn(text, ",");
        threshold next = {.figure = NULL};

        if (self->n == THRESHOLD_MAX || length >= sizeof next.text) {
            (void)muster_error_set(err, MUSTER_INVAL,
                                   "at most %d conditions, each shorter than "
                                   "%d characters",
                                   (int)THRESHOLD_MAX, (int)THRESHOLD_MAX_TEXT);
            return false;
        }
        memcpy(next.text, text, length);
        if (!parse(&next, err)) {
            return false;
        }
        self->of[self->n++] = next;
        if (text[length] == '\0') {
            return true;
        }
        text += length + 1;
    }
}

/* ---- the comparison ---- */

const char *threshold_unit(const threshold *self)
{
    if (self->figure->unit == TIME) {
        return " ms";
    }
    return self->is_percent ? " %" : "";
}

bool threshold_is_hit(const threshold *self, const run_outcome *outcome,
                      double *ret_value)
{
    const double value = self->figure->read(self, outcome);
    const bool has_equal = self->comparison[1] == '=';

    *ret_value = value;
    if (isnan(value)) {
        return true;
    }
    if (has_equal && value == self->limit) {
        return true;
    }
    return self->comparison[0] == '<' ? value < self->limit
                                      : value > self->limit;
}
