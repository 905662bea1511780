/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader refuses after it has mapped a plugin, and how it holds one.
 */
#include "plugin_files.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry.h"

static const char *folder;

static void set_up(void)
{
    folder = folder_make();
}

TestSuite(plugin_entry, .init = set_up, .fini = folder_remove);

static void expect_refused(const char *path, const char *text)
{
    muster_error err = {.code = MUSTER_OK, .message = ""};

    cr_expect_eq(muster_plugin_load(path, &err), MUSTER_ABI, "%s", err.message);
    cr_expect_not_null(strstr(err.message, text), "no \"%s\" in: %s", text,
                       err.message);
}

/* As good as muster_good.so, but for the name of what it exports. */
static void write_without_entry(const char *path)
{
    file_image image = image_read("muster_good.so");

    image_replace(&image, "muster_plugin_entry", "muster_plugin_entrz");
    image_write(&image, path);
}

Test(plugin_entry, refuses_a_symbol_that_nobody_has)
{
    plugin_copy("muster_undefined.so", folder, "muster_undefined.so");
    expect_refused(path_in(folder, "muster_undefined.so"), "nobody_has_this");
}

Test(plugin_entry, refuses_a_plugin_without_the_symbol)
{
    const char *path = path_in(folder, "muster_good.so");

    write_without_entry(path);
    expect_refused(path, "exports no muster_plugin_entry()");
}

Test(plugin_entry, refuses_a_descriptor_that_differs_from_the_note)
{
    const char *path = path_in(folder, "muster_good.so");
    file_image image = image_read("muster_good.so");

    memcpy(image_note(&image)->text, "good\0resolver:goof", 18);
    image_write(&image, path);
    expect_refused(path, "its descriptor and its note differ");
}

Test(plugin_entry, refuses_a_descriptor_with_fewer_classes_than_the_note)
{
    const char *path = path_in(folder, "muster_good.so");
    file_image image = image_read("muster_good.so");

    memcpy(image_note(&image)->text, "good\0resolver:good\0balancer:good", 32);
    image_write(&image, path);
    expect_refused(path, "its descriptor and its note differ");
}

/* ---- the descriptor the plugin is held by ---- */

/* The fd that is open on path, or -1. */
static int find_fd(const char *path)
{
    DIR *fds = opendir("/proc/self/fd");
    const struct dirent *entry;
    int found = -1;

    cr_assert_not_null(fds);
    while ((entry = readdir(fds)) != NULL) {
        char target[4096] = "";

        if (readlinkat(dirfd(fds), entry->d_name, target, sizeof target - 1) >
                0 &&
            strcmp(target, path) == 0) {
            found = atoi(entry->d_name);
        }
    }
    (void)closedir(fds);
    return found;
}

