/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a JSON text something is: jansson tells that of bad JSON only. */
#ifndef MUSTER_CORE_CONFIG_PLACE_H
#define MUSTER_CORE_CONFIG_PLACE_H

#include <stddef.h>

/* The line and the column, from 1, of the value at path, like
 * "methodConfig[0].timeout", in text, which is JSON. What path has that text
 * has not (or has in escapes) is left off from its end: the place is then that
 * of the object that should have it. Thread: any. */
void muster__place_find(const char *text, size_t length, const char *path,
                        int *ret_line, int *ret_column);

#endif
