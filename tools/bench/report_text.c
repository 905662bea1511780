/* SPDX-License-Identifier: Apache-2.0 */
/* A benchmark's figures for people. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../clean.h"
#include "report.h"

enum { BAR_WIDTH = 40 };

static const output_column endpoint_columns[] = {
    {"ENDPOINT", "endpoint", 0},
    {"CALLS", "calls", 0},
    {"SHARE-%", "share_percent", 0},
    {"ERRORS", "errors", 0},
    {"P50-MS", "p50_ms", 0},
    {"P99-MS", "p99_ms", 0},
    {NULL, NULL, 0},
};

static const output_column status_columns[] = {
    {"STATUS", "status", 0},
    {"CALLS", "calls", 0},
    {"MESSAGE", "message", 0},
    {NULL, NULL, 0},
};

static const output_column threshold_columns[] = {
    {"FAIL-ON", "fail_on", 0},
    {"VALUE", "value", 0},
    {"RESULT", "result", 0},
    {NULL, NULL, 0},
};

static double real_of(const json_t *model, const char *key)
{
    return json_number_value(json_object_get(model, key));
}

static long long integer_of(const json_t *model, const char *key)
{
    return (long long)json_integer_value(json_object_get(model, key));
}

/* ---- counts ---- */

/* What is only worth a line when there is any. */
static void write_oddities(FILE *out, const json_t *model)
{
    const long long n_calls = integer_of(model, "calls");
    const long long n_attempts = integer_of(model, "attempts");

    if (n_attempts > n_calls) {
        (void)fprintf(out, "  Retries    %lld\n", n_attempts - n_calls);
    }
    if (integer_of(model, "late") > 0) {
        (void)fprintf(out,
                      "  Late       %lld begun over 1 ms after they were due, "
                      "%.4g ms at most\n",
                      integer_of(model, "late"),
                      real_of(model, "longest_delay_ms"));
    }
    if (integer_of(model, "unsent") > 0) {
        (void)fprintf(out,
                      "  Unsent     %lld were due, but %lld calls were out: "
                      "raise --concurrency\n",
                      integer_of(model, "unsent"),
                      integer_of(model, "concurrency"));
    }
    if (integer_of(model, "cancelled") > 0) {
        (void)fprintf(out, "  Cancelled  %lld, by the interruption\n",
                      integer_of(model, "cancelled"));
    }
}

static void write_counts(FILE *out, const json_t *model)
{
    (void)fprintf(out, "  Calls      %lld\n", integer_of(model, "calls"));
    (void)fprintf(out, "  Errors     %lld\n", integer_of(model, "errors"));
    write_oddities(out, model);
    (void)fprintf(out, "  Time       %.4g s\n",
                  real_of(model, "time_ms") / 1000);
    (void)fprintf(out, "  Calls/s    %.5g\n", real_of(model, "calls_per_s"));
}

static void write_latencies(FILE *out, const json_t *model)
{
    json_t *latencies = json_object_get(model, "latency_ms");
    const char *name;
    json_t *value;

    if (json_object_size(latencies) > 0) {
        (void)fputc('\n', out);
    }
    json_object_foreach(latencies, name, value)
    {
        (void)fprintf(out, "  %-9s  %.4g ms\n",
                      strcmp(name, "p999") == 0 ? "p99.9" : name,
                      json_real_value(value));
    }
}

/* ---- the histogram ---- */

static void write_bar(FILE *out, const json_t *bar, double most)
{
    const double n = real_of(bar, "calls");
    int width = (int)lround(BAR_WIDTH * n / most);

    (void)fprintf(out, "  %8.4g ms  %8.0f  ", real_of(bar, "until_ms"), n);
    width = n > 0 && width == 0 ? 1 : width;
    while (width-- > 0) {
        (void)fputc('#', out);
    }
    (void)fputc('\n', out);
}

static void write_histogram(FILE *out, const json_t *bars)
{
    double most = 1;
    size_t index;
    json_t *bar;

    json_array_foreach(bars, index, bar)
    {
        most = fmax(most, real_of(bar, "calls"));
    }
    if (json_array_size(bars) > 0) {
        (void)fputs("\nUp to          Calls\n", out);
    }
    json_array_foreach(bars, index, bar)
    {
        write_bar(out, bar, most);
    }
}

/* ---- tables ---- */

static bool write_table(FILE *out, const output *format, json_t *model,
                        const char *key, const output_column *columns)
{
    const output_report report = {model, key, columns, NULL};
    output own = *format;

    (void)fputc('\n', out);
    return output_write_table(out, &own, &report);
}

static void write_fairness(FILE *out, const json_t *model)
{
    const long long n_listed = integer_of(model, "endpoints_listed");
    const json_t *fairness = json_object_get(model, "fairness");

    if (json_is_real(fairness) && n_listed > 1) {
        (void)fprintf(out,
                      "The most called got %.4g times the calls of the least "
                      "called.\n",
                      json_real_value(fairness));
    } else if (n_listed > 1) {
        (void)fprintf(out, "%lld are listed: not all got calls.\n", n_listed);
    }
}

/* The word that a person reads where the JSON has a boolean. */
static void name_results(json_t *rows)
{
    size_t index;
    json_t *row;

    json_array_foreach(rows, index, row)
    {
        const bool is_hit = json_is_true(json_object_get(row, "is_hit"));

        (void)json_object_set_new(row, "result",
                                  json_string(is_hit ? "failure" : "ok"));
    }
}

static bool write_tables(FILE *out, const output *format, json_t *model)
{
    json_t *limits = json_object_get(model, "thresholds");

    if (!write_table(out, format, model, "endpoints", endpoint_columns)) {
        return false;
    }
    write_fairness(out, model);
    name_results(limits);
    return write_table(out, format, model, "statuses", status_columns) &&
           (json_array_size(limits) == 0 ||
            write_table(out, format, model, "thresholds", threshold_columns));
}

bool report_write(FILE *out, output *format, const json_t *model)
{
    json_t *copy = json_deep_copy(model);
    char *title = NULL;
    bool is_written = false;

    if (copy != NULL &&
        asprintf(&title, "%s %s",
                 json_string_value(json_object_get(model, "target")),
                 json_string_value(json_object_get(model, "method"))) >= 0) {
        clean_text(title);
        (void)fprintf(out, "%s\n", title);
        write_counts(out, model);
        write_latencies(out, model);
        write_histogram(out, json_object_get(model, "histogram"));
        is_written = write_tables(out, format, copy);
        free(title);
    }
    json_decref(copy);
    return is_written;
}
