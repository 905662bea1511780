/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for the DNS fixtures, whose lack ends the process. */
#ifndef MUSTER_TESTS_DNS_MEMORY_H
#define MUSTER_TESTS_DNS_MEMORY_H

#include <stddef.h>
#include <stdlib.h>

/* n bytes, at least one, zeroed. */
static inline void *dns_allocate(size_t n)
{
    void *memory = calloc(1, n == 0 ? 1 : n);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* An array with room for one element more than the n it has. */
static inline void *dns_grow(void *array, size_t n, size_t *capacity,
                             size_t size)
{
    if (n < *capacity) {
        return array;
    }
    *capacity = *capacity == 0 ? 16 : *capacity * 2;
    array = realloc(array, *capacity * size);
    if (array == NULL) {
        abort();
    }
    return array;
}

#endif
