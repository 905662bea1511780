/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file as a whole. */
#ifndef MUSTER_TOOLS_FILE_H
#define MUSTER_TOOLS_FILE_H

#include <stddef.h>

/* Its bytes, and a 0 behind them: the caller's to free. path may be "-":
 * standard input. NULL, and errno, when that fails; EFBIG when it goes on after
 * 64 MB, as a device may for ever. */
char *file_read(const char *path, size_t *ret_size);

#endif
