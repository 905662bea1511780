/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a plugin that builds, passes its test and waits to be filled in. */
#include "skeleton.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"

/* The name as a C identifier. */
static void write_id(FILE *out, const char *name)
{
    for (; *name != '\0'; name++) {
        (void)fputc(*name == '-' ? '_' : *name, out);
    }
}

/* Writes text, in which the skeleton's words replace their placeholders. */
static void write_text(FILE *out, const skeleton *self, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "@");

        (void)fwrite(text, 1, length, out);
        text += length;
        if (strncmp(text, "@NAME@", 6) == 0) {
            (void)fputs(self->name, out);
            text += 6;
        } else if (strncmp(text, "@ID@", 4) == 0) {
            write_id(out, self->name);
            text += 4;
        } else if (strncmp(text, "@CLASS@", 7) == 0) {
            (void)fputs(self->class_name, out);
            text += 7;
        } else if (*text != '\0') {
            (void)fputc(*text++, out);
        }
    }
}

/* "NAME/NAME.c", "NAME/test_NAME.c", "NAME/CMakeLists.txt". */
static char *path_of(const skeleton *self, const char *file)
{
    char *path = NULL;
    const char *end = strrchr(file, '.');
    int length;

    if (strcmp(file, "plugin.c") == 0) {
        length = asprintf(&path, "%s/%s%s", self->name, self->name, end);
    } else if (strcmp(file, "test.c") == 0) {
        length = asprintf(&path, "%s/test_%s%s", self->name, self->name, end);
    } else {
        length = asprintf(&path, "%s/%s", self->name, file);
    }
    return length < 0 ? NULL : path;
}

static bool write_file(const skeleton *self, const skeleton_file *file,
                       const char *path)
{
    FILE *out = path == NULL ? NULL : fopen(path, "wx");
    bool is_written;

    if (out == NULL) {
        return false;
    }
    write_text(out, self, file->text);
    is_written = ferror(out) == 0;
    return fclose(out) == 0 && is_written;
}

bool skeleton_write(const skeleton *self, char **ret_path)
{
    if (mkdir(self->name, 0755) != 0) {
        int code = errno;

        *ret_path = strdup(self->name);
        errno = code;
        return false;
    }
    for (const skeleton_file *file = skeleton_files; file->kind != NULL;
         file++) {
        char *path;

        if (strcmp(file->kind, self->kind) != 0) {
            continue;
        }
        path = path_of(self, file->name);
        if (!write_file(self, file, path)) {
            *ret_path = path;
            return false;
        }
        free(path);
    }
    return true;
}
