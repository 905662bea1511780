/* SPDX-License-Identifier: Apache-2.0 */
/* A file of PEM text, read as a whole, and whether it has changed since. */
#include "tls_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bundles of operating systems have a quarter of one. */
#define MAX_BYTES ((uint64_t)4 << 20)

static uint64_t ns_of(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static muster__tls_stamp stamp_of(const struct stat *state)
{
    return (muster__tls_stamp){
        .device = (uint64_t)state->st_dev,
        .inode = (uint64_t)state->st_ino,
        .size = (uint64_t)state->st_size,
        .modified_ns = ns_of(state->st_mtim),
        .changed_ns = ns_of(state->st_ctim),
    };
}

static bool is_same(const muster__tls_stamp *a, const muster__tls_stamp *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->modified_ns == b->modified_ns &&
           a->changed_ns == b->changed_ns;
}

bool muster__tls_file_has_changed(const char *path,
                                  const muster__tls_stamp *stamp)
{
    struct stat state;
    muster__tls_stamp now = {0};

    if (stat(path, &state) == 0) {
        now = stamp_of(&state);
    }
    return !is_same(&now, stamp);
}

static muster_status failed(muster_error *err, const char *path,
                            const char *why)
{
    return muster_error_set(err, MUSTER_INVAL, "%s: %s", path, why);
}

/* Of exactly size bytes. */
static bool read_bytes(int descriptor, char *text, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t n = read(descriptor, text + length, size - length);

        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        length += n > 0 ? (size_t)n : 0;
    }
    return true;
}

void muster__tls_wipe(char *text, size_t length)
{
    if (text != NULL) {
        explicit_bzero(text, length);
        free(text);
    }
}

static muster_status read_open(int descriptor, const char *path,
                               char **ret_text, muster__tls_stamp *ret_stamp,
                               muster_error *err)
{
    struct stat state;
    muster__tls_stamp stamp;
    char *text;

    if (fstat(descriptor, &state) != 0) {
        return failed(err, path, strerror(errno));
    }
    stamp = stamp_of(&state);
    if (!S_ISREG(state.st_mode) || stamp.size > MAX_BYTES) {
        return failed(err, path, "is not a file of at most 4 MB");
    }
    text = malloc(stamp.size + 1);
    if (text == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "%s: %s", path,
                                muster_status_text(MUSTER_NOMEM));
    }
    /* Zero bytes inside would hide what follows them from C core. */
    if (!read_bytes(descriptor, text, stamp.size) ||
        memchr(text, 0, stamp.size) != NULL ||
        muster__tls_file_has_changed(path, &stamp)) {
        muster__tls_wipe(text, stamp.size);
        return failed(err, path, "cannot be read, or is being written");
    }
    text[stamp.size] = '\0';
    *ret_text = text;
    *ret_stamp = stamp;
    return MUSTER_OK;
}

muster_status muster__tls_file_read(const char *path, char **ret_text,
                                    muster__tls_stamp *ret_stamp,
                                    muster_error *err)
{
    /* Non-blocking, so that a pipe of that name does not hang the caller. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    muster_status status;

    if (descriptor < 0) {
        return failed(err, path, strerror(errno));
    }
    status = read_open(descriptor, path, ret_text, ret_stamp, err);
    (void)close(descriptor);
    return status;
}
