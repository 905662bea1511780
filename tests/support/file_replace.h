/* SPDX-License-Identifier: Apache-2.0 */
/* A new text for a file, as careful writers put it in place. */
#ifndef MUSTER_TESTS_FILE_REPLACE_H
#define MUSTER_TESTS_FILE_REPLACE_H

#include <stdbool.h>

/* Writes PATH.new and renames it, so that who reads path sees the old text or
 * the whole new one. False when that fails; errno says why. */
__attribute__((format(printf, 2, 3))) bool
file_replace(const char *path, const char *format, ...);

#endif
