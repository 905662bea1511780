/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the calls of a simulation. */
#include "measure.h"

#include <math.h>
#include <stdlib.h>

#define CURVE_STEPS 16 /* for each nine */

double measure_curve_share(unsigned i)
{
    return 1 - pow(10, -(double)i / CURVE_STEPS);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static double share_of(const double *sorted, size_t n, double share)
{
    size_t at = (size_t)ceil(share * (double)n);

    if (n == 0) {
        return 0;
    }
    return sorted[at == 0 ? 0 : at > n ? n - 1 : at - 1];
}

/* Sorted latencies of the calls from first to before end that went well. */
static size_t collect(const fleet_calls *calls, size_t first, size_t end,
                      double *latencies)
{
    size_t n = 0;

    for (size_t i = first; i < end; i++) {
        const fleet_call *call = &calls->of[i];

        if (call->end_ns != 0 && !call->is_lost) {
            latencies[n++] = (double)(call->end_ns - call->begin_ns) / 1e6;
        }
    }
    qsort(latencies, n, sizeof *latencies, compare);
    return n;
}

static void measure_windows(measure *self, const fleet_calls *calls,
                            uint64_t duration_ns, double *latencies)
{
    size_t first = 0;

    for (unsigned i = 0; i < MEASURE_WINDOWS; i++) {
        measure_window *window = &self->windows[i];
        uint64_t end_ns = duration_ns / MEASURE_WINDOWS * (i + 1);
        size_t end = first;
        size_t n;

        while (end < calls->n &&
               (calls->of[end].begin_ns < end_ns || i == MEASURE_WINDOWS - 1)) {
            end++;
        }
        n = collect(calls, first, end, latencies);
        window->n_calls = (uint32_t)(end - first);
        window->n_lost = (uint32_t)(end - first - n);
        window->p50_ms = share_of(latencies, n, .5);
        window->p99_ms = share_of(latencies, n, .99);
        first = end;
    }
}

static double mean_of(const double *values, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return n == 0 ? 0 : sum / (double)n;
}

static void measure_all(measure *self, const fleet_calls *calls,
                        double *latencies)
{
    size_t n = collect(calls, 0, calls->n, latencies);

    self->n_calls = calls->n;
    self->n_lost = calls->n - n;
    self->mean_ms = mean_of(latencies, n);
    self->p50_ms = share_of(latencies, n, .5);
    self->p90_ms = share_of(latencies, n, .9);
    self->p99_ms = share_of(latencies, n, .99);
    self->p999_ms = share_of(latencies, n, .999);
    self->max_ms = share_of(latencies, n, 1);
    for (unsigned i = 0; i < MEASURE_CURVE; i++) {
        self->curve_ms[i] = share_of(latencies, n, measure_curve_share(i));
    }
}

bool measure_calls(measure *self, const fleet_calls *calls,
                   const scenario *plan)
{
    double *latencies = calloc(calls->n + 1, sizeof *latencies);

    *self = (measure){.n_servers = plan->n_servers};
    self->placed = calloc(plan->n_servers, sizeof *self->placed);
    if (latencies == NULL || self->placed == NULL) {
        free(latencies);
        return false;
    }
    for (size_t i = 0; i < calls->n; i++) {
        if (calls->of[i].server != FLEET_NOBODY) {
            self->placed[calls->of[i].server]++;
        }
    }
    measure_windows(self, calls, plan->duration_ns, latencies);
    measure_all(self, calls, latencies);
    free(latencies);
    return true;
}

void measure_release(measure *self)
{
    free(self->placed);
}
