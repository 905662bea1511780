/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers that their seed repeats. */
#ifndef MUSTER_TESTS_RANDOM_NUMBERS_H
#define MUSTER_TESTS_RANDOM_NUMBERS_H

#include <stdint.h>

/* splitmix64; *state begins as the seed. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline unsigned below(uint64_t *state, unsigned limit)
{
    return (unsigned)(next_random(state) % limit);
}

#endif
