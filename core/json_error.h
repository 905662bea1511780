/* SPDX-License-Identifier: Apache-2.0 */
/* Whether jansson failed for lack of memory. Header only, so that a plugin can
 * use it without a symbol of the core's. */
#ifndef MUSTER_CORE_JSON_ERROR_H
#define MUSTER_CORE_JSON_ERROR_H

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>

/* Of a load that failed, before which errno was set to 0. Jansson, up to 2.14,
 * calls some allocations that failed a fault of the text, and of others says
 * nothing; what malloc() left in errno tells them. Thread: any. */
static inline bool muster__json_is_out_of_memory(const json_error_t *error)
{
    return errno == ENOMEM || error->text[0] == '\0' ||
           json_error_code(error) == json_error_out_of_memory;
}

#endif
