/* SPDX-License-Identifier: Apache-2.0 */
/* Agents that are given by name: a plugin of the test's serves names, so that
 * it decides what they resolve to, and when. */
#include <criterion/criterion.h>

#include <muster/plugin.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_server.h"
#include "watched.h"

const muster_plugin *muster_builtin_consul(void);

enum { WAIT_MS = 10000, TARGET_SIZE = 256, BLOCKED_MS = 60000 };

static http_server *server;
static watched watch;
static watched other;

/* ---- names ---- */

/* The last byte of what agent.test resolves to: 127.0.0.N. */
static atomic_int last_byte = 1;
static atomic_uint n_lookups;

static muster_status names_create(const muster_resolver_env *env,
                                  void **ret_self, muster_error *err)
{
    (void)err;
    *ret_self = (void *)env;
    return MUSTER_OK;
}

static void names_start(void *self)
{
    const muster_resolver_env *env = self;
    char address[32];
    const muster_endpoint endpoint = {.address = address};

    if (strcmp(env->path, "silent.test") == 0) {
        return;
    }
    atomic_fetch_add(&n_lookups, 1);
    (void)snprintf(address, sizeof address, "127.0.0.%d:1",
                   atomic_load(&last_byte));
    (void)muster_report(env, &endpoint, 1);
}

static void names_free(void *self)
{
    (void)self;
}

static const muster_resolver_class names_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "dns",
    .create = names_create,
    .start = names_start,
    .free = names_free,
};

static const muster_plugin *names_plugin(void)
{
    static const muster_resolver_class *const classes[] = {&names_class};
    static const muster_plugin plugin = {
        .struct_size = (uint32_t)sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "names",
        .resolvers = classes,
        .n_resolvers = 1,
    };

    return &plugin;
}

/* ---- the agent ---- */

static atomic_int generation;

/* A list of one address, 10.0.0.GENERATION, again when that changes. */
static bool answers(void *arg, http_exchange *exchange)
{
    const char *index = strstr(exchange->target, "index=");
    int known = index != NULL ? atoi(index + strlen("index=")) : 0;
    int now = 0;
    char body[128];
    char header[32];

    (void)arg;
    while ((now = atomic_load(&generation)) == known) {
        if (!http_wait(exchange, 1)) {
            return false;
        }
    }
    (void)snprintf(header, sizeof header, "%d", now);
    (void)snprintf(body, sizeof body,
                   "[{\"Service\":{\"Address\":\"10.0.0.%d\",\"Port\":80}}]",
                   now);
    return http_list(exchange, header, body);
}

static void begin(void)
{
    muster_error err;

    cr_assert_eq(muster_plugin_register(names_plugin, &err), MUSTER_OK, "%s",
                 err.message);
    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    atomic_store(&generation, 1);
    server = http_server_start(answers, NULL);
    cr_assert_not_null(server);
}

static void end(void)
{
    watched_end(&watch);
    watched_end(&other);
    http_server_stop(server);
}

TestSuite(consul_names, .init = begin, .fini = end, .timeout = 60);

static void watch_at(watched *to, const char *host)
{
    char target[TARGET_SIZE];
    muster_error err;

    (void)snprintf(target, sizeof target, "consul://%s:%d/web", host,
                   http_server_port(server));
    cr_assert(watched_begin(to, target, &err), "%s", err.message);
}

static void expect_list(watched *of, const char *addresses)
{
    cr_assert(watched_await_list(of, addresses, WAIT_MS), "have %s; %s",
              watched_get(of).addresses, watched_get(of).message);
}

Test(consul_names, resolves_the_name_of_its_agent)
{
    watch_at(&watch, "agent.test");
    expect_list(&watch, "10.0.0.1:80");
    watch_at(&other, "127.0.0.1");
    expect_list(&other, "10.0.0.1:80");
}

Test(consul_names, looks_the_name_up_again_when_connecting_fails)
{
    atomic_store(&last_byte, 2); /* where nobody listens */
    watch_at(&watch, "agent.test");
    watch_at(&other, "127.0.0.1");
    expect_list(&other, "10.0.0.1:80");
    cr_assert(watched_await_error(&watch, "cannot connect", WAIT_MS));
    atomic_store(&last_byte, 1);
    expect_list(&watch, "10.0.0.1:80");
    cr_assert_geq(atomic_load(&n_lookups), 2);
}

static uint64_t close_watch(void)
{
    uint64_t start_ns = watched_now_ns();
    uint64_t ended_ns;

    muster_watch_destroy(watch.watch);
    ended_ns = watched_now_ns();
    watch.watch = NULL;
    return ended_ns - start_ns;
}

static void watch_silent(void)
{
    watch_at(&watch, "silent.test");
    (void)poll(NULL, 0, 200);
}

/* libcurl by itself would wait for its thread, every time; other programs take
 * the processors now and then. */
Test(consul_names, ends_at_once_while_its_name_is_looked_up)
{
    uint64_t shortest_ns = UINT64_MAX;

    watch_at(&other, "127.0.0.1");
    expect_list(&other, "10.0.0.1:80");
    for (int i = 0; i < 5; i++) {
        uint64_t took_ns;

        watch_silent();
        took_ns = close_watch();
        shortest_ns = took_ns < shortest_ns ? took_ns : shortest_ns;
    }
    printf("consul: closed while its name does not resolve: %.2f ms\n",
           (double)shortest_ns / 1e6);
    cr_assert_lt(shortest_ns, 10000000U);
}

/* How long the other's change to 10.0.0.TO takes to be seen. */
static uint64_t change_other(int to)
{
    uint64_t start_ns = watched_now_ns();
    char address[32];

    atomic_store(&generation, to);
    (void)snprintf(address, sizeof address, "10.0.0.%d:80", to);
    expect_list(&other, address);
    return watched_get(&other).list_ns - start_ns;
}

/* The shortest of three, each beside a lookup of its own. */
Test(consul_names, delays_nobody_while_a_name_is_looked_up)
{
    uint64_t shortest_ns = UINT64_MAX;

    watch_at(&other, "127.0.0.1");
    watch_silent();
    expect_list(&other, "10.0.0.1:80");
    for (int to = 2; to < 5; to++) {
        uint64_t took_ns = change_other(to);

        shortest_ns = took_ns < shortest_ns ? took_ns : shortest_ns;
        (void)close_watch();
        watch_silent();
    }
    cr_assert_lt(shortest_ns, 500000000U);
}
