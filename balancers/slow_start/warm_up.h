/* SPDX-License-Identifier: Apache-2.0 */
/* How much of its weight an endpoint has while it warms up. README.md has the
 * formula. */
#ifndef MUSTER_BALANCERS_SLOW_START_WARM_UP_H
#define MUSTER_BALANCERS_SLOW_START_WARM_UP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/balancer.h>

/* Of an endpoint, while it stays in the list. */
typedef struct warm_up_state {
    _Atomic uint64_t begun_ns; /* 0: it was not READY since it failed last */
} warm_up_state;

typedef struct warm_up {
    uint64_t window_ns;
    double aggression;
    double least; /* of 1 */
} warm_up;

/* Copies of backends, with the weights that they have now. */
typedef struct warm_up_copies {
    muster_backend *backends; /* NULL: nobody's weight is another */
    muster_endpoint *endpoints;
} warm_up_copies;

/* Begins the window of an endpoint that is READY, and forgets that of one that
 * failed. Returns when it began; 0: it has not. Thread: control. */
uint64_t muster__warm_up_note(const muster_backend *backend, uint64_t now_ns);

/* From least to 1, after age_ns. */
double muster__warm_up_factor(const warm_up *self, uint64_t age_ns);

/* False: no memory. Else the copies are to be released. Thread: any. */
bool muster__warm_up_copy(const warm_up *self, const muster_backend *backends,
                          size_t stride, size_t n, uint64_t now_ns,
                          warm_up_copies *ret_copies);
void muster__warm_up_release(warm_up_copies *copies);

#endif
