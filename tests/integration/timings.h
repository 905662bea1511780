/* SPDX-License-Identifier: Apache-2.0 */
/* Times that were measured, and how many of them were too long. */
#ifndef MUSTER_TESTS_TIMINGS_H
#define MUSTER_TESTS_TIMINGS_H

#include <stddef.h>
#include <stdint.h>

enum { TIMINGS_MAX = 512 };

#define TIMINGS_NEVER UINT64_MAX

typedef struct timings {
    uint64_t limit_ns; /* longer is late */
    uint64_t ns[TIMINGS_MAX];
    size_t n;
    size_t n_late;
} timings;

/* Those above TIMINGS_MAX are only counted, when they are late. */
void timings_add(timings *self, uint64_t ns);

/* "WHAT: median 512.1 ms, worst 987.6 ms, of 100 (limit 1300 ms)" */
void timings_print(const timings *self, const char *what);

#endif
