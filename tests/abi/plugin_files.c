/* SPDX-License-Identifier: Apache-2.0 */
/* Plugin files in a temporary folder. */
#include "plugin_files.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX];

static char *next_path(void)
{
    static char paths[8][PATH_MAX];
    static size_t next;

    return paths[next++ % 8];
}

const char *folder_make(void)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(folder, sizeof folder, "%s/muster-abi-XXXXXX",
                   base == NULL ? "/tmp" : base);
    cr_assert_not_null(mkdtemp(folder));
    return folder;
}

const char *folder_make_inner(const char *name)
{
    const char *path = path_in(folder, name);

    cr_assert_eq(mkdir(path, 0755), 0);
    return path;
}

static int remove_entry(const char *path, const struct stat *info, int type,
                        struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

void folder_remove(void)
{
    (void)nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *path_in(const char *where, const char *file_name)
{
    char *path = next_path();
    int length = snprintf(path, PATH_MAX, "%s/%s", where, file_name);

    cr_assert(length > 0 && length < PATH_MAX);
    return path;
}

const char *built_plugin(const char *file_name)
{
    return path_in(MUSTER_TEST_PLUGIN_DIR, file_name);
}

file_image image_read(const char *file_name)
{
    file_image image = {NULL, 0};
    struct stat info;
    FILE *file = fopen(built_plugin(file_name), "rb");

    cr_assert_not_null(file);
    cr_assert_eq(fstat(fileno(file), &info), 0);
    image.size = (size_t)info.st_size;
    image.bytes = malloc(image.size);
    cr_assert_not_null(image.bytes);
    cr_assert_eq(fread(image.bytes, 1, image.size, file), image.size);
    (void)fclose(file);
    return image;
}

void image_write(file_image *image, const char *path)
{
    FILE *file = fopen(path, "wb");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(image->bytes, 1, image->size, file), image->size);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(path, 0644), 0);
    free(image->bytes);
    image->bytes = NULL;
}

muster_plugin_note *image_note(const file_image *image)
{
    const unsigned char head[] = {7, 0, 0, 0};
    unsigned char *at = image->bytes;

    while ((at = memmem(at, (size_t)(image->bytes + image->size - at), "muster",
                        7)) != NULL) {
        if (at - image->bytes >= 12 && memcmp(at - 12, head, 4) == 0) {
            return (muster_plugin_note *)(void *)(at - 12);
        }
        at++;
    }
    cr_assert_fail("the plugin has no note");
    return NULL;
}

void image_replace(file_image *image, const char *from, const char *to)
{
    unsigned char *at = image->bytes;
    size_t n_replaced = 0;

    cr_assert_eq(strlen(from), strlen(to));
    while ((at = memmem(at, (size_t)(image->bytes + image->size - at), from,
                        strlen(from) + 1)) != NULL) {
        memcpy(at, to, strlen(to));
        at++;
        n_replaced++;
    }
    cr_assert_gt(n_replaced, 0);
}

void plugin_copy(const char *file_name, const char *where, const char *new_name)
{
    file_image image = image_read(file_name);

    image_write(&image, path_in(where, new_name));
}
