/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes of the integration tests: quick, or full with MUSTER_SCALE=full. */
#ifndef MUSTER_TESTS_SCALE_H
#define MUSTER_TESTS_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static inline bool scale_is_full(void)
{
    const char *scale = getenv("MUSTER_SCALE");

    return scale != NULL && strcmp(scale, "full") == 0;
}

static inline size_t scale(size_t quick, size_t full)
{
    return scale_is_full() ? full : quick;
}

#endif
