/* SPDX-License-Identifier: Apache-2.0 */
/* The file resolver on the testkit's host, and a folder of real files. */
#ifndef MUSTER_TESTS_FILE_FIXTURE_H
#define MUSTER_TESTS_FILE_FIXTURE_H

#include <criterion/criterion.h>

#include <muster/testkit.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const muster_plugin *muster_builtin_file(void);

enum { WAIT_MS = 5000, INTERVAL_MS = 5000, PATH_SIZE = 512 };

static muster_testkit_resolver *kit;
static char folder[PATH_SIZE / 2];
static char path[PATH_SIZE];

/* ---- files ---- */

static inline const char *in_folder(const char *name)
{
    static char buffers[4][PATH_SIZE];
    static unsigned next;
    char *buffer = buffers[next++ % 4];

    snprintf(buffer, PATH_SIZE, "%s/%s", folder, name);
    return buffer;
}

static inline void write_bytes(const char *to, const char *text, size_t length)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    cr_assert_geq(fd, 0, "%s: %s", to, strerror(errno));
    cr_assert_eq(write(fd, text, length), (ssize_t)length);
    close(fd);
}

static inline void write_text(const char *to, const char *text)
{
    write_bytes(to, text, strlen(text));
}

static inline void make_folder(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%s/muster-file-XXXXXX",
             base != NULL ? base : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/list", folder);
}

static inline int remove_one(const char *name, const struct stat *info,
                             int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(name);
}

static inline void remove_folder(void)
{
    muster_testkit_resolver_destroy(kit);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- the resolver ---- */

static inline muster_status make(const char *of, const char *interval,
                                 muster_error *err)
{
    muster_attribute option = {"interval", interval};
    muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_file(),
        .path = of,
        .options = &option,
        .n_options = interval != NULL,
    };

    return muster_testkit_resolver_create(&options, &kit, err);
}

static inline const muster_testkit_resolver_seen *seen(void)
{
    return muster_testkit_resolver_get(kit);
}

static inline void start(void)
{
    muster_error err;

    cr_assert_eq(make(path, NULL, &err), MUSTER_OK, "%s", err.message);
    muster_testkit_resolver_start(kit);
}

static inline void start_with(const char *text)
{
    write_text(path, text);
    start();
}

#endif
