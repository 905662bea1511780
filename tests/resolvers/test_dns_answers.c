/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a DNS server become lists, and go on being right. */
#include <criterion/criterion.h>

#include "dns_watch.h"
#include "dns_zone.h"

#define NAME "web.test"
#define QUICK "ttl_min=100ms&jitter=0"

static dns_server *server;
static dns_watch *watch;

static void set_up(void)
{
    dns_world_open();
    server = dns_server_start(false);
}

static void tear_down(void)
{
    dns_watch_close(watch);
    dns_world_close();
    dns_server_stop(server);
}

TestSuite(dns_answers, .init = set_up, .fini = tear_down, .timeout = 60);

/* path is NAME with a port and options, perhaps. */
static void open_watch(const char *path)
{
    watch = dns_watch_open("dns://%s/%s", dns_server_address(server), path);
}

static void expect_list(const char *list)
{
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, list);
}

/* ---- lists ---- */

Test(dns_answers, are_of_both_families)
{
    dns_zone_addresses(server, NAME, "10.0.0.2 10.0.0.1 fd00::1", 60);
    open_watch(NAME ":80");
    expect_list("10.0.0.1:80 10.0.0.2:80 [fd00::1]:80");
    cr_expect_eq(dns_server_count(server, NAME, 0), 2);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1,
                 "a list is not said family by family");
}

Test(dns_answers, are_of_port_443_by_default)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 60);
    open_watch(NAME);
    expect_list("10.0.0.1:443");
}

Test(dns_answers, are_of_one_family_when_one_is_asked_for)
{
    dns_zone_addresses(server, NAME, "10.0.0.1 fd00::1", 60);
    open_watch(NAME "?type=a");
    expect_list("10.0.0.1:443");
    dns_watch_close(watch);
    open_watch(NAME "?type=aaaa");
    expect_list("[fd00::1]:443");
    cr_expect_eq(dns_server_count(server, NAME, 0), 2);
}

Test(dns_answers, come_from_a_server_with_an_ipv6_address)
{
    dns_server *other = dns_server_start(true);

    dns_zone_addresses(other, NAME, "10.0.0.1", 60);
    watch = dns_watch_open("dns://%s/" NAME, dns_server_address(other));
    expect_list("10.0.0.1:443");
    dns_server_stop(other);
}

Test(dns_answers, do_not_depend_on_case_or_a_last_dot)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 60);
    open_watch("WEB.Test.:80");
    expect_list("10.0.0.1:80");
}

Test(dns_answers, of_a_literal_need_no_query)
{
    static const char *const literals[][2] = {
        {"10.0.0.1", "10.0.0.1:443"}, {"10.0.0.1:80", "10.0.0.1:80"},
        {"[::1]:80", "[::1]:80"},     {"[::1]", "[::1]:443"},
        {"::1", "[::1]:443"},
    };

    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        open_watch(literals[i][0]);
        expect_list(literals[i][1]);
        dns_watch_refresh(watch);
        dns_watch_close(watch);
    }
    watch = NULL;
    cr_expect_eq(dns_server_count(server, NULL, 0), 0);
}

Test(dns_answers, of_a_name_alone_are_the_bare_form_of_the_target)
{
    watch = dns_watch_open("10.0.0.1:80");
    expect_list("10.0.0.1:80");
}

Test(dns_answers, without_addresses_are_delivered_at_once)
{
    const dns_event *event;

    dns_zone_nothing(server, NAME, 60);
    open_watch(NAME);
    event = dns_watch_await(watch, MUSTER_WATCH_LIST, "");
    cr_expect_eq(event->n_endpoints, 0);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

/* ---- when they are asked for again ---- */

static uint64_t ms_between(const char *name, size_t first, size_t second)
{
    dns_query a;
    dns_query b;

    cr_assert(dns_server_query(server, name, DNS_TYPE_A, first, &a));
    cr_assert(dns_server_query(server, name, DNS_TYPE_A, second, &b));
    return (b.time_ns - a.time_ns) / 1000000;
}

static void expect_interval(uint64_t least_ms, uint64_t most_ms)
{
    uint64_t ms;

    cr_assert(dns_server_await(server, NAME, DNS_TYPE_A, 2, DNS_WAIT_MS));
    ms = ms_between(NAME, 0, 1);
    cr_expect(ms >= least_ms && ms <= most_ms, "%u ms", (unsigned)ms);
}

Test(dns_answers, are_asked_for_again_when_their_time_to_live_is_over)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 1);
    open_watch(NAME "?" QUICK);
    expect_list("10.0.0.1:443");
    dns_zone_addresses(server, NAME, "10.0.0.2", 1);
    expect_list("10.0.0.2:443");
    expect_interval(990, 1900);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

