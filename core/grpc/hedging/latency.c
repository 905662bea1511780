/* SPDX-License-Identifier: Apache-2.0 */
/* How long calls of one method take. */
#include "latency.h"

#include <string.h>

#define WINDOW_NS UINT64_C(10000000000)
#define LOOK_NS UINT64_C(100000000)

/* Fewer say nothing of a 95th percentile. */
#define LEAST_CALLS 100u

/* Of the share that the percentile leaves over: some calls are near it, and the
 * percentile is of a moment ago. */
#define ALLOWANCE 1.2
#define MAX_HEDGES 10.0

/* Buckets are a sixteenth of an octave wide. */
enum { PARTS = 16, PART_BITS = 4 };

bool muster__latency_init(muster__latency *latency)
{
    memset(latency, 0, sizeof *latency);
    return pthread_mutex_init(&latency->mutex, NULL) == 0;
}

void muster__latency_fini(muster__latency *latency)
{
    (void)pthread_mutex_destroy(&latency->mutex);
}

static uint32_t bucket_of(uint64_t ns)
{
    uint32_t octave;
    uint64_t index;

    if (ns < PARTS) {
        return (uint32_t)ns;
    }
    octave = 63u - (uint32_t)__builtin_clzll(ns);
    index = (uint64_t)(octave - PART_BITS + 1) * PARTS +
            (ns >> (octave - PART_BITS)) % PARTS;
    return index < MUSTER__LATENCY_BUCKETS ? (uint32_t)index
                                           : MUSTER__LATENCY_BUCKETS - 1;
}

/* The longest time that is in the bucket. */
static uint64_t end_of(uint32_t bucket)
{
    const uint32_t octave = bucket / PARTS;
    const uint64_t part = bucket % PARTS;

    return octave == 0 ? part : ((PARTS + part + 1) << (octave - 1)) - 1;
}

static void turn_locked(muster__latency *latency, uint64_t now_ns)
{
    const uint32_t next = (latency->current + 1) % MUSTER__LATENCY_WINDOWS;

    latency->current = next;
    latency->current_since_ns = now_ns;
    memset(latency->counts[next], 0, sizeof latency->counts[next]);
    latency->n[next] = 0;
}

void muster__latency_note(muster__latency *latency, double percentile,
                          uint64_t took_ns, uint64_t now_ns)
{
    const double share = (100 - percentile) / 100 * ALLOWANCE;

    pthread_mutex_lock(&latency->mutex);
    if (latency->current_since_ns == 0) {
        latency->current_since_ns = now_ns;
    }
    if (now_ns > latency->current_since_ns + WINDOW_NS &&
        latency->n[latency->current] >= LEAST_CALLS) {
        turn_locked(latency, now_ns);
    }
    latency->counts[latency->current][bucket_of(took_ns)]++;
    latency->n[latency->current]++;
    latency->hedges = latency->hedges + share < MAX_HEDGES
                          ? latency->hedges + share
                          : MAX_HEDGES;
    pthread_mutex_unlock(&latency->mutex);
}

static uint64_t find_locked(const muster__latency *latency, double percentile)
{
    const uint64_t n = (uint64_t)latency->n[0] + latency->n[1];
    const double rank = (double)n * percentile / 100;
    uint64_t below = 0;

    if (n < LEAST_CALLS) {
        return 0;
    }
    for (uint32_t i = 0; i < MUSTER__LATENCY_BUCKETS; i++) {
        below += (uint64_t)latency->counts[0][i] + latency->counts[1][i];
        if ((double)below >= rank) {
            return end_of(i);
        }
    }
    return end_of(MUSTER__LATENCY_BUCKETS - 1);
}

static bool is_old_locked(const muster__latency *latency, double percentile,
                          uint64_t now_ns)
{
    return latency->looked_ns == 0 || latency->found_ns == 0 ||
           now_ns > latency->looked_ns + LOOK_NS ||
           latency->looked_percentile < percentile ||
           latency->looked_percentile > percentile;
}

uint64_t muster__latency_percentile_ns(muster__latency *latency,
                                       double percentile, uint64_t now_ns)
{
    uint64_t found_ns;

    pthread_mutex_lock(&latency->mutex);
    if (is_old_locked(latency, percentile, now_ns)) {
        latency->found_ns = find_locked(latency, percentile);
        latency->looked_percentile = percentile;
        latency->looked_ns = now_ns;
    }
    found_ns = latency->found_ns;
    pthread_mutex_unlock(&latency->mutex);
    return found_ns;
}

bool muster__latency_take_hedge(muster__latency *latency)
{
    bool is_taken;

    pthread_mutex_lock(&latency->mutex);
    is_taken = latency->hedges >= 1;
    if (is_taken) {
        latency->hedges -= 1;
    }
    pthread_mutex_unlock(&latency->mutex);
    return is_taken;
}
