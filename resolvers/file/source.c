/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a file, and reading it. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Kernels stamp files with the time of the last tick, at most 10 ms ago. */
static const int64_t FRESH_NS = 50 * 1000 * 1000;

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool muster__file_is_same(const muster__file_state *a,
                          const muster__file_state *b)
{
    return a->is_known && b->is_known && !a->is_fresh && a->error == b->error &&
           a->device == b->device && a->inode == b->inode &&
           a->size == b->size && is_same_time(&a->modified, &b->modified) &&
           is_same_time(&a->changed, &b->changed);
}

static void set_state(const struct stat *from, muster__file_state *ret_state)
{
    struct timespec now;
    int64_t age_ns;

    memset(ret_state, 0, sizeof *ret_state);
    ret_state->is_known = true;
    ret_state->device = from->st_dev;
    ret_state->inode = from->st_ino;
    ret_state->size = from->st_size;
    ret_state->modified = from->st_mtim;
    ret_state->changed = from->st_ctim;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec - from->st_ctim.tv_sec <= 1) {
        age_ns = (now.tv_sec - from->st_ctim.tv_sec) * INT64_C(1000000000) +
                 now.tv_nsec - from->st_ctim.tv_nsec;
        ret_state->is_fresh = age_ns >= -FRESH_NS && age_ns < FRESH_NS;
    }
}

static void set_error(int error, muster__file_state *ret_state)
{
    memset(ret_state, 0, sizeof *ret_state);
    ret_state->is_known = true;
    ret_state->error = error;
}

void muster__file_look(const char *path, muster__file_state *ret_state)
{
    struct stat info;

    if (stat(path, &info) == 0) {
        set_state(&info, ret_state);
    } else {
        set_error(errno, ret_state);
    }
}

static muster_status fail_errno(int error, muster_error *err)
{
    muster_status status = error == EACCES || error == EPERM
                               ? MUSTER_PERMISSION
                               : MUSTER_UNAVAILABLE;
    char buffer[128];

    return muster_error_set(err, status, "%s",
                            strerror_r(error, buffer, sizeof buffer));
}

static muster_status fail_size(muster_error *err)
{
    return muster_error_set(err, MUSTER_EXHAUSTED,
                            "larger than %d MiB, which is the limit",
                            MUSTER__FILE_MAX >> 20);
}

static muster_status check_type(const struct stat *info, muster_error *err)
{
    if (S_ISDIR(info->st_mode)) {
        return muster_error_set(err, MUSTER_UNAVAILABLE,
                                "a directory; expected a regular file");
    }
    if (!S_ISREG(info->st_mode)) {
        return muster_error_set(err, MUSTER_UNAVAILABLE, "not a regular file");
    }
    return info->st_size > MUSTER__FILE_MAX ? fail_size(err) : MUSTER_OK;
}

/* Reads to the end, which may have moved since the size was known. */
static muster_status read_all(int fd, size_t size, char **ret_text,
                              size_t *ret_length, muster_error *err)
{
    char *text = malloc(size + 1);
    size_t length = 0;
    ssize_t n = 1;

    if (text == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    while (length < size && n > 0) {
        n = read(fd, text + length, size - length);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        length += n > 0 ? (size_t)n : 0;
    }
    if (n < 0) {
        int error = errno;

        free(text);
        return fail_errno(error, err);
    }
    text[length] = '\0';
    *ret_text = text;
    *ret_length = length;
    return MUSTER_OK;
}

muster_status muster__file_read(const char *path, char **ret_text,
                                size_t *ret_length,
                                muster__file_state *ret_state,
                                muster_error *err)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    muster_status status;

    if (fd < 0 || fstat(fd, &info) != 0) {
        int error = errno;

        if (fd >= 0) {
            (void)close(fd);
        }
        muster__file_look(path, ret_state);
        return fail_errno(error, err);
    }
    set_state(&info, ret_state);
    status = check_type(&info, err);
    if (status == MUSTER_OK) {
        status = read_all(fd, (size_t)info.st_size, ret_text, ret_length, err);
    }
    (void)close(fd);
    return status;
}
