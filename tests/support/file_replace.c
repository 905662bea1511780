/* SPDX-License-Identifier: Apache-2.0 */
/* A new text for a file, as careful writers put it in place. */
#include "file_replace.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

bool file_replace(const char *path, const char *format, ...)
{
    char fresh[PATH_MAX];
    va_list args;
    FILE *file;
    int n;

    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    file = fopen(fresh, "we");
    if (file == NULL) {
        return false;
    }
    va_start(args, format);
    n = vfprintf(file, format, args);
    va_end(args);
    return fclose(file) == 0 && n >= 0 && rename(fresh, path) == 0;
}
