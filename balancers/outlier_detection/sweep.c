/* SPDX-License-Identifier: Apache-2.0 */
/* What happens at each interval: the two algorithms of gRFC A50. */
#include "sweep.h"

#include <math.h>

/* What adding up success rates may be off by: among endpoints that are all the
 * same there is no outlier. */
#define ROUNDING 1e-12

/* The counts of the interval that ended, which are judged; those of the next
 * one begin at 0. No call is lost between the two. */
static void swap_counts(outlier_record *record)
{
    record->n_succeeded = atomic_exchange_explicit(&record->counts->n_succeeded,
                                                   0, memory_order_relaxed);
    record->n_failed = atomic_exchange_explicit(&record->counts->n_failed, 0,
                                                memory_order_relaxed);
}

/* An endpoint without a call has no rate. */
static bool has_volume(const outlier_record *record, uint32_t request_volume)
{
    uint64_t n = record->n_succeeded + record->n_failed;

    return n > 0 && n >= request_volume;
}

/* ---- success rate ---- */

static double rate_of(const outlier_record *record)
{
    return (double)record->n_succeeded /
           (double)(record->n_succeeded + record->n_failed);
}

/* The least success rate that is no outlier: mean - stdev * factor, of those
 * with volume; none (a negative one) when they are too few. */
static double required_rate(const outlier_roster *roster,
                            const outlier_rule *rule)
{
    double sum = 0;
    double squares = 0;
    size_t n = 0;
    double mean;

    for (size_t i = 0; i < roster->n; i++) {
        if (has_volume(&roster->records[i], rule->request_volume)) {
            sum += rate_of(&roster->records[i]);
            n++;
        }
    }
    if (n == 0 || n < rule->minimum_hosts) {
        return -1;
    }
    mean = sum / (double)n;
    for (size_t i = 0; i < roster->n; i++) {
        if (has_volume(&roster->records[i], rule->request_volume)) {
            double off = rate_of(&roster->records[i]) - mean;

            squares += off * off;
        }
    }
    return mean - sqrt(squares / (double)n) * (rule->limit / 1000.0) - ROUNDING;
}

static void judge_success_rates(outlier_roster *roster, uint64_t now_ns)
{
    const outlier_rule *rule = &roster->settings->rules[OUTLIER_SUCCESS_RATE];
    double required = required_rate(roster, rule);

    for (size_t i = 0; i < roster->n; i++) {
        outlier_record *record = &roster->records[i];

        if (has_volume(record, rule->request_volume) &&
            rate_of(record) < required) {
            outlier_roster_found(roster, record, OUTLIER_SUCCESS_RATE, now_ns);
        }
    }
}

/* ---- failure percentage ---- */

static bool fails_too_often(const outlier_record *record,
                            const outlier_rule *rule)
{
    uint64_t n = record->n_succeeded + record->n_failed;

    return record->n_failed * 100 > n * rule->limit;
}

static void judge_failure_percentages(outlier_roster *roster, uint64_t now_ns)
{
    const outlier_rule *rule =
        &roster->settings->rules[OUTLIER_FAILURE_PERCENTAGE];

    if (roster->n < rule->minimum_hosts) {
        return;
    }
    for (size_t i = 0; i < roster->n; i++) {
        outlier_record *record = &roster->records[i];

        if (has_volume(record, rule->request_volume) &&
            fails_too_often(record, rule)) {
            outlier_roster_found(roster, record, OUTLIER_FAILURE_PERCENTAGE,
                                 now_ns);
        }
    }
}

/* ---- all ---- */

void outlier_sweep(outlier_roster *roster, uint64_t now_ns)
{
    const outlier_rule *rules = roster->settings->rules;

    for (size_t i = 0; i < roster->n; i++) {
        swap_counts(&roster->records[i]);
    }
    if (rules[OUTLIER_SUCCESS_RATE].is_set) {
        judge_success_rates(roster, now_ns);
    }
    if (rules[OUTLIER_FAILURE_PERCENTAGE].is_set) {
        judge_failure_percentages(roster, now_ns);
    }
    for (size_t i = 0; i < roster->n; i++) {
        outlier_roster_relax(roster, &roster->records[i], now_ns);
    }
}
