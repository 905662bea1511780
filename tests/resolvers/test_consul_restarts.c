/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver and agents that go and come back. */
#include <criterion/criterion.h>

#include <muster/plugin.h>
#include <muster/watch.h>

#include <poll.h>
#include <stdio.h>

#include "consul.h"
#include "watched.h"

const muster_plugin *muster_builtin_consul(void);

/* Both processors may be busy with other tests. */
enum { WAIT_MS = 30000, TARGET_SIZE = 128, ROOM_MS = 500 };

static consul agent;
static watched watch;

static void begin_with(const consul_options *options)
{
    muster_error err;

    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    cr_assert(consul_start(&agent, options));
}

static void begin(void)
{
    begin_with(NULL);
}

static void end(void)
{
    watched_end(&watch);
    consul_fini(&agent);
}

TestSuite(consul_restarts, .init = begin, .fini = end, .timeout = 100);

/* options are as "?wait=1s". */
static void watch_service(const char *options)
{
    char target[TARGET_SIZE];
    muster_error err = {.message = ""};

    (void)snprintf(target, sizeof target, "consul://%s/web%s", agent.address,
                   options);
    cr_assert(watched_begin(&watch, target, &err), "%s: %s", target,
              err.message);
}

static void expect_list(const char *addresses)
{
    cr_assert(watched_await_list(&watch, addresses, WAIT_MS),
              "expected %s, have %s; %s", addresses,
              watched_get(&watch).addresses, watched_get(&watch).message);
}

static void expect_error(const char *part)
{
    cr_assert(watched_await_error(&watch, part, WAIT_MS), "have: %s",
              watched_get(&watch).message);
}

static void add(const char *id, const char *address)
{
    cr_assert(consul_register(&agent, id, "web", address, 80, NULL));
}

Test(consul_restarts, sees_a_change_after_a_restart)
{
    uint64_t start_ns;
    double took_ms;

    for (int i = 0; i < 5; i++) { /* the index is well over the next one's */
        add("a", "10.0.0.1");
        cr_assert(consul_set_check(&agent, "a", "fail"));
        cr_assert(consul_set_check(&agent, "a", "pass"));
    }
    /* The agent may take more than 5 s to start, and then was gone for long. */
    watch_service("?max_backoff=500ms");
    expect_list("10.0.0.1:80");
    consul_kill(&agent);
    expect_error("consul http://127.0.0.1:");
    cr_assert(consul_restart(&agent));
    start_ns = watched_now_ns();
    add("b", "10.0.0.2");
    expect_list("10.0.0.2:80");
    took_ms = (double)(watched_get(&watch).list_ns - start_ns) / 1e6;
    printf("consul: a change after a restart is seen after %.0f ms\n", took_ms);
    cr_assert_lt(took_ms, 1000 + ROOM_MS);
}

/* A restarted agent that has lost all: the list stays while it is filled. */
Test(consul_restarts, keeps_the_list_when_a_restarted_agent_is_empty)
{
    add("a", "10.0.0.1");
    add("b", "10.0.0.2");
    watch_service("");
    expect_list("10.0.0.1:80 10.0.0.2:80");
    consul_kill(&agent);
    expect_error("consul http");
    cr_assert(consul_restart(&agent));
    for (int i = 0; i < WAIT_MS && !watched_get(&watch).is_held; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert(watched_get(&watch).is_held);
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80 10.0.0.2:80");
}

/* ---- a server with data ---- */

static void begin_with_data(void)
{
    begin_with(&(consul_options){.has_data = true});
}

TestSuite(consul_data, .init = begin_with_data, .fini = end, .timeout = 100);

Test(consul_data, goes_on_after_a_restart)
{
    add("a", "10.0.0.1");
    cr_assert(consul_set_check(&agent, "a", "pass")); /* which is stored */
    watch_service("");
    expect_list("10.0.0.1:80");
    consul_kill(&agent);
    expect_error("consul http");
    cr_assert(consul_restart(&agent));
    cr_assert(watched_await_fresh(&watch, 1, WAIT_MS));
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80");
    add("b", "10.0.0.2");
    expect_list("10.0.0.1:80 10.0.0.2:80");
}
