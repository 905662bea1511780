/* SPDX-License-Identifier: Apache-2.0 */
/* A bound on the load of an endpoint, for the policies that hash: no endpoint
 * has more than c times its even share of the calls under way (Mirrokni,
 * Thorup, Zadimoghaddam: Consistent Hashing with Bounded Loads); a call that
 * finds its endpoint full tries those that other hashes of its key lead to
 * (Chen, Coleman, Shrivastava: Revisiting Consistent Hashing with Bounded
 * Loads), so that a full endpoint does not fill its neighbour. */
#ifndef MUSTER_BALANCERS_HASHING_LOAD_H
#define MUSTER_BALANCERS_HASHING_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "key.h"

/* Hashes of a key that are tried before all endpoints are. */
#define HASHING_MAX_JUMPS 32

/* The state of an endpoint. */
typedef struct hashing_load {
    _Atomic uint32_t n_calls; /* under way */
} hashing_load;

/* What a table knows of an endpoint of its view. */
typedef struct hashing_seat {
    hashing_load *load;
    double share; /* of all weights; all of a view are 1 together */
} hashing_seat;

/* Of a policy. Counts order nothing: relaxed throughout. */
typedef struct hashing_bound {
    _Alignas(64) _Atomic uint64_t n_calls; /* under way, also where no table
                                              leads any more */
    double factor;                         /* c; 0: there is no bound */
} hashing_bound;

static inline void hashing_bound_init(hashing_bound *self,
                                      const hashing_settings *settings)
{
    atomic_init(&self->n_calls, 0);
    self->factor = settings->balance_factor / 100.0;
}

/* The seats of the READY view, by index. The caller's to free(); NULL when
 * memory is short. */
static inline hashing_seat *hashing_seats_create(const muster_build_args *args)
{
    hashing_seat *seats = malloc(args->n_ready * sizeof seats[0]);
    double total = 0;

    if (seats == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < args->n_ready; i++) {
        const muster_backend *backend = backends_ready(args, i);
        uint32_t weight = backend->endpoint->weight;

        seats[i].load = backend->state;
        seats[i].share = weight == 0 ? 1 : weight;
        total += seats[i].share;
    }
    for (size_t i = 0; i < args->n_ready; i++) {
        seats[i].share /= total;
    }
    return seats;
}

/* How many calls an endpoint may have when there are n_calls in all: c times
 * its share, rounded up. What doubles add to a whole number is not rounded. */
static inline uint32_t hashing_capacity(const hashing_bound *self, double share,
                                        uint64_t n_calls)
{
    double exact = self->factor * (double)n_calls * share;
    uint64_t whole = (uint64_t)(exact - exact * 1e-14);

    return whole < UINT32_MAX ? (uint32_t)whole + 1 : UINT32_MAX;
}

/* Counts a call that is about to be placed. Answers how many there are. */
static inline uint64_t hashing_begin(hashing_bound *self)
{
    return 1 +
           atomic_fetch_add_explicit(&self->n_calls, 1, memory_order_relaxed);
}

static inline bool hashing_has_room(const hashing_bound *self,
                                    const hashing_seat *seat, uint64_t n_calls)
{
    return atomic_load_explicit(&seat->load->n_calls, memory_order_relaxed) <
           hashing_capacity(self, seat->share, n_calls);
}

/* Takes a place at the endpoint if there is one. */
static inline bool hashing_enter(const hashing_bound *self,
                                 const hashing_seat *seat, uint64_t n_calls)
{
    uint32_t capacity = hashing_capacity(self, seat->share, n_calls);
    uint32_t taken =
        atomic_load_explicit(&seat->load->n_calls, memory_order_relaxed);

    while (taken < capacity) {
        if (atomic_compare_exchange_weak_explicit(
                &seat->load->n_calls, &taken, taken + 1, memory_order_relaxed,
                memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* Takes a place whatever the bound: all were full, which they are together only
 * while others take the places that we have seen free. */
static inline void hashing_squeeze_in(const hashing_seat *seat)
{
    atomic_fetch_add_explicit(&seat->load->n_calls, 1, memory_order_relaxed);
}

/* Gives a place at the endpoint back; false when none is taken. */
static inline bool hashing_leave(hashing_load *load)
{
    uint32_t taken = atomic_load_explicit(&load->n_calls, memory_order_relaxed);

    while (taken > 0) {
        if (atomic_compare_exchange_weak_explicit(
                &load->n_calls, &taken, taken - 1, memory_order_relaxed,
                memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* A call has ended. A parent policy may hand on the end of one that it had
 * placed through another child: it is not counted below 0, neither here nor in
 * all, for there are never fewer calls than taken places. */
static inline void hashing_end(hashing_bound *self, hashing_load *load)
{
    if (hashing_leave(load)) {
        atomic_fetch_sub_explicit(&self->n_calls, 1, memory_order_relaxed);
    }
}

/* Another hash of the same key (the finalizer of MurmurHash3). */
static inline uint64_t hashing_again(uint64_t hash, uint32_t jump)
{
    hash += jump * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

static inline uint32_t hashing_common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* All of n seats, in an order of the hash's own: by a step that shares no
 * divisor with n. False when all are full. */
static inline bool hashing_enter_any(const hashing_bound *self,
                                     const hashing_seat *seats, uint32_t n,
                                     uint64_t hash, uint64_t n_calls,
                                     uint32_t *ret_index)
{
    uint32_t at = (uint32_t)(hashing_again(hash, 0) % n);
    uint32_t step = (uint32_t)(hashing_again(hash, 1) % n);

    while (hashing_common_divisor(step, n) != 1) {
        step++;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (hashing_enter(self, &seats[at], n_calls)) {
            *ret_index = at;
            return true;
        }
        at = (uint32_t)(((uint64_t)at + step) % n);
    }
    return false;
}

/* The seat that a call of this hash takes, of n. owner_of(table, hash) is the
 * index of a hash's owner. */
static inline uint32_t hashing_place(
    hashing_bound *self, const hashing_seat *seats, uint32_t n, uint64_t hash,
    uint32_t (*owner_of)(const void *table, uint64_t hash), const void *table)
{
    uint64_t n_calls = hashing_begin(self);
    uint32_t first = owner_of(table, hash);
    uint32_t index = first;

    for (uint32_t jump = 1; jump <= HASHING_MAX_JUMPS; jump++) {
        if (hashing_enter(self, &seats[index], n_calls)) {
            return index;
        }
        index = owner_of(table, hashing_again(hash, jump));
    }
    if (!hashing_enter_any(self, seats, n, hash, n_calls, &index)) {
        index = first;
        hashing_squeeze_in(&seats[index]);
    }
    return index;
}

#endif
