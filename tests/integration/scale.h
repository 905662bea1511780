/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes of the integration tests: quick, or full with MUSTER_SCALE=full. A
 * sanitizer's lane, where all is slow, takes a third of quick: it is to see
 * each path, not each number. */
#ifndef MUSTER_TESTS_SCALE_H
#define MUSTER_TESTS_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "limit.h"

static inline bool scale_is_full(void)
{
    const char *scale = getenv("MUSTER_SCALE");

    return scale != NULL && strcmp(scale, "full") == 0;
}

static inline size_t scale(size_t quick, size_t full)
{
    if (scale_is_full()) {
        return full;
    }
    return LIMIT_FACTOR > 1 ? (quick + 2) / 3 : quick;
}

#endif
