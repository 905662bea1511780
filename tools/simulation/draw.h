/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers that depend on the seed and on what they are for, not on what
 * was drawn before: so every policy meets the same calls. */
#ifndef MUSTER_TOOLS_DRAW_H
#define MUSTER_TOOLS_DRAW_H

#include <math.h>
#include <stdint.h>

typedef enum draw_use {
    DRAW_PAUSE, /* until the next call */
    DRAW_CLIENT,
    DRAW_KEY,
    DRAW_SERVICE,
    DRAW_ERROR,
    DRAW_BACKOFF
} draw_use;

/* splitmix64's finisher: https://prng.di.unimi.it/splitmix64.c (CC0) names the
 * constants. */
static inline uint64_t draw_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t draw_bits(uint64_t seed, draw_use use, uint64_t number)
{
    return draw_mix(draw_mix(seed * 8 + (uint64_t)use) +
                    number * UINT64_C(0x9e3779b97f4a7c15));
}

/* From 0 to before 1. */
static inline double draw_share(uint64_t seed, draw_use use, uint64_t number)
{
    return (double)(draw_bits(seed, use, number) >> 11) * 0x1p-53;
}

/* Exponential, of mean 1. */
static inline double draw_pause(uint64_t seed, draw_use use, uint64_t number)
{
    return -log1p(-draw_share(seed, use, number));
}

/* A time that was computed from such numbers. However long, it fits: 30 years
 * are after the end of any simulation. */
static inline uint64_t draw_ns(double ns)
{
    return (uint64_t)fmin(ns, 1e18);
}

#endif
