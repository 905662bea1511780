/* SPDX-License-Identifier: Apache-2.0 */
/* How long calls took: counts in buckets that are less than 0.8 % wide, like
 * those of an HDR histogram, so that any number of calls fits. The fastest, the
 * slowest and the average are exact. */
#ifndef MUSTER_TOOLS_BENCH_LATENCY_H
#define MUSTER_TOOLS_BENCH_LATENCY_H

#include <stdint.h>

/* Up to 2^LATENCY_MAX_BITS ns, 2.4 hours; what takes longer counts as that. */
enum {
    LATENCY_BITS = 7,
    LATENCY_MAX_BITS = 43,
    LATENCY_BUCKETS = (LATENCY_MAX_BITS - LATENCY_BITS + 1) << LATENCY_BITS
};

/* All zero: none yet. */
typedef struct latency {
    uint64_t n;
    uint64_t fastest_ns;
    uint64_t slowest_ns;
    double sum_ns;
    uint64_t buckets[LATENCY_BUCKETS];
} latency;

void latency_add(latency *self, uint64_t duration_ns);
void latency_merge(latency *self, const latency *other);

/* What share (0 to 1) of the calls did not take longer than; 0 when there are
 * none. At most 0.8 % too much. */
double latency_at(const latency *self, double share);
double latency_average_ns(const latency *self);

/* How many took at most duration_ns, up to the width of a bucket. */
uint64_t latency_count(const latency *self, double duration_ns);

#endif
