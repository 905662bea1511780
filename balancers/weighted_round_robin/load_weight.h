/* SPDX-License-Identifier: Apache-2.0 */
/* The weight that an endpoint's load reports give it, and from when and how
 * long it counts: gRFC A58. */
#ifndef MUSTER_BALANCERS_LOAD_WEIGHT_H
#define MUSTER_BALANCERS_LOAD_WEIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct muster__load_ages {
    uint64_t blackout_ns;   /* since the first report: before, it is unknown */
    uint64_t expiration_ns; /* since the last report: then it is forgotten */
} muster__load_ages;

/* All zero: nothing is known. */
typedef struct muster__load_weight {
    _Atomic double weight;        /* of the last report */
    _Atomic uint64_t reported_ns; /* when that came */
    _Atomic uint64_t since_ns;    /* when the first came, and 1; 0: none did */
} muster__load_weight;

/* A report came that gives this weight; 0 is no weight. Whether that changes
 * anything. Thread: any. */
bool muster__load_weight_learn(muster__load_weight *self, double weight,
                               uint64_t now_ns);

/* The next report is the first. Thread: any. */
void muster__load_weight_forget(muster__load_weight *self);

/* 0: unknown. Lowers *next_change_ns to when that will change without a report.
 * Thread: any. */
double muster__load_weight_get(muster__load_weight *self,
                               const muster__load_ages *ages, uint64_t now_ns,
                               uint64_t *next_change_ns);

#endif
