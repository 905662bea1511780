/* SPDX-License-Identifier: Apache-2.0 */
/* One family, or one service's addresses, may not be had: what the other says
 * counts all the same. */
#include <criterion/criterion.h>

#include "dns_watch.h"
#include "dns_zone.h"

#define NAME "web.test"
#define SERVICE "_grpc._tcp.web.test"
#define QUICK "ttl_min=100ms&timeout=1s&tries=1&jitter=0"

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

TestSuite(dns_families, .init = set_up, .fini = tear_down, .timeout = 60);

static void drop(const char *name, uint16_t type)
{
    const dns_rule rule = {.name = name, .type = type, .action = DNS_DROP};

    dns_server_put(server, &rule);
}

static void open_watch(const char *name)
{
    watch =
        dns_watch_open("dns://%s/%s?" QUICK, dns_server_address(server), name);
}

Test(dns_families, that_never_answer_are_asked_seldom)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    drop(NAME, DNS_TYPE_AAAA);
    open_watch(NAME);
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, "10.0.0.1:443");
    cr_assert(dns_server_await(server, NAME, DNS_TYPE_A, 30, DNS_WAIT_MS));
    cr_expect_leq(dns_server_count(server, NAME, DNS_TYPE_AAAA), 2);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

/* 60 names of which none is answered for AAAA: more than may be under way. */
Test(dns_families, that_never_answer_hold_up_nobody)
{
    enum { N_NAMES = 60 };
    dns_watch *watches[N_NAMES];
    char name[32];
    uint64_t begun_ns;

    dns_zone_addresses(server, NULL, "10.0.0.1", 60);
    drop(NULL, DNS_TYPE_AAAA);
    begun_ns = dns_now_ns();
    for (int i = 0; i < N_NAMES; i++) {
        (void)snprintf(name, sizeof name, "n%d.test", i);
        watches[i] = dns_watch_open("dns://%s/%s?timeout=5s&tries=1",
                                    dns_server_address(server), name);
    }
    for (int i = 0; i < N_NAMES; i++) {
        (void)dns_watch_await(watches[i], MUSTER_WATCH_LIST, "10.0.0.1:443");
    }
    cr_expect_lt(dns_now_ns() - begun_ns, UINT64_C(4000000000));
    for (int i = 0; i < N_NAMES; i++) {
        dns_watch_close(watches[i]);
    }
}

Test(dns_families, are_all_denied_by_one_nxdomain)
{
    dns_zone_nothing(server, NAME, 60);
    drop(NAME, DNS_TYPE_AAAA);
    open_watch(NAME);
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, "");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

Test(dns_families, are_not_denied_by_the_lack_of_one)
{
    dns_zone_addresses(server, NAME, "fd00::1", 60);
    drop(NAME, DNS_TYPE_AAAA);
    open_watch(NAME);
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, "no reply in time");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 0);
}

/* The server sends addresses along at first, then does not, and does not answer
 * for them either. */
Test(dns_families, of_services_stay_until_they_are_answered_for)
{
    const dns_record with[] = {
        dns_srv(0, 1, 80, "a.test", 0),
        dns_placed(DNS_ADDITIONAL, dns_owned("a.test", dns_a("10.0.0.1", 0)))};
    const dns_record without = dns_srv(0, 1, 81, "a.test", 0);

    dns_zone_addresses(server, "a.test", "10.0.0.2", 0);
    dns_server_answer(server, SERVICE, DNS_TYPE_SRV, with, 2);
    open_watch(SERVICE);
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, "10.0.0.1:80");
    drop("a.test", DNS_TYPE_A);
    dns_server_answer(server, SERVICE, DNS_TYPE_SRV, &without, 1);
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, "10.0.0.1:81");
    dns_zone_addresses(server, "a.test", "10.0.0.2", 0);
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, "10.0.0.2:81");
}
