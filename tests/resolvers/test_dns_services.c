/* SPDX-License-Identifier: Apache-2.0 */
/* SRV records become endpoints with priorities and weights. */
#include <criterion/criterion.h>
#include <string.h>

#include "dns_watch.h"
#include "dns_zone.h"

#define NAME "_grpc._tcp.web.test"
#define QUICK "ttl_min=100ms&tries=1&jitter=0"
#define COUNT(records) (sizeof(records) / sizeof *(records))

static dns_server *server;
static dns_watch *watch;

static void set_up(void)
{
    dns_world_open();
    server = dns_server_start(false);
    dns_zone_addresses(server, "a.test", "10.0.0.1", 60);
    dns_zone_addresses(server, "b.test", "10.0.0.2", 60);
    dns_zone_addresses(server, "c.test", "10.0.0.3", 60);
}

static void tear_down(void)
{
    dns_watch_close(watch);
    dns_world_close();
    dns_server_stop(server);
}

TestSuite(dns_services, .init = set_up, .fini = tear_down, .timeout = 60);

static void serve(const dns_record *records, size_t n)
{
    dns_server_answer(server, NAME, DNS_TYPE_SRV, records, n);
}

#define SERVE(...)                                                             \
    serve((const dns_record[]){__VA_ARGS__},                                   \
          COUNT(((const dns_record[]){__VA_ARGS__})))

static void open_watch(const char *options)
{
    watch = dns_watch_open("dns://%s/" NAME "?" QUICK "%s",
                           dns_server_address(server), options);
}

static const dns_event *expect_list(const char *list)
{
    return dns_watch_await(watch, MUSTER_WATCH_LIST, list);
}

/* ---- priorities and weights ---- */

