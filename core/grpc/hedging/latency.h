/* SPDX-License-Identifier: Apache-2.0 */
/* How long calls of one method take: a percentile of the last 10 to 20 seconds,
 * and longer where calls are few, for the delay of hedges; and how many hedges
 * that allows. Thread: any. */
#ifndef MUSTER_CORE_GRPC_LATENCY_H
#define MUSTER_CORE_GRPC_LATENCY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    MUSTER__LATENCY_BUCKETS = 608, /* 16 an octave, to 18 minutes */
    MUSTER__LATENCY_WINDOWS = 2    /* the one that fills, and the one before */
};

typedef struct muster__latency {
    pthread_mutex_t mutex; /* guards all below */
    uint32_t counts[MUSTER__LATENCY_WINDOWS][MUSTER__LATENCY_BUCKETS];
    uint32_t n[MUSTER__LATENCY_WINDOWS];
    uint32_t current; /* window */
    uint64_t current_since_ns;
    double looked_percentile; /* what the next two are of */
    uint64_t looked_ns;       /* when; 0: never */
    uint64_t found_ns;        /* 0: too few calls */
    double hedges;            /* that may be made now */
} muster__latency;

/* False: no memory. */
bool muster__latency_init(muster__latency *latency);
void muster__latency_fini(muster__latency *latency);

/* A first attempt took so long, or longer: it was given up. It allows as much
 * of a hedge as the percentile leaves over, and a fifth more. */
void muster__latency_note(muster__latency *latency, double percentile,
                          uint64_t took_ns, uint64_t now_ns);

/* The percentile (over 0, under 100), to a sixteenth more; a tenth of a second
 * old at most while calls are made. 0 while that is not known. */
uint64_t muster__latency_percentile_ns(muster__latency *latency,
                                       double percentile, uint64_t now_ns);

/* Takes one hedge from those allowed, of which ten are kept at most, so that
 * they stay a share of the calls when all calls become slow at once. */
bool muster__latency_take_hedge(muster__latency *latency);

#endif
