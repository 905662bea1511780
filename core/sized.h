/* SPDX-License-Identifier: Apache-2.0 */
/* Reads structs that callers of other versions may have made shorter or longer:
 * only what their struct_size, the first field, covers. */
#ifndef MUSTER_CORE_SIZED_H
#define MUSTER_CORE_SIZED_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* *ret_known, of size bytes, becomes what given says; what it does not cover,
 * and all of it when given is NULL, is zero. struct_size stays as given. */
static inline void muster__sized_read(void *ret_known, size_t size,
                                      const void *given)
{
    uint32_t covered = 0;

    memset(ret_known, 0, size);
    if (given != NULL) {
        memcpy(&covered, given, sizeof covered);
        memcpy(ret_known, given, covered < size ? covered : size);
    }
}

#endif