Test(dns_answers, are_asked_for_again_a_little_early)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 1);
    open_watch(NAME "?ttl_min=100ms&jitter=50");
    cr_assert(dns_server_await(server, NAME, DNS_TYPE_A, 4, DNS_WAIT_MS));
    for (size_t i = 0; i < 3; i++) {
        uint64_t ms = ms_between(NAME, i, i + 1);

        cr_expect(ms >= 490 && ms <= 1900, "%u ms", (unsigned)ms);
    }
}

Test(dns_answers, live_as_long_as_the_shortest_link_of_the_chain)
{
    const dns_record records[] = {
        dns_cname("a.test", 300),
        dns_owned("a.test", dns_cname("b.test", 1)),
        dns_owned("b.test", dns_a("10.0.0.1", 300)),
    };

    dns_server_answer(server, NAME, DNS_TYPE_A, records, 3);
    open_watch(NAME "?type=a&" QUICK);
    expect_list("10.0.0.1:443");
    expect_interval(990, 1900);
}

Test(dns_answers, that_live_for_no_time_are_asked_for_at_the_floor)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    open_watch(NAME "?ttl_min=200ms&jitter=0");
    expect_interval(195, 900);
}

Test(dns_answers, that_live_for_2_to_the_31_are_taken_for_none)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", UINT32_C(1) << 31);
    open_watch(NAME "?ttl_min=200ms&jitter=0");
    expect_interval(195, 900);
}

Test(dns_answers, that_live_for_long_are_asked_for_at_the_ceiling)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", INT32_MAX);
    open_watch(NAME "?ttl_min=100ms&ttl_max=300ms&jitter=0");
    expect_interval(295, 900);
}

Test(dns_answers, are_asked_for_at_a_fixed_interval)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 300);
    open_watch(NAME "?refresh=200ms&jitter=0");
    expect_interval(195, 900);
}

Test(dns_answers, that_stay_the_same_are_said_once)
{
    dns_zone_addresses(server, NAME, "10.0.0.1 10.0.0.2", 0);
    open_watch(NAME "?" QUICK);
    cr_assert(dns_server_await(server, NAME, DNS_TYPE_A, 3, DNS_WAIT_MS));
    dns_zone_addresses(server, NAME, "10.0.0.2 10.0.0.1", 0);
    cr_assert(dns_server_await(server, NAME, DNS_TYPE_A, 6, DNS_WAIT_MS));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

/* ---- hints ---- */

Test(dns_answers, are_asked_for_again_on_a_hint)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 300);
    open_watch(NAME "?" QUICK);
    expect_list("10.0.0.1:443");
    dns_zone_addresses(server, NAME, "10.0.0.2", 300);
    dns_watch_refresh(watch);
    expect_list("10.0.0.2:443");
}

Test(dns_answers, are_not_asked_for_faster_than_the_floor_on_a_hint)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 300);
    open_watch(NAME "?ttl_min=500ms&jitter=0");
    expect_list("10.0.0.1:443");
    dns_watch_refresh(watch);
    expect_interval(495, 1500);
}

Test(dns_answers, are_asked_for_once_on_many_hints)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 300);
    dns_zone_addresses(server, "other.test", "10.0.0.1", 1);
    open_watch(NAME "?ttl_min=300ms&jitter=0");
    expect_list("10.0.0.1:443");
    dns_zone_addresses(server, NAME, "10.0.0.2", 300);
    for (int i = 0; i < 1000; i++) {
        dns_watch_refresh(watch);
    }
    expect_list("10.0.0.2:443");
    for (int i = 0; i < 1000; i++) {
        dns_watch_refresh(watch);
    }
    cr_assert(dns_server_await(server, NAME, DNS_TYPE_A, 3, DNS_WAIT_MS));
    cr_expect_geq(ms_between(NAME, 1, 2), 290);
    cr_expect_leq(dns_server_count(server, NAME, DNS_TYPE_A), 3);
}
