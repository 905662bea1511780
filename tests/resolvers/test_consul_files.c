/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver and files that are none: the control thread must not wait
 * for them. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consul_scene.h"

enum { PATH_SIZE = 96, TOKEN_MAX = 4095 };

static char folder[PATH_SIZE / 2];
static char path[PATH_SIZE];

static bool lists_one(void *arg, http_exchange *exchange)
{
    (void)arg;
    return scene_is_blocking(exchange) ? http_wait(exchange, SCENE_BLOCKED_MS)
                                       : http_list(exchange, "5", SCENE_ONE);
}

static void begin(void)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(folder, sizeof folder, "%s/muster-files-XXXXXX",
                   base != NULL ? base : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/file", folder);
    scene_prepare(lists_one);
}

static void end(void)
{
    scene_end();
    (void)unlink(path);
    (void)rmdir(folder);
}

TestSuite(consul_files, .init = begin, .fini = end, .timeout = 20);

static void watch_service(const char *rest)
{
    char target[SCENE_TARGET_SIZE];
    muster_error err;

    scene_target(target, rest);
    cr_assert(watched_begin(&scene.watch, target, &err), "%s", err.message);
}

/* ---- TLS ---- */

static void expect_refused(const char *variable, const char *file,
                           const char *why)
{
    char message[SCENE_TARGET_SIZE];

    (void)setenv(variable, file, 1);
    watch_service("web?tls=on");
    (void)snprintf(message, sizeof message, "TLS: environment %s: \"%s\" %s",
                   variable, file, why);
    scene_expect_error(message);
    watched_end(&scene.watch);
    (void)unsetenv(variable);
}

Test(consul_files, are_not_waited_for_when_they_are_fifos)
{
    static const char *const variables[] = {
        "CONSUL_CACERT", "CONSUL_CLIENT_CERT", "CONSUL_CLIENT_KEY"};

    cr_assert_eq(mkfifo(path, 0600), 0);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        expect_refused(variables[i], path, "is not a regular file");
    }
    expect_refused("CONSUL_CAPATH", path, "is not a folder");
}

Test(consul_files, are_not_read_when_they_are_devices)
{
    expect_refused("CONSUL_CACERT", "/dev/zero", "is not a regular file");
}

Test(consul_files, are_not_looked_for_in_folders)
{
    expect_refused("CONSUL_CLIENT_CERT", folder, "is not a regular file");
}

Test(consul_files, may_not_be_there)
{
    (void)setenv("CONSUL_CACERT", path, 1);
    watch_service("web?tls=on");
    scene_expect_error("TLS: error setting certificate file");
}

/* ---- tokens ---- */

static void expect_no_token(const char *file, const char *why)
{
    char target[SCENE_TARGET_SIZE];

    (void)snprintf(target, sizeof target, "web?token_file=%s", file);
    watch_service(target);
    scene_expect_error(why);
}

Test(consul_files, are_no_tokens_when_they_are_fifos)
{
    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_no_token(path, "it is not a regular file");
}

Test(consul_files, are_no_tokens_when_they_are_devices)
{
    expect_no_token("/dev/zero", "it is not a regular file");
}

static void write_token(size_t length)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    for (size_t i = 0; i < length; i++) {
        (void)fputc('a', file);
    }
    cr_assert_eq(fclose(file), 0);
}

Test(consul_files, are_no_tokens_when_they_are_too_long)
{
    write_token(TOKEN_MAX + 1);
    expect_no_token(path, "it is over 4095 bytes long");
}

Test(consul_files, have_long_tokens)
{
    char target[SCENE_TARGET_SIZE];

    write_token(TOKEN_MAX);
    (void)snprintf(target, sizeof target, "web?token_file=%s", path);
    watch_service(target);
    scene_expect_list("10.0.0.1:80");
}
