/* SPDX-License-Identifier: Apache-2.0 */
/* The core's only sources of time and randomness. */
#include "loop.h"

#include <sys/random.h>
#include <time.h>

uint64_t muster__now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t muster__now_ms(void)
{
    return muster__now_ns() / 1000000u;
}

static uint64_t random_seed(const void *salt)
{
    uint64_t seed;

    /* Early in boot the kernel may have no randomness yet; waiting for it is
     * not worth it, because nothing here is a key. */
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
        seed = muster__now_ns() ^ (uint64_t)(uintptr_t)salt;
    }
    return seed;
}

uint64_t muster__random(void)
{
    static _Thread_local uint64_t state;
    uint64_t mixed;

    if (state == 0) {
        state = random_seed(&state);
    }
    /* SplitMix64 (Steele, Lea, Flood 2014): one addition and a mix, so that
     * policies may ask on every pick. */
    state += 0x9e3779b97f4a7c15u;
    mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}
