/* SPDX-License-Identifier: Apache-2.0 */
/* A file for each target: a line with a checksum of what follows, a line with
 * the time and what was asked, and the body as the agent sent it. */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include <text.h>

#include "request.h"

#define FIRST_LINE "muster consul 1 "

enum {
    FIRST_SIZE = sizeof FIRST_LINE - 1 + 16 + 1, /* a checksum, a newline */
    SIZE_MAX_BYTES = MUSTER__CONSUL_BODY_MAX + 65536,
    SET_BACK_MAX_MS = 60000
};

char *muster__consul_cache_path(const char *folder, const char *key)
{
    char *path = NULL;

    if (asprintf(&path, "%s/consul-%016" PRIx64, folder,
                 (uint64_t)XXH64(key, strlen(key), 0)) < 0) {
        return NULL;
    }
    return path;
}

static uint64_t wall_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static muster_status refuse(const char *path, muster_status status,
                            const char *why, muster_error *err)
{
    return muster_error_set(err, status, "cache %s: %s",
                            muster__quote(path).text, why);
}

/* ---- reading ---- */

static const char *check_file(const struct stat *info)
{
    if (!S_ISREG(info->st_mode) || info->st_size < FIRST_SIZE ||
        info->st_size > SIZE_MAX_BYTES) {
        return "it is no such file";
    }
    if (info->st_uid != geteuid() || (info->st_mode & (S_IWGRP | S_IWOTH))) {
        return "it is not this user's alone to write";
    }
    return NULL;
}

static bool read_all(int fd, char *text, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t n = read(fd, text + length, size - length);

        if (n <= 0) {
            return false;
        }
        length += (size_t)n;
    }
    text[size] = '\0';
    return true;
}

static muster_status read_file(const char *path, char **ret_text,
                               size_t *ret_size, muster_error *err)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    const char *why;
    char *text = NULL;

    if (fd < 0) {
        return refuse(path, errno == ENOENT ? MUSTER_NOTFOUND : MUSTER_INVAL,
                      strerror(errno), err);
    }
    why = fstat(fd, &info) == 0 ? check_file(&info) : strerror(errno);
    if (why == NULL) {
        text = malloc((size_t)info.st_size + 1);
        why = text == NULL                                ? "out of memory"
              : !read_all(fd, text, (size_t)info.st_size) ? "it cannot be read"
                                                          : NULL;
    }
    (void)close(fd);
    if (why != NULL) {
        free(text);
        return refuse(path, MUSTER_INVAL, why, err);
    }
    *ret_text = text;
    *ret_size = (size_t)info.st_size;
    return MUSTER_OK;
}

/* Where the body begins; NULL: *ret_why says what is wrong. */
static const char *check_text(const char *text, size_t size, const char *key,
                              uint64_t *ret_time_ms, const char **ret_why)
{
    char first[FIRST_SIZE + 1];
    const char *rest = text + FIRST_SIZE;
    size_t length = strlen(key);
    char *end = NULL;

    (void)snprintf(first, sizeof first, FIRST_LINE "%016" PRIx64 "\n",
                   (uint64_t)XXH64(rest, size - FIRST_SIZE, 0));
    *ret_why = "it is damaged";
    if (memcmp(first, text, FIRST_SIZE) != 0) {
        return NULL;
    }
    *ret_time_ms = strtoull(rest, &end, 10);
    if (*end != ' ' || strncmp(end + 1, key, length) != 0 ||
        end[1 + length] != '\n') {
        *ret_why = "it is of another target";
        return NULL;
    }
    return end + 1 + length + 1;
}

/* A clock may be set back a little. What is of a later time has no age: it
 * would be young until that time has come. */
static const char *check_time(uint64_t now_ms, uint64_t time_ms,
                              uint64_t max_age_ms)
{
    if (time_ms > now_ms && time_ms - now_ms > SET_BACK_MAX_MS) {
        return "it is of a time in the future";
    }
    return time_ms < now_ms && now_ms - time_ms > max_age_ms ? "it is too old"
                                                             : NULL;
}

muster_status muster__consul_cache_read(const char *path, const char *key,
                                        uint64_t max_age_ms,
                                        muster__consul_cached *ret_cached,
                                        muster_error *err)
{
    muster__consul_cached cached = {.text = NULL};
    uint64_t now_ms = wall_ms();
    uint64_t time_ms = 0;
    size_t size = 0;
    const char *why;
    muster_status status = read_file(path, &cached.text, &size, err);

    if (status != MUSTER_OK) {
        return status;
    }
    cached.body = check_text(cached.text, size, key, &time_ms, &why);
    cached.age_ms = now_ms > time_ms ? now_ms - time_ms : 0;
    if (cached.body != NULL) {
        why = check_time(now_ms, time_ms, max_age_ms);
        cached.body = why == NULL ? cached.body : NULL;
    }
    if (cached.body == NULL) {
        free(cached.text);
        return refuse(path, MUSTER_INVAL, why, err);
    }
    cached.size = size - (size_t)(cached.body - cached.text);
    *ret_cached = cached;
    return MUSTER_OK;
}

/* ---- writing ---- */

/* The line behind the first one; NULL: out of memory. */
static char *second_line(const char *key)
{
    char *line = NULL;

    return asprintf(&line, "%" PRIu64 " %s\n", wall_ms(), key) < 0 ? NULL
                                                                   : line;
}

static uint64_t checksum(const char *line, const char *body, size_t size)
{
    XXH64_state_t *state = XXH64_createState();
    uint64_t sum = 0;

    if (state != NULL) { /* without memory it will be taken for damaged */
        (void)XXH64_reset(state, 0);
        (void)XXH64_update(state, line, strlen(line));
        (void)XXH64_update(state, body, size);
        sum = XXH64_digest(state);
    }
    (void)XXH64_freeState(state);
    return sum;
}

static bool write_text(int fd, const char *line, const char *body, size_t size)
{
    FILE *file = fdopen(fd, "w");
    bool is_done;

    if (file == NULL) {
        (void)close(fd);
        return false;
    }
    is_done = fprintf(file, FIRST_LINE "%016" PRIx64 "\n%s",
                      checksum(line, body, size), line) > 0 &&
              fwrite(body, 1, size, file) == size;
    return fclose(file) == 0 && is_done;
}

/* Not flushed to the disk: that takes long, and a torn file has the wrong
 * checksum. */
muster_status muster__consul_cache_write(const char *path, const char *key,
                                         const char *body, size_t size,
                                         muster_error *err)
{
    char *line = second_line(key);
    char *other = NULL;
    const char *why = NULL;
    int fd = -1;

    if (line == NULL || asprintf(&other, "%s.XXXXXX", path) < 0) {
        free(line);
        return refuse(path, MUSTER_UNAVAILABLE, "out of memory", err);
    }
    fd = mkostemp(other, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) {
        why = strerror(errno);
    } else if (!write_text(fd, line, body, size) || rename(other, path) != 0) {
        why = strerror(errno);
        (void)unlink(other);
    }
    free(line);
    free(other);
    return why == NULL ? MUSTER_OK : refuse(path, MUSTER_UNAVAILABLE, why, err);
}
