/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver with a real agent. All tests share it; the service of
 * each is called as the test is. */
#include <criterion/criterion.h>
#include <criterion/hooks.h>

#include <muster/plugin.h>
#include <muster/watch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consul_shared.h"
#include "watched.h"

const muster_plugin *muster_builtin_consul(void);

/* Both processors may be busy with other tests. */
enum { WAIT_MS = 10000, TARGET_SIZE = 512, ROOM_MS = 500, ID_SIZE = 96 };

static consul agent;
static watched watch;

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    consul_share(&(consul_options){.has_socket = true});
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    (void)stats;
    consul_unshare();
}

static void begin(void)
{
    muster_error err;

    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    cr_assert(consul_find_shared(&agent));
}

static void end(void)
{
    watched_end(&watch);
}

TestSuite(consul, .init = begin, .fini = end, .timeout = 60);

static const char *service(void)
{
    return criterion_current_test->name;
}

static void watch_target(const char *scheme, const char *rest)
{
    char target[TARGET_SIZE];
    muster_error err = {.message = ""};

    (void)snprintf(target, sizeof target, "%s%s", scheme, rest);
    cr_assert(watched_begin(&watch, target, &err), "%s: %s", target,
              err.message);
}

/* rest is what follows the service: "?passing=off". */
static void watch_service(const char *rest)
{
    char target[TARGET_SIZE];

    (void)snprintf(target, sizeof target, "%s/%s%s", agent.address, service(),
                   rest);
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

/* The agent's name for an instance of this test. */
static const char *full_id(const char *id)
{
    static char text[ID_SIZE];

    (void)snprintf(text, sizeof text, "%s-%s", service(), id);
    return text;
}

static void add(const char *id, const char *address, const char *more)
{
    cr_assert(
        consul_register(&agent, full_id(id), service(), address, 80, more));
}

static void set_check(const char *id, const char *status)
{
    cr_assert(consul_set_check(&agent, full_id(id), status));
}

static void remove_instance(const char *id)
{
    cr_assert(consul_deregister(&agent, full_id(id)));
}

/* ---- the list ---- */

Test(consul, lists_the_instances)
{
    add("a", "10.0.0.1", NULL);
    add("b", "10.0.0.2", NULL);
    watch_service("");
    expect_list("10.0.0.1:80 10.0.0.2:80");
}

Test(consul, follows_changes)
{
    add("a", "10.0.0.1", NULL);
    watch_service("");
    expect_list("10.0.0.1:80");
    add("b", "10.0.0.2", NULL);
    expect_list("10.0.0.1:80 10.0.0.2:80");
    set_check("b", "fail");
    expect_list("10.0.0.1:80");
    set_check("b", "pass");
    expect_list("10.0.0.1:80 10.0.0.2:80");
    remove_instance("a");
    expect_list("10.0.0.2:80");
}

Test(consul, has_an_empty_list_of_an_unknown_service)
{
    watch_service("");
    expect_list("");
    add("a", "10.0.0.1", NULL);
    expect_list("10.0.0.1:80");
}

Test(consul, confirms_an_empty_list_before_it_is_believed)
{
    uint64_t start_ns;

    add("a", "10.0.0.1", NULL);
    watch_service("");
    expect_list("10.0.0.1:80");
    start_ns = watched_now_ns();
    remove_instance("a");
    expect_list("");
    cr_assert_lt(watched_now_ns() - start_ns, 5000000000U);
}

Test(consul, brackets_ipv6_addresses)
{
    add("a", "2001:db8::1", NULL);
    watch_service("");
    expect_list("[2001:db8::1]:80");
}

Test(consul, takes_the_address_of_the_node_when_the_service_has_none)
{
    add("a", "", NULL);
    watch_service("");
    expect_list("127.0.0.1:80");
}

Test(consul, uses_tagged_addresses)
{
    add("a", "10.0.0.1",
        "\"TaggedAddresses\": {\"wan\": {\"Address\": \"198.51.100.1\", "
        "\"Port\": 8080}},");
    watch_service("?address=wan");
    expect_list("198.51.100.1:8080");
}

Test(consul, falls_back_when_there_is_no_such_tagged_address)
{
    add("a", "10.0.0.1", NULL);
    watch_service("?address=virtual");
    expect_list("10.0.0.1:80");
}

Test(consul, reads_weight_zone_and_attributes)
{
    add("a", "10.0.0.1",
        "\"Meta\": {\"zone\": \"eu-1\", \"rack\": \"7\"}, \"Tags\": [\"x\", "
        "\"y\"], \"Weights\": {\"Passing\": 5, \"Warning\": 2},");
    watch_service("");
    expect_list("10.0.0.1:80");
    expect_first("weight=5 zone=eu-1 ");
    expect_first("datacenter=dc1 ");
    expect_first("id=reads_weight_zone_and_attributes-a ");
    expect_first("meta.rack=7 ");
    expect_first(agent.node);
    expect_first("tags=x,y");
}

Test(consul, leaves_warning_instances_out)
{
    add("a", "10.0.0.1", NULL);
    add("b", "10.0.0.2", NULL);
    set_check("b", "warn");
    watch_service("");
    expect_list("10.0.0.1:80");
}

Test(consul, takes_warning_instances_by_their_weight)
{
    add("a", "10.0.0.1", "\"Weights\": {\"Passing\": 5, \"Warning\": 2},");
    add("b", "10.0.0.2", "\"Weights\": {\"Passing\": 5, \"Warning\": 0},");
    add("c", "10.0.0.3", NULL);
    set_check("a", "warn");
    set_check("b", "warn");
    set_check("c", "fail");
    watch_service("?passing=off");
    expect_list("10.0.0.1:80");
    expect_first("weight=2 ");
}

/* ---- options ---- */

Test(consul, chooses_by_all_tags)
{
    add("a", "10.0.0.1", "\"Tags\": [\"v1\", \"blue\"],");
    add("b", "10.0.0.2", "\"Tags\": [\"v1\", \"green\"],");
    watch_service("?tag=v1,green");
    expect_list("10.0.0.2:80");
}

Test(consul, chooses_by_a_filter)
{
    add("a", "10.0.0.1", "\"Meta\": {\"version\": \"1\"},");
    add("b", "10.0.0.2", "\"Meta\": {\"version\": \"2\"},");
    watch_service("?filter=Service.Meta.version%20%3D%3D%20%222%22");
    expect_list("10.0.0.2:80");
}

Test(consul, says_that_a_filter_is_wrong)
{
    watch_service("?filter=%3D%3D");
    expect_error("option filter");
}

Test(consul, says_that_a_datacenter_is_unknown)
{
    watch_service("?dc=nowhere");
    expect_error("No path to datacenter");
}

Test(consul, says_that_a_namespace_is_not_taken)
{
    watch_service("?ns=team");
    expect_error("400");
}

Test(consul, reads_stale_cached_and_consistent)
{
    static const char *const rests[] = {"?stale=on",           "?cached=on",
                                        "?consistent=on",      "?near=_agent",
                                        "?stale=on&cached=on", "?dc=dc1"};

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
    watch_service("?limit=2");
    cr_assert(watched_await_count(&watch, 2, WAIT_MS));
}

Test(consul, finds_its_agent_in_the_environment)
{
    char url[TARGET_SIZE];

    (void)snprintf(url, sizeof url, "http://%s", agent.address);
    (void)setenv("CONSUL_HTTP_ADDR", url, 1);
    add("a", "10.0.0.1", NULL);
    watch_target("consul:///", service());
    expect_list("10.0.0.1:80");
}

Test(consul, waits_as_long_as_it_is_told)
{
    add("a", "10.0.0.1", NULL);
    watch_service("?wait=200ms");
    expect_list("10.0.0.1:80");
    add("b", "10.0.0.2", NULL);
    expect_list("10.0.0.1:80 10.0.0.2:80");
}

/* ---- a socket ---- */

Test(consul, speaks_through_a_socket)
{
    char target[TARGET_SIZE];

    add("a", "10.0.0.1", NULL);
    (void)snprintf(target, sizeof target, "%s/http.sock/%s", agent.folder,
                   service());
    watch_target("consul+unix://", target);
    expect_list("10.0.0.1:80");
}

Test(consul, finds_a_socket_in_the_environment)
{
    char url[TARGET_SIZE];

    (void)snprintf(url, sizeof url, "unix://%s/http.sock", agent.folder);
    (void)setenv("CONSUL_HTTP_ADDR", url, 1);
    add("a", "10.0.0.1", NULL);
    watch_target("consul:", service());
    expect_list("10.0.0.1:80");
}

/* ---- how fast ---- */

/* How long the last of 200 changes takes to be seen. */
static double change_often(int round)
{
    char address[32];
    uint64_t last_ns = 0;

    for (int i = 0; i < 200; i++) {
        (void)snprintf(address, sizeof address, "10.0.%d.%d", round, i);
        add("a", address, NULL);
        last_ns = watched_now_ns();
    }
    strcat(address, ":80");
    expect_list(address);
    return (double)(int64_t)(watched_get(&watch).list_ns - last_ns) / 1e6;
}

/* Once in three times: other programs take the processors now and then. */
Test(consul, sees_the_last_of_many_changes_soon)
{
    double took_ms = 1e9;

    add("a", "10.0.0.1", NULL);
    watch_service("");
    expect_list("10.0.0.1:80");
    for (int i = 1; i <= 3 && took_ms >= 200 + ROOM_MS; i++) {
        took_ms = change_often(i);
        printf("consul: the last of 200 changes is seen after %.0f ms\n",
               took_ms);
    }
    cr_assert_lt(took_ms, 200 + ROOM_MS);
}
