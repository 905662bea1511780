/* SPDX-License-Identifier: Apache-2.0 */
/* Plugin files in a temporary folder: copies of good ones, changed as a test
 * wants. */
#ifndef MUSTER_TESTS_PLUGIN_FILES_H
#define MUSTER_TESTS_PLUGIN_FILES_H

#include <stddef.h>

#include <muster/plugin.h>

/* The bytes of a file, to be changed. */
typedef struct file_image {
    unsigned char *bytes;
    size_t size;
} file_image;

/* Makes a folder, private to this user; its path is static. */
const char *folder_make(void);

/* Makes another one inside it. */
const char *folder_make_inner(const char *name);

/* Removes what folder_make() made and all in it. */
void folder_remove(void);

/* "FOLDER/file_name"; the last eight stay valid. */
const char *path_in(const char *folder, const char *file_name);

/* The file of a test plugin in the build folder. */
const char *built_plugin(const char *file_name);

/* Reads a built plugin; image_write() writes it to path and frees it. */
file_image image_read(const char *file_name);
void image_write(file_image *image, const char *path);

/* Where the note is in the image. */
muster_plugin_note *image_note(const file_image *image);

/* Replaces each place where from stands, with its terminator, by to, which is
 * as long. Fails the test when there is none. */
void image_replace(file_image *image, const char *from, const char *to);

/* Copies a built plugin into folder, under another name. */
void plugin_copy(const char *file_name, const char *folder,
                 const char *new_name);

#endif
