/* SPDX-License-Identifier: Apache-2.0 */
/* Calls while a real Consul agent's list changes, and while it is away. */
#include <criterion/criterion.h>

#include <muster/grpc.h>
#include <muster/plugin.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "cluster.h"
#include "consul.h"
#include "limit.h"
#include "load.h"
#include "scale.h"

const muster_plugin *muster_builtin_consul(void);

enum {
    N_SERVERS = 3,
    N_IN_FLIGHT = 8,
    CHANGE_MS = 120,
    WAIT_S = 10,
    TARGET_SIZE = 128
};

static consul agent;
static backend servers[N_SERVERS];
static muster_channel *channel;

static void add_server(int i)
{
    char id[16];

    (void)snprintf(id, sizeof id, "server-%d", i);
    cr_assert(consul_register(&agent, id, "echo", "127.0.0.1", servers[i].port,
                              NULL));
}

static void set_check(int i, const char *status)
{
    char id[16];

    (void)snprintf(id, sizeof id, "server-%d", i);
    cr_assert(consul_set_check(&agent, id, status));
}

static void remove_server(int i)
{
    char id[16];

    (void)snprintf(id, sizeof id, "server-%d", i);
    cr_assert(consul_deregister(&agent, id));
}

static void register_resolver(void)
{
    muster_error err;

    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
}

static void open_channel(void)
{
    char target[TARGET_SIZE];
    muster_error err;

    (void)snprintf(target, sizeof target, "consul://%s/echo", agent.address);
    cr_assert_eq(muster_grpc_channel_create(target, NULL, NULL, &channel, &err),
                 MUSTER_OK, "%s", err.message);
}

static void begin(void)
{
    register_resolver();
    cr_assert(consul_start(&agent, &(consul_options){.has_data = true}));
    for (int i = 0; i < N_SERVERS; i++) {
        cr_assert(backend_start(&servers[i], NULL));
    }
    add_server(0);
    set_check(0, "pass"); /* which outlives a restart of the agent */
    open_channel();
}

static void end(void)
{
    muster_channel_destroy(channel);
    for (int i = 0; i < N_SERVERS; i++) {
        backend_kill(&servers[i]);
    }
    consul_fini(&agent);
}

TestSuite(consul_changes, .init = begin, .fini = end, .timeout = 280);

/* A busy machine may be late; in a full run it may not. */
static double in_time_ms(uint64_t full_ms, uint64_t quick_ms)
{
    return (double)limit_ns(scale_is_full() ? full_ms : quick_ms) / 1e6;
}

/* Waits until a call has ended on server i; answers how long that took. */
static double await_calls_on(const load *calls, int i)
{
    const uint64_t start_ns = now_ns();
    const uint64_t before = load_answered_by(calls, servers[i].port);

    while (load_answered_by(calls, servers[i].port) == before) {
        cr_assert_lt(now_ns() - start_ns, (uint64_t)WAIT_S * 1000000000);
        (void)poll(NULL, 0, 1);
    }
    return (double)(now_ns() - start_ns) / 1e6;
}

/* Server 0 stays; the others come, fail, recover and go. Each that comes is
 * called: how soon, another test shows. */
static void change(const load *calls, size_t step)
{
    int i = step % 8 < 4 ? 1 : 2;

    switch (step % 4) {
    case 0:
        add_server(i);
        (void)await_calls_on(calls, i);
        return;
    case 1:
        set_check(i, "fail");
        return;
    case 2:
        set_check(i, "pass");
        return;
    default:
        remove_server(i);
    }
}

Test(consul_changes, lose_no_call)
{
    const size_t n_changes = scale(24, 500);
    load *calls = load_start_queued(channel, N_IN_FLIGHT);

    (void)await_calls_on(calls, 0);
    for (size_t step = 0; step < n_changes; step++) {
        change(calls, step);
        (void)poll(NULL, 0, CHANGE_MS);
    }
    load_stop(calls);
    printf("consul: %zu changes, %llu calls, %llu failed\n", n_changes,
           (unsigned long long)load_ended(calls),
           (unsigned long long)load_failed(calls));
    cr_assert_eq(load_failed(calls), 0);
    cr_assert_gt(load_answered_by(calls, servers[1].port), 0);
    cr_assert_gt(load_answered_by(calls, servers[2].port), 0);
    load_destroy(calls);
}

Test(consul_changes, bring_calls_at_once)
{
    load *calls = load_start_queued(channel, N_IN_FLIGHT);
    double took_ms;

    (void)await_calls_on(calls, 0);
    add_server(1);
    took_ms = await_calls_on(calls, 1);
    printf("consul: registered, its first call ended %.1f ms later\n", took_ms);
    cr_assert_lt(took_ms, in_time_ms(50, 500));
    load_stop(calls);
    load_destroy(calls);
}

Test(consul_changes, lose_no_call_while_the_agent_is_away)
{
    load *calls = load_start_queued(channel, N_IN_FLIGHT);

    (void)await_calls_on(calls, 0);
    consul_kill(&agent);
    (void)poll(NULL, 0, (int)scale(3000, 120000));
    cr_assert_eq(load_failed(calls), 0);
    cr_assert(consul_restart(&agent));
    add_server(1);
    (void)await_calls_on(calls, 1);
    load_stop(calls);
    cr_assert_eq(load_failed(calls), 0);
    load_destroy(calls);
}

/* ---- an agent that was never there ---- */

/* Milliseconds that a call takes to fail as it should. */
static double fail_call(void)
{
    muster_call_result result = {.struct_size = sizeof result};
    const uint64_t start_ns = now_ns();
    muster_call *call = NULL;
    double took_ms;

    cr_assert_eq(
        muster_call_create(channel, "/echo.Echo/Unary", NULL, &call, NULL),
        MUSTER_OK);
    (void)muster_call_unary(call, NULL);
    took_ms = (double)(now_ns() - start_ns) / 1e6;
    muster_call_get_result(call, &result);
    cr_expect_eq(result.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_not_null(strstr(result.message, "cannot connect"), "%s",
                       result.message);
    muster_call_destroy(call);
    return took_ms;
}

Test(consul_away, fails_calls_at_once_and_says_why)
{
    loopback_port port;
    char target[TARGET_SIZE];
    double first_ms;
    double next_ms;

    register_resolver();
    cr_assert(loopback_port_take(&port, AF_INET));
    (void)snprintf(target, sizeof target, "consul://127.0.0.1:%d/echo",
                   port.number);
    cr_assert_eq(muster_grpc_channel_create(target, NULL, NULL, &channel, NULL),
                 MUSTER_OK);
    first_ms = fail_call();
    next_ms = fail_call();
    printf("consul: calls without an agent fail after %.1f ms, then %.1f ms\n",
           first_ms, next_ms);
    cr_expect_lt(first_ms, in_time_ms(10, 200));
    muster_channel_destroy(channel);
    loopback_port_release(&port);
}
