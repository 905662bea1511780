/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver with a real agent. */
#include <criterion/criterion.h>

#include <muster/plugin.h>
#include <muster/watch.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consul.h"
#include "watched.h"

const muster_plugin *muster_builtin_consul(void);

/* Both processors may be busy with other tests. */
enum { WAIT_MS = 10000, TARGET_SIZE = 512, N_CHANGES = 30, ROOM_MS = 500 };

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

TestSuite(consul, .init = begin, .fini = end, .timeout = 100);

static void watch_target(const char *scheme, const char *rest)
{
    char target[TARGET_SIZE];
    muster_error err = {.message = ""};

    (void)snprintf(target, sizeof target, "%s%s", scheme, rest);
    cr_assert(watched_begin(&watch, target, &err), "%s: %s", target,
              err.message);
}

/* rest is what follows the address: "/web?passing=off". */
static void watch_service(const char *rest)
{
    char target[TARGET_SIZE];

    (void)snprintf(target, sizeof target, "%s%s", agent.address, rest);
    watch_target("consul://", target);
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

static void expect_first(const char *part)
{
    cr_assert_not_null(strstr(watched_get(&watch).first, part), "have: %s",
                       watched_get(&watch).first);
}

static void add(const char *id, const char *address, const char *more)
{
    cr_assert(consul_register(&agent, id, "web", address, 80, more));
}

/* ---- the list ---- */

Test(consul, lists_the_instances)
{
    add("a", "10.0.0.1", NULL);
    add("b", "10.0.0.2", NULL);
    watch_service("/web");
    expect_list("10.0.0.1:80 10.0.0.2:80");
}

Test(consul, follows_changes)
{
    add("a", "10.0.0.1", NULL);
    watch_service("/web");
    expect_list("10.0.0.1:80");
    add("b", "10.0.0.2", NULL);
    expect_list("10.0.0.1:80 10.0.0.2:80");
    cr_assert(consul_set_check(&agent, "b", "fail"));
    expect_list("10.0.0.1:80");
    cr_assert(consul_set_check(&agent, "b", "pass"));
    expect_list("10.0.0.1:80 10.0.0.2:80");
    cr_assert(consul_deregister(&agent, "a"));
    expect_list("10.0.0.2:80");
}

Test(consul, has_an_empty_list_of_an_unknown_service)
{
    watch_service("/web");
    expect_list("");
    add("a", "10.0.0.1", NULL);
    expect_list("10.0.0.1:80");
}

Test(consul, confirms_an_empty_list_before_it_is_believed)
{
    uint64_t start_ns;

    add("a", "10.0.0.1", NULL);
    watch_service("/web");
    expect_list("10.0.0.1:80");
    start_ns = watched_now_ns();
    cr_assert(consul_deregister(&agent, "a"));
    expect_list("");
    cr_assert_lt(watched_now_ns() - start_ns, 5000000000U);
}

Test(consul, brackets_ipv6_addresses)
{
    add("a", "2001:db8::1", NULL);
    watch_service("/web");
    expect_list("[2001:db8::1]:80");
}

Test(consul, takes_the_address_of_the_node_when_the_service_has_none)
{
    add("a", "", NULL);
    watch_service("/web");
    expect_list("127.0.0.1:80");
}

Test(consul, uses_tagged_addresses)
{
    add("a", "10.0.0.1",
        "\"TaggedAddresses\": {\"wan\": {\"Address\": \"198.51.100.1\", "
        "\"Port\": 8080}},");
    watch_service("/web?address=wan");
    expect_list("198.51.100.1:8080");
}

Test(consul, falls_back_when_there_is_no_such_tagged_address)
{
    add("a", "10.0.0.1", NULL);
    watch_service("/web?address=virtual");
    expect_list("10.0.0.1:80");
}

Test(consul, reads_weight_zone_and_attributes)
{
    add("a", "10.0.0.1",
        "\"Meta\": {\"zone\": \"eu-1\", \"rack\": \"7\"}, \"Tags\": [\"x\", "
        "\"y\"], \"Weights\": {\"Passing\": 5, \"Warning\": 2},");
    watch_service("/web");
    expect_list("10.0.0.1:80");
    expect_first("weight=5 zone=eu-1 ");
    expect_first("datacenter=dc1 ");
    expect_first("id=a ");
    expect_first("meta.rack=7 ");
    expect_first(agent.node);
    expect_first("tags=x,y");
}

Test(consul, leaves_warning_instances_out)
{
    add("a", "10.0.0.1", NULL);
    add("b", "10.0.0.2", NULL);
    cr_assert(consul_set_check(&agent, "b", "warn"));
    watch_service("/web");
    expect_list("10.0.0.1:80");
}

Test(consul, takes_warning_instances_by_their_weight)
{
    add("a", "10.0.0.1", "\"Weights\": {\"Passing\": 5, \"Warning\": 2},");
    add("b", "10.0.0.2", "\"Weights\": {\"Passing\": 5, \"Warning\": 0},");
    add("c", "10.0.0.3", NULL);
    cr_assert(consul_set_check(&agent, "a", "warn"));
    cr_assert(consul_set_check(&agent, "b", "warn"));
    cr_assert(consul_set_check(&agent, "c", "fail"));
    watch_service("/web?passing=off");
    expect_list("10.0.0.1:80");
    expect_first("weight=2 ");
}

/* ---- options ---- */

Test(consul, chooses_by_all_tags)
{
    add("a", "10.0.0.1", "\"Tags\": [\"v1\", \"blue\"],");
    add("b", "10.0.0.2", "\"Tags\": [\"v1\", \"green\"],");
    watch_service("/web?tag=v1,green");
    expect_list("10.0.0.2:80");
}

Test(consul, chooses_by_a_filter)
{
    add("a", "10.0.0.1", "\"Meta\": {\"version\": \"1\"},");
    add("b", "10.0.0.2", "\"Meta\": {\"version\": \"2\"},");
    watch_service("/web?filter=Service.Meta.version%20%3D%3D%20%222%22");
    expect_list("10.0.0.2:80");
}

Test(consul, says_that_a_filter_is_wrong)
{
    watch_service("/web?filter=%3D%3D");
    expect_error("option filter");
}

Test(consul, says_that_a_datacenter_is_unknown)
{
    watch_service("/web?dc=nowhere");
    expect_error("No path to datacenter");
}

Test(consul, says_that_a_namespace_is_not_taken)
{
    watch_service("/web?ns=team");
    expect_error("400");
}

Test(consul, reads_stale_cached_and_consistent)
{
    static const char *const rests[] = {
        "/web?stale=on",    "/web?cached=on",          "/web?consistent=on",
        "/web?near=_agent", "/web?stale=on&cached=on", "/web?dc=dc1"};

    add("a", "10.0.0.1", NULL);
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        watch_service(rests[i]);
        expect_list("10.0.0.1:80");
        if (i + 1 < sizeof rests / sizeof *rests) {
            watched_end(&watch);
        }
    }
}

