/* SPDX-License-Identifier: Apache-2.0 */
/* Counts durations in buckets whose width grows with them. */
#include "latency.h"

#include <math.h>
#include <stddef.h>

static const uint64_t longest_ns = (UINT64_C(1) << LATENCY_MAX_BITS) - 1;

/* Up to twice 2^LATENCY_BITS each number has its bucket; from there on each
 * doubling has 2^LATENCY_BITS of them. */
static size_t bucket_of(uint64_t duration_ns)
{
    unsigned shift = 0;

    if (duration_ns > longest_ns) {
        duration_ns = longest_ns;
    }
    while (duration_ns >> shift >= UINT64_C(2) << LATENCY_BITS) {
        shift++;
    }
    return ((size_t)shift << LATENCY_BITS) + (size_t)(duration_ns >> shift);
}

/* The longest duration in it. */
static double top_of(size_t bucket)
{
    size_t shift = bucket >> LATENCY_BITS;

    shift -= shift > 0 ? 1 : 0;
    return ldexp((double)(bucket - (shift << LATENCY_BITS) + 1), (int)shift) -
           1;
}

void latency_add(latency *self, uint64_t duration_ns)
{
    if (self->n == 0 || duration_ns < self->fastest_ns) {
        self->fastest_ns = duration_ns;
    }
    if (duration_ns > self->slowest_ns) {
        self->slowest_ns = duration_ns;
    }
    self->n++;
    self->sum_ns += (double)duration_ns;
    self->buckets[bucket_of(duration_ns)]++;
}

void latency_merge(latency *self, const latency *other)
{
    if (other->n > 0 &&
        (self->n == 0 || other->fastest_ns < self->fastest_ns)) {
        self->fastest_ns = other->fastest_ns;
    }
    if (other->slowest_ns > self->slowest_ns) {
        self->slowest_ns = other->slowest_ns;
    }
    self->n += other->n;
    self->sum_ns += other->sum_ns;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        self->buckets[i] += other->buckets[i];
    }
}

double latency_at(const latency *self, double share)
{
    const double wanted = ceil(share * (double)self->n);
    double seen = 0;

    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += (double)self->buckets[i];
        if (self->buckets[i] > 0 && seen >= wanted) {
            return fmax(fmin(top_of(i), (double)self->slowest_ns),
                        (double)self->fastest_ns);
        }
    }
    return 0;
}

double latency_average_ns(const latency *self)
{
    return self->n == 0 ? 0 : self->sum_ns / (double)self->n;
}

uint64_t latency_count(const latency *self, double duration_ns)
{
    uint64_t n = 0;

    if (duration_ns >= (double)self->slowest_ns) {
        return self->n;
    }
    for (size_t i = 0; i < LATENCY_BUCKETS && top_of(i) <= duration_ns; i++) {
        n += self->buckets[i];
    }
    return n;
}