Test(dns_services, have_the_port_of_their_record)
{
    SERVE(dns_srv(0, 0, 8080, "a.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.1:8080");
    cr_expect_eq(dns_server_count(server, NAME, 0), 1);
}

Test(dns_services, are_asked_for_when_the_type_says_so)
{
    const dns_record record = dns_srv(0, 0, 8080, "a.test", 60);

    dns_server_answer(server, "plain.test", DNS_TYPE_SRV, &record, 1);
    watch = dns_watch_open("dns://%s/plain.test?type=srv",
                           dns_server_address(server));
    (void)expect_list("10.0.0.1:8080");
}

Test(dns_services, have_the_weights_of_their_records)
{
    SERVE(dns_srv(0, 10, 80, "a.test", 60), dns_srv(0, 20, 80, "b.test", 60),
          dns_srv(0, 50, 80, "c.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.1:80 10.0.0.2:80*2 10.0.0.3:80*5");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1,
                 "no list before all targets are known");
}

Test(dns_services, have_the_priorities_of_their_records)
{
    SERVE(dns_srv(1, 1, 80, "a.test", 60), dns_srv(1, 3, 80, "b.test", 60),
          dns_srv(7, 9, 80, "c.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.1:80@1 10.0.0.2:80*3@1 10.0.0.3:80@7");
}

Test(dns_services, without_weight_get_a_very_small_share)
{
    SERVE(dns_srv(0, 0, 80, "a.test", 60), dns_srv(0, 1, 80, "b.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.1:80 10.0.0.2:80*100");
}

Test(dns_services, may_have_two_ports_of_a_target)
{
    SERVE(dns_srv(0, 1, 80, "a.test", 60), dns_srv(0, 2, 81, "a.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.1:80 10.0.0.1:81*2");
    cr_expect_eq(dns_server_count(server, "a.test", DNS_TYPE_A), 1);
}

/* ---- addresses of a target ---- */

Test(dns_services, with_an_address_of_each_family_are_one_endpoint)
{
    dns_zone_addresses(server, "a.test", "10.0.0.1 fd00::1", 60);
    SERVE(dns_srv(0, 1, 80, "a.test", 60), dns_srv(0, 2, 80, "b.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.2:80*2 [fd00::1]:80+10.0.0.1:80");
}

Test(dns_services, share_their_weight_among_several_addresses)
{
    dns_zone_addresses(server, "a.test", "10.0.1.1 10.0.1.2 10.0.1.3", 60);
    SERVE(dns_srv(0, 1, 80, "a.test", 60), dns_srv(0, 1, 80, "b.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.2:80*3 10.0.1.1:80 10.0.1.2:80 10.0.1.3:80");
}

Test(dns_services, use_the_addresses_that_came_along)
{
    SERVE(
        dns_srv(0, 0, 80, "a.test", 60),
        dns_placed(DNS_ADDITIONAL, dns_owned("a.test", dns_a("10.9.9.9", 60))));
    open_watch("");
    (void)expect_list("10.9.9.9:80");
    cr_expect_eq(dns_server_count(server, "a.test", DNS_TYPE_A), 0);
    cr_expect_eq(dns_server_count(server, "a.test", DNS_TYPE_AAAA), 1);
}

Test(dns_services, ask_nothing_when_both_families_came_along)
{
    SERVE(
        dns_srv(0, 0, 80, "a.test", 60),
        dns_placed(DNS_ADDITIONAL, dns_owned("a.test", dns_a("10.9.9.9", 60))),
        dns_placed(DNS_ADDITIONAL,
                   dns_owned("a.test", dns_aaaa("fd00::9", 60))));
    open_watch("");
    (void)expect_list("[fd00::9]:80+10.9.9.9:80");
    cr_expect_eq(dns_server_count(server, "a.test", 0), 0);
}

Test(dns_services, that_do_not_resolve_are_left_out)
{
    dns_zone_nothing(server, "gone.test", 60);
    SERVE(dns_srv(0, 1, 80, "gone.test", 60), dns_srv(0, 1, 80, "b.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.2:80");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

Test(dns_services, that_fail_to_resolve_leave_the_others)
{
    dns_zone_failure(server, "b.test", DNS_RCODE_SERVFAIL);
    SERVE(dns_srv(0, 1, 80, "a.test", 60), dns_srv(0, 1, 80, "b.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.1:80");
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, "b.test");
    dns_zone_addresses(server, "b.test", "10.0.0.2", 60);
    (void)expect_list("10.0.0.1:80 10.0.0.2:80");
}

Test(dns_services, keep_addresses_of_a_target_that_fails)
{
    dns_zone_addresses(server, "b.test", "10.0.0.2", 0);
    SERVE(dns_srv(0, 1, 80, "a.test", 60), dns_srv(0, 1, 80, "b.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.1:80 10.0.0.2:80");
    dns_zone_failure(server, "b.test", DNS_RCODE_SERVFAIL);
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, "b.test");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

/* ---- no service ---- */

Test(dns_services, that_none_of_is_said_are_gone_at_once)
{
    SERVE(dns_srv(0, 0, 80, "a.test", 0));
    open_watch("");
    (void)expect_list("10.0.0.1:80");
    SERVE(dns_srv(0, 0, 0, ".", 0));
    (void)expect_list("");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

Test(dns_services, of_port_0_are_left_out)
{
    SERVE(dns_srv(0, 1, 0, "a.test", 60), dns_srv(0, 1, 80, "b.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.2:80");
}

Test(dns_services, are_held_when_the_name_goes_away)
{
    SERVE(dns_srv(0, 0, 80, "a.test", 0));
    open_watch("&hold_nxdomain=200ms");
    (void)expect_list("10.0.0.1:80");
    dns_zone_nothing(server, NAME, 0);
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, "is held");
    (void)expect_list("");
}

Test(dns_services, are_kept_when_their_server_fails)
{
    SERVE(dns_srv(0, 0, 80, "a.test", 0));
    open_watch("");
    (void)expect_list("10.0.0.1:80");
    dns_server_fail(server, NAME, DNS_TYPE_SRV, DNS_RCODE_SERVFAIL);
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, NAME " SRV");
    SERVE(dns_srv(0, 0, 80, "a.test", 0));
    (void)dns_watch_await(watch, MUSTER_WATCH_FRESH, "10.0.0.1:80");
}

/* ---- changes ---- */

Test(dns_services, are_asked_for_again_when_their_time_to_live_is_over)
{
    dns_query first;
    dns_query again;

    SERVE(dns_srv(0, 0, 80, "a.test", 1));
    open_watch("");
    (void)expect_list("10.0.0.1:80");
    SERVE(dns_srv(0, 0, 80, "b.test", 1));
    (void)expect_list("10.0.0.2:80");
    cr_assert(dns_server_query(server, NAME, DNS_TYPE_SRV, 0, &first));
    cr_assert(dns_server_query(server, NAME, DNS_TYPE_SRV, 1, &again));
    cr_expect_geq(again.time_ns - first.time_ns, UINT64_C(990000000));
    cr_expect_lt(again.time_ns - first.time_ns, UINT64_C(1900000000));
}

Test(dns_services, change_weights_and_priorities)
{
    SERVE(dns_srv(0, 1, 80, "a.test", 0), dns_srv(0, 1, 80, "b.test", 0));
    open_watch("");
    (void)expect_list("10.0.0.1:80 10.0.0.2:80");
    SERVE(dns_srv(0, 3, 80, "a.test", 0), dns_srv(0, 1, 80, "b.test", 0));
    (void)expect_list("10.0.0.1:80*3 10.0.0.2:80");
    SERVE(dns_srv(0, 3, 80, "a.test", 0), dns_srv(1, 1, 80, "b.test", 0));
    (void)expect_list("10.0.0.1:80 10.0.0.2:80@1");
}

Test(dns_services, see_an_address_of_a_target_change)
{
    dns_zone_addresses(server, "a.test", "10.0.0.1", 0);
    SERVE(dns_srv(0, 0, 80, "a.test", 60));
    open_watch("");
    (void)expect_list("10.0.0.1:80");
    dns_zone_addresses(server, "a.test", "10.0.0.9", 0);
    (void)expect_list("10.0.0.9:80");
    cr_expect_eq(dns_server_count(server, NAME, 0), 1);
}