Test(consul, limits_the_list)
{
    add("a", "10.0.0.1", NULL);
    add("b", "10.0.0.2", NULL);
    add("c", "10.0.0.3", NULL);
    watch_service("/web?limit=2");
    cr_assert(watched_await_count(&watch, 2, WAIT_MS));
}

Test(consul, finds_its_agent_in_the_environment)
{
    char url[TARGET_SIZE];

    (void)snprintf(url, sizeof url, "http://%s", agent.address);
    (void)setenv("CONSUL_HTTP_ADDR", url, 1);
    add("a", "10.0.0.1", NULL);
    watch_target("consul:///", "web");
    expect_list("10.0.0.1:80");
}

Test(consul, waits_as_long_as_it_is_told)
{
    add("a", "10.0.0.1", NULL);
    watch_service("/web?wait=200ms");
    expect_list("10.0.0.1:80");
    add("b", "10.0.0.2", NULL);
    expect_list("10.0.0.1:80 10.0.0.2:80");
}

/* ---- how fast ---- */

static int compare_times(const void *a, const void *b)
{
    const uint64_t *one = a;
    const uint64_t *other = b;

    return *one < *other ? -1 : *one > *other;
}

static uint64_t median(uint64_t *times_ns, size_t n)
{
    qsort(times_ns, n, sizeof *times_ns, compare_times);
    return times_ns[n / 2];
}

Test(consul, sees_a_change_at_once)
{
    uint64_t times_ns[N_CHANGES];
    uint64_t start_ns;
    uint64_t middle_ns;
    char address[32];

    add("a", "10.0.0.1", NULL);
    watch_service("/web");
    expect_list("10.0.0.1:80");
    for (int i = 0; i < N_CHANGES; i++) {
        (void)snprintf(address, sizeof address, "10.0.1.%d", i);
        start_ns = watched_now_ns();
        add("a", address, NULL);
        strcat(address, ":80");
        expect_list(address);
        times_ns[i] = watched_get(&watch).list_ns - start_ns;
        (void)poll(NULL, 0, 110); /* within the bucket: not what is measured */
    }
    middle_ns = median(times_ns, N_CHANGES);
    printf("consul: registered to seen: median %.1f ms, longest %.1f ms\n",
           (double)middle_ns / 1e6, (double)times_ns[N_CHANGES - 1] / 1e6);
    cr_assert_lt(middle_ns, 50000000U);
}

