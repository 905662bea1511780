/* SPDX-License-Identifier: Apache-2.0 */
/* The last list in a file, for a start while the agent is down. */
#include <criterion/criterion.h>

#include <muster/plugin.h>

#include <cache.h>
#include <ftw.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "http_server.h"
#include "loopback_port.h"
#include "watched.h"

#define ONE "[{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80}}]"

const muster_plugin *muster_builtin_consul(void);

enum { WAIT_MS = 5000, TEXT_SIZE = 512, DAY_MS = 86400000 };

static http_server *server;
static watched watch;
static char folder[64];
static char *path;
static muster_error err;

static void begin(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/muster-cache-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    path = muster__consul_cache_path(folder, "key");
    cr_assert_not_null(path);
}

static int remove_one(const char *name, const struct stat *info, int type,
                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(name);
}

static void end(void)
{
    http_server_stop(server);
    free(path);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(consul_cache, .init = begin, .fini = end, .timeout = 60);

/* ---- the file ---- */

static void write_one(void)
{
    cr_assert_eq(
        muster__consul_cache_write(path, "key", ONE, strlen(ONE), &err),
        MUSTER_OK, "%s", err.message);
}

static muster_status read_as(const char *key, uint64_t max_age_ms)
{
    muster__consul_cached cached = {.text = NULL};
    muster_status status =
        muster__consul_cache_read(path, key, max_age_ms, &cached, &err);

    if (status == MUSTER_OK) {
        cr_assert_eq(cached.size, strlen(ONE));
        cr_assert_eq(memcmp(cached.body, ONE, cached.size), 0);
    }
    free(cached.text);
    return status;
}

static void expect_refused(const char *why)
{
    cr_assert_eq(read_as("key", DAY_MS), MUSTER_INVAL);
    cr_assert_not_null(strstr(err.message, why), "%s", err.message);
}

Test(consul_cache, reads_what_was_written)
{
    write_one();
    cr_assert_eq(read_as("key", DAY_MS), MUSTER_OK, "%s", err.message);
    write_one();
    cr_assert_eq(read_as("key", DAY_MS), MUSTER_OK, "%s", err.message);
}

Test(consul_cache, knows_that_there_is_none)
{
    cr_assert_eq(read_as("key", DAY_MS), MUSTER_NOTFOUND);
}

Test(consul_cache, refuses_what_is_of_another_target)
{
    write_one();
    cr_assert_eq(read_as("other", DAY_MS), MUSTER_INVAL);
    cr_assert_eq(read_as("ke", DAY_MS), MUSTER_INVAL);
}

Test(consul_cache, refuses_what_is_old)
{
    write_one();
    (void)poll(NULL, 0, 5);
    cr_assert_eq(read_as("key", 1), MUSTER_INVAL);
    cr_assert_not_null(strstr(err.message, "too old"));
}

/* As by a clock that was wrong: it would stay young until that time comes. */
Test(consul_cache, refuses_what_is_of_the_future)
{
    static const char line[] = "9999999999999 key\n" ONE;
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    (void)fprintf(file, "muster consul 1 %016llx\n%s",
                  (unsigned long long)XXH64(line, sizeof line - 1, 0), line);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(path, 0600), 0);
    expect_refused("in the future");
}

Test(consul_cache, refuses_what_is_damaged)
{
    char text[TEXT_SIZE];
    size_t size;
    FILE *file;

    write_one();
    file = fopen(path, "r");
    size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    for (size_t i = 0; i < size; i++) { /* a byte each, and a cut there */
        for (int is_cut = 0; is_cut < 2; is_cut++) {
            file = fopen(path, "w");
            text[i] ^= 1;
            (void)fwrite(text, 1, is_cut ? i : size, file);
            text[i] ^= 1;
            (void)fclose(file);
            cr_assert_neq(read_as("key", DAY_MS), MUSTER_OK, "byte %zu", i);
        }
    }
}

Test(consul_cache, refuses_what_others_may_write)
{
    write_one();
    cr_assert_eq(chmod(path, 0666), 0);
    expect_refused("not this user's alone");
}

Test(consul_cache, is_for_its_user_alone)
{
    struct stat info;

    write_one();
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);
}

/* ---- the resolver ---- */

static atomic_bool has_forgotten; /* as an agent that has just begun */

static bool lists_one(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (atomic_load(&has_forgotten) &&
        strstr(exchange->target, "index=") == NULL) {
        return http_list(exchange, "5", "[]");
    }
    return strstr(exchange->target, "index=") != NULL
               ? http_wait(exchange, 60000)
               : http_list(exchange, "5", ONE);
}

static void watch_at(int port)
{
    char target[TEXT_SIZE];

    (void)snprintf(target, sizeof target, "consul://127.0.0.1:%d/web?cache=%s",
                   port, folder);
    cr_assert(watched_begin(&watch, target, &err), "%s", err.message);
}

Test(consul_cache, lets_a_program_start_while_the_agent_is_down)
{
    int port;

    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    server = http_server_start(lists_one, NULL);
    cr_assert_not_null(server);
    port = http_server_port(server);
    watch_at(port);
    cr_assert(watched_await_list(&watch, "10.0.0.1:80", WAIT_MS));
    watched_end(&watch);
    http_server_stop(server);
    server = NULL;
    watch_at(port);
    cr_assert(watched_await_list(&watch, "10.0.0.1:80", WAIT_MS));
    cr_assert(watched_await_error(&watch, "cannot connect", WAIT_MS));
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80");
    watched_end(&watch);
}

Test(consul_cache, is_not_emptied_by_an_agent_that_has_just_begun)
{
    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    server = http_server_start(lists_one, NULL);
    cr_assert_not_null(server);
    watch_at(http_server_port(server));
    cr_assert(watched_await_list(&watch, "10.0.0.1:80", WAIT_MS));
    watched_end(&watch);
    atomic_store(&has_forgotten, true);
    watch_at(http_server_port(server));
    for (int i = 0; i < WAIT_MS && !watched_get(&watch).is_held; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert(watched_get(&watch).is_held);
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80");
    watched_end(&watch);
}
