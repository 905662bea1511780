/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file as a whole. */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)64 << 20)

/* What is in errno, or 0 when all is well. */
static int copy(FILE *in, FILE *out)
{
    char chunk[4096];
    size_t total = 0;
    size_t n;

    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0) {
        total += n;
        if (total > MAX_BYTES) {
            return EFBIG;
        }
        (void)fwrite(chunk, 1, n, out);
    }
    return ferror(in) != 0 || ferror(out) != 0 ? errno : 0;
}

/* All of it; NULL, and errno, when that fails. */
static char *read_all(FILE *in, size_t *ret_size)
{
    char *buffer = NULL;
    FILE *out = open_memstream(&buffer, ret_size);
    int code;

    if (out == NULL) {
        return NULL;
    }
    code = copy(in, out);
    if (fclose(out) != 0 || code != 0) {
        free(buffer);
        errno = code == 0 ? ENOMEM : code;
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