Test(plugin_entry, keeps_its_file_open_until_exec)
{
    const char *path = path_in(folder, "muster_good.so");
    int fd;

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(muster_plugin_load(path, NULL), MUSTER_OK);
    fd = find_fd(path);
    cr_assert_geq(fd, 0);
    cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

Test(plugin_entry, keeps_no_refused_file_open)
{
    const char *path = path_in(folder, "muster_good.so");
    const char *undefined = path_in(folder, "muster_undefined.so");
    file_image image = image_read("muster_good.so");

    image_note(&image)->abi_minor++;
    image_write(&image, path);
    cr_assert_eq(muster_plugin_load(path, NULL), MUSTER_ABI);
    cr_expect_eq(find_fd(path), -1);
    plugin_copy("muster_undefined.so", folder, "muster_undefined.so");
    cr_assert_eq(muster_plugin_load(undefined, NULL), MUSTER_ABI);
    cr_expect_eq(find_fd(undefined), -1);
}

static size_t count_fds(void)
{
    DIR *fds = opendir("/proc/self/fd");
    size_t n = 0;

    cr_assert_not_null(fds);
    while (readdir(fds) != NULL) {
        n++;
    }
    (void)closedir(fds);
    return n;
}

Test(plugin_entry, opens_nothing_more_when_a_refused_file_is_tried_again)
{
    const char *path = path_in(folder, "muster_good.so");
    size_t n_fds;

    write_without_entry(path);
    expect_refused(path, "exports no muster_plugin_entry()");
    n_fds = count_fds();
    for (int i = 0; i < 100; i++) {
        expect_refused(path, "exports no muster_plugin_entry()");
        cr_assert_eq(muster_plugin_load(path, NULL), MUSTER_ABI);
    }
    cr_expect_eq(count_fds(), n_fds);
}

Test(plugin_entry, loads_a_file_that_replaces_a_refused_one)
{
    const char *path = path_in(folder, "muster_good.so");
    muster_error err = {.message = ""};

    write_without_entry(path);
    cr_assert_eq(muster_plugin_load(path, NULL), MUSTER_ABI);
    cr_assert_eq(unlink(path), 0);
    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_expect_eq(muster_plugin_load(path, &err), MUSTER_OK, "%s", err.message);
}

Test(plugin_entry, tells_two_plugins_apart_although_a_number_was_free)
{
    const muster_resolver_class *resolver = NULL;
    const muster_balancer_class *balancer = NULL;
    muster__plugin *plugin = NULL;

    plugin_copy("muster_good.so", folder, "muster_good.so");
    plugin_copy("muster_reentrant.so", folder, "muster_reentrant.so");
    cr_assert_eq(muster_plugin_load(path_in(folder, "muster_good.so"), NULL),
                 MUSTER_OK);
    cr_assert_eq(
        muster_plugin_load(path_in(folder, "muster_reentrant.so"), NULL),
        MUSTER_OK);
    cr_assert_eq(muster__registry_resolver("good", &resolver, &plugin, NULL),
                 MUSTER_OK);
    cr_expect_str_eq(resolver->scheme, "good");
    cr_assert_eq(
        muster__registry_balancer("reentrant_first", &balancer, &plugin, NULL),
        MUSTER_OK);
    cr_expect_str_eq(balancer->name, "reentrant_first");
}

/* ---- a crash in a constructor ---- */

/* Async-signal-safe enough: the child ends by SIGKILL. */
static void log_to_fd(void *arg, muster_log_level level, const char *message)
{
    const int *fd = arg;

    (void)level;
    (void)dprintf(*fd, "%s\n", message);
}

static _Noreturn void load_and_report(const char *path, int fd)
{
    muster_log_set(log_to_fd, &fd, MUSTER_LOG_DEBUG);
    (void)muster_plugin_load(path, NULL);
    _exit(0);
}

/* Reads to the end of the stream; returns the last line. */
static const char *last_line(int fd, char *buffer, size_t size)
{
    size_t used = 0;
    ssize_t n;
    char *newline;

    while ((n = read(fd, buffer + used, size - 1 - used)) > 0) {
        used += (size_t)n;
    }
    buffer[used] = '\0';
    if (used > 0) {
        buffer[used - 1] = '\0';
    }
    newline = strrchr(buffer, '\n');
    return newline == NULL ? buffer : newline + 1;
}

Test(plugin_entry, names_the_plugin_last_when_its_constructor_crashes)
{
    const char *path = path_in(folder, "muster_crash.so");
    char buffer[4096];
    const char *line;
    int fds[2];
    int state = 0;
    pid_t child;

    plugin_copy("muster_crash.so", folder, "muster_crash.so");
    cr_assert_eq(pipe(fds), 0);
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        load_and_report(path, fds[1]);
    }
    (void)close(fds[1]);
    line = last_line(fds[0], buffer, sizeof buffer);
    cr_assert_eq(waitpid(child, &state, 0), child);
    cr_expect(WIFSIGNALED(state));
    cr_expect_not_null(strstr(line, path), "%s", line);
    (void)close(fds[0]);
}

/* ---- a constructor that calls muster ---- */

static muster_status reentrant_statuses[3];
static bool reentrant_has_scheme;

/* Called by muster_reentrant.so's constructor, inside dlopen(). */
__attribute__((visibility("default"))) void test_called_by_constructor(void);

void test_called_by_constructor(void)
{
    const muster_balancer_class *balancer;
    muster__plugin *plugin;

    reentrant_statuses[0] =
        muster_plugin_load(path_in(folder, "muster_good.so"), NULL);
    reentrant_statuses[1] =
        muster__registry_balancer("reentrant_first", &balancer, &plugin, NULL);
    reentrant_statuses[2] =
        muster__registry_balancer("round_robin", &balancer, &plugin, NULL);
    reentrant_has_scheme = muster__registry_find_scheme("good") == MUSTER_OK;
}

Test(plugin_entry, does_not_deadlock_when_a_constructor_calls_muster,
     .timeout = 10)
{
    plugin_copy("muster_good.so", folder, "muster_good.so");
    plugin_copy("muster_reentrant.so", folder, "muster_reentrant.so");
    cr_assert_eq(muster_plugin_path_add(folder), MUSTER_OK);
    cr_assert_eq(
        muster_plugin_load(path_in(folder, "muster_reentrant.so"), NULL),
        MUSTER_OK);
    cr_expect_eq(reentrant_statuses[0], MUSTER_WOULD_DEADLOCK);
    cr_expect_eq(reentrant_statuses[1], MUSTER_NOTFOUND);
    cr_expect_eq(reentrant_statuses[2], MUSTER_OK);
    cr_expect(reentrant_has_scheme);
}
