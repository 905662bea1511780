/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file as a whole. */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All of it; NULL, and errno, when that fails. */
static char *read_all(FILE *in, size_t *ret_size)
{
    char *buffer = NULL;
    char chunk[4096];
    FILE *out = open_memstream(&buffer, ret_size);
    size_t n;

    if (out == NULL) {
        return NULL;
    }
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0) {
        (void)fwrite(chunk, 1, n, out);
    }
    if (ferror(in) != 0 || ferror(out) != 0) {
        int code = errno;
        (void)fclose(out);
        free(buffer);
        errno = code;
        return NULL;
    }
    if (fclose(out) != 0) {
        free(buffer);
        return NULL;
    }
    return buffer;
}

char *file_read(const char *path, size_t *ret_size)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *text = in == NULL ? NULL : read_all(in, ret_size);
    int code = errno;

    if (in != NULL && in != stdin) {
        (void)fclose(in);
    }
    errno = code;
    return text;
}
