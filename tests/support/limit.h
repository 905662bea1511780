/* SPDX-License-Identifier: Apache-2.0 */
/* Time limits of tests. A limit is the product's promise and holds in the lane
 * that is built as users build it; a sanitizer makes all code several times
 * slower, so that its lane sees only whether something hangs. */
#ifndef MUSTER_TESTS_LIMIT_H
#define MUSTER_TESTS_LIMIT_H

#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_FACTOR 8u
#else
#define LIMIT_FACTOR 1u
#endif

/* ms, as it applies in this lane, in nanoseconds. */
static inline uint64_t limit_ns(uint64_t ms)
{
    return ms * LIMIT_FACTOR * 1000000u;
}

#endif