Test(consul, sees_the_last_of_many_changes_soon)
{
    char address[32];
    uint64_t last_ns = 0;
    double took_ms;

    add("a", "10.0.0.1", NULL);
    watch_service("/web");
    expect_list("10.0.0.1:80");
    for (int i = 0; i < 200; i++) {
        (void)snprintf(address, sizeof address, "10.0.1.%d", i);
        add("a", address, NULL);
        last_ns = watched_now_ns();
    }
    strcat(address, ":80");
    expect_list(address);
    took_ms = (double)(int64_t)(watched_get(&watch).list_ns - last_ns) / 1e6;
    printf("consul: the last of 200 changes is seen after %.0f ms\n", took_ms);
    cr_assert_lt(took_ms, 200 + ROOM_MS);
}

/* ---- agents that go and come ---- */

Test(consul, sees_a_change_after_a_restart)
{
    uint64_t start_ns;
    double took_ms;

    for (int i = 0; i < 5; i++) { /* the index is well over the next one's */
        add("a", "10.0.0.1", NULL);
        cr_assert(consul_set_check(&agent, "a", "fail"));
        cr_assert(consul_set_check(&agent, "a", "pass"));
    }
    watch_service("/web");
    expect_list("10.0.0.1:80");
    consul_kill(&agent);
    expect_error("consul http://127.0.0.1:");
    cr_assert(consul_restart(&agent));
    start_ns = watched_now_ns();
    add("b", "10.0.0.2", NULL);
    expect_list("10.0.0.2:80");
    took_ms = (double)(watched_get(&watch).list_ns - start_ns) / 1e6;
    printf("consul: a change after a restart is seen after %.0f ms\n", took_ms);
    cr_assert_lt(took_ms, 1000 + ROOM_MS);
}

/* A restarted agent that has lost all: the list stays while it is filled. */
Test(consul, keeps_the_list_when_a_restarted_agent_is_empty)
{
    add("a", "10.0.0.1", NULL);
    add("b", "10.0.0.2", NULL);
    watch_service("/web");
    expect_list("10.0.0.1:80 10.0.0.2:80");
    consul_kill(&agent);
    expect_error("consul http");
    cr_assert(consul_restart(&agent));
    cr_assert(watched_await_fresh(&watch, 1, WAIT_MS) ||
              watched_get(&watch).is_held);
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80 10.0.0.2:80");
}

Test(consul, keeps_the_list_of_a_frozen_agent)
{
    add("a", "10.0.0.1", NULL);
    watch_service("/web?wait=1s");
    expect_list("10.0.0.1:80");
    consul_freeze(&agent);
    cr_assert(watched_await_error(&watch, "no answer in time", 20000));
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80");
    consul_thaw(&agent);
    add("b", "10.0.0.2", NULL);
    cr_assert(watched_await_count(&watch, 2, 15000));
}

/* ---- a server with data ---- */

static void begin_with_data(void)
{
    begin_with(&(consul_options){.has_data = true, .has_socket = true});
}

TestSuite(consul_data, .init = begin_with_data, .fini = end, .timeout = 100);

Test(consul_data, goes_on_after_a_restart)
{
    add("a", "10.0.0.1", NULL);
    cr_assert(consul_set_check(&agent, "a", "pass")); /* which is stored */
    watch_service("/web");
    expect_list("10.0.0.1:80");
    consul_kill(&agent);
    expect_error("consul http");
    cr_assert(consul_restart(&agent));
    cr_assert(watched_await_fresh(&watch, 1, WAIT_MS));
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80");
    add("b", "10.0.0.2", NULL);
    expect_list("10.0.0.1:80 10.0.0.2:80");
}

Test(consul_data, speaks_through_a_socket)
{
    char target[TARGET_SIZE];

    add("a", "10.0.0.1", NULL);
    (void)snprintf(target, sizeof target, "%s/http.sock/web", agent.folder);
    watch_target("consul+unix://", target);
    expect_list("10.0.0.1:80");
}

Test(consul_data, finds_a_socket_in_the_environment)
{
    char url[TARGET_SIZE];

    (void)snprintf(url, sizeof url, "unix://%s/http.sock", agent.folder);
    (void)setenv("CONSUL_HTTP_ADDR", url, 1);
    add("a", "10.0.0.1", NULL);
    watch_target("consul:", "web");
    expect_list("10.0.0.1:80");
}
