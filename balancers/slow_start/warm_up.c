/* SPDX-License-Identifier: Apache-2.0 */
/* How much of its weight an endpoint has while it warms up. */
#include "warm_up.h"

#include <math.h>
#include <stdlib.h>

#include "../backends.h"

/* Weights are whole numbers: so many units stand for one, unless the heaviest
 * would be too large then. */
#define MOST_UNITS 10000.0

/* As Envoy has it, so that nothing begins with 0. */
#define LEAST_AGE_NS UINT64_C(1000000)

static uint32_t weight_of(const muster_backend *backend)
{
    uint32_t weight = backend->endpoint->weight;

    return weight == 0 ? 1 : weight;
}

/* Relaxed, here and below: the time orders nothing. */
uint64_t muster__warm_up_note(const muster_backend *backend, uint64_t now_ns)
{
    warm_up_state *state = backend->state;
    uint64_t begun_ns =
        atomic_load_explicit(&state->begun_ns, memory_order_relaxed);

    if (backend->connectivity == MUSTER_TRANSIENT_FAILURE ||
        (backend->flags & MUSTER_BACKEND_UNHEALTHY) != 0) {
        begun_ns = 0;
    } else if (backend->connectivity == MUSTER_READY && begun_ns == 0) {
        begun_ns = now_ns == 0 ? 1 : now_ns;
    }
    atomic_store_explicit(&state->begun_ns, begun_ns, memory_order_relaxed);
    return begun_ns;
}

double muster__warm_up_factor(const warm_up *self, uint64_t age_ns)
{
    double share;

    if (age_ns >= self->window_ns) {
        return 1;
    }
    if (age_ns < LEAST_AGE_NS) {
        age_ns = LEAST_AGE_NS;
    }
    share = fmin(1, (double)age_ns / (double)self->window_ns);
    return fmax(self->least, pow(share, 1 / self->aggression));
}

/* One that is not READY gets no calls, so that its weight is let alone. */
static double factor_of(const warm_up *self, const muster_backend *backend,
                        uint64_t now_ns)
{
    const warm_up_state *state = backend->state;
    uint64_t begun_ns =
        atomic_load_explicit(&state->begun_ns, memory_order_relaxed);

    if (backend->connectivity != MUSTER_READY) {
        return 1;
    }
    return muster__warm_up_factor(
        self, begun_ns == 0 || begun_ns > now_ns ? 0 : now_ns - begun_ns);
}

/* 0 reads as 1, which here is next to nothing, too. */
static uint32_t scale(double weight)
{
    return weight < 1 ? 1 : (uint32_t)(weight + 0.5);
}

static bool is_warm(const warm_up *self, const muster_backend *backends,
                    size_t stride, size_t n, uint64_t now_ns)
{
    for (size_t i = 0; i < n; i++) {
        if (factor_of(self, backends_at(backends, stride, i), now_ns) < 1) {
            return false;
        }
    }
    return true;
}

static void fill(const warm_up *self, const muster_backend *backends,
                 size_t stride, size_t n, uint64_t now_ns,
                 warm_up_copies *copies)
{
    uint32_t heaviest = 1;
    double units;

    for (size_t i = 0; i < n; i++) {
        uint32_t weight = weight_of(backends_at(backends, stride, i));

        heaviest = weight > heaviest ? weight : heaviest;
    }
    units = fmin(MOST_UNITS, (double)UINT32_MAX / heaviest);
    for (size_t i = 0; i < n; i++) {
        const muster_backend *from = backends_at(backends, stride, i);

        copies->endpoints[i] = *from->endpoint;
        copies->endpoints[i].weight =
            scale(weight_of(from) * units * factor_of(self, from, now_ns));
        copies->backends[i] = *from;
        copies->backends[i].endpoint = &copies->endpoints[i];
        copies->backends[i].endpoint_size =
            (uint32_t)sizeof copies->endpoints[i];
    }
}

bool muster__warm_up_copy(const warm_up *self, const muster_backend *backends,
                          size_t stride, size_t n, uint64_t now_ns,
                          warm_up_copies *ret_copies)
{
    warm_up_copies copies = {NULL, NULL};

    if (!is_warm(self, backends, stride, n, now_ns)) {
        copies.backends = malloc(n * sizeof copies.backends[0]);
        copies.endpoints = malloc(n * sizeof copies.endpoints[0]);
        if (copies.backends == NULL || copies.endpoints == NULL) {
            muster__warm_up_release(&copies);
            return false;
        }
        fill(self, backends, stride, n, now_ns, &copies);
    }
    *ret_copies = copies;
    return true;
}

void muster__warm_up_release(warm_up_copies *copies)
{
    free(copies->endpoints);
    free(copies->backends);
}
