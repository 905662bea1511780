/* SPDX-License-Identifier: Apache-2.0 */
/* However many watches ask for a name, a server is asked once. */
#include <criterion/criterion.h>

#include "dns_watch.h"
#include "dns_zone.h"

#define NAME "web.test"
#define QUICK "ttl_min=100ms&tries=1&jitter=0"

enum { WATCHES = 20 };

static dns_server *server;
static dns_watch *watches[WATCHES];

static void set_up(void)
{
    dns_world_open();
    server = dns_server_start(false);
}

static void close_watches(void)
{
    for (size_t i = 0; i < WATCHES; i++) {
        dns_watch_close(watches[i]);
        watches[i] = NULL;
    }
}

static void tear_down(void)
{
    close_watches();
    dns_world_close();
    dns_server_stop(server);
}

TestSuite(dns_sharing, .init = set_up, .fini = tear_down, .timeout = 60);

/* Each has a port of its own, and so a resolver. */
static void open_watches(const char *options)
{
    for (int i = 0; i < WATCHES; i++) {
        watches[i] =
            dns_watch_open("dns://%s/" NAME ":%d?%s",
                           dns_server_address(server), 1000 + i, options);
    }
}

static void expect_lists(const char *address)
{
    for (int i = 0; i < WATCHES; i++) {
        char list[64];

        (void)snprintf(list, sizeof list, "%s:%d", address, 1000 + i);
        (void)dns_watch_await(watches[i], MUSTER_WATCH_LIST, list);
    }
}

Test(dns_sharing, asks_once_for_a_name_with_many_ports)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 60);
    open_watches(QUICK);
    expect_lists("10.0.0.1");
    cr_expect_eq(dns_server_count(server, NAME, DNS_TYPE_A), 1);
    cr_expect_eq(dns_server_count(server, NAME, DNS_TYPE_AAAA), 1);
}

Test(dns_sharing, asks_once_for_equal_targets)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 60);
    for (int i = 0; i < WATCHES; i++) {
        watches[i] =
            dns_watch_open("dns://%s/" NAME, dns_server_address(server));
    }
    for (int i = 0; i < WATCHES; i++) {
        (void)dns_watch_await(watches[i], MUSTER_WATCH_LIST, "10.0.0.1:443");
    }
    cr_expect_eq(dns_server_count(server, NAME, DNS_TYPE_A), 1);
}

Test(dns_sharing, lets_all_see_changes)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    open_watches(QUICK);
    expect_lists("10.0.0.1");
    dns_zone_addresses(server, NAME, "10.0.0.2", 0);
    expect_lists("10.0.0.2");
}

/* The list is old for one who wants it fresher. */
Test(dns_sharing, asks_as_often_as_the_most_eager_wants)
{
    size_t before;

    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    watches[0] = dns_watch_open("dns://%s/" NAME ":1?ttl_min=200ms&jitter=0",
                                dns_server_address(server));
    watches[1] = dns_watch_open("dns://%s/" NAME ":2?ttl_min=1h&ttl_max=1h",
                                dns_server_address(server));
    (void)dns_watch_await(watches[1], MUSTER_WATCH_LIST, "10.0.0.1:2");
    before = dns_server_count(server, NAME, DNS_TYPE_A);
    cr_assert(
        dns_server_await(server, NAME, DNS_TYPE_A, before + 2, DNS_WAIT_MS));
    dns_zone_addresses(server, NAME, "10.0.0.2", 0);
    (void)dns_watch_await(watches[0], MUSTER_WATCH_LIST, "10.0.0.2:1");
    (void)dns_watch_await(watches[1], MUSTER_WATCH_LIST, "10.0.0.2:2");
}

Test(dns_sharing, asks_once_for_hints_of_many)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 300);
    open_watches("ttl_min=300ms&jitter=0");
    expect_lists("10.0.0.1");
    dns_zone_addresses(server, NAME, "10.0.0.2", 300);
    for (int i = 0; i < 50 * WATCHES; i++) {
        dns_watch_refresh(watches[i % WATCHES]);
    }
    expect_lists("10.0.0.2");
    cr_expect_eq(dns_server_count(server, NAME, DNS_TYPE_A), 2);
}

Test(dns_sharing, says_an_outage_to_all)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    open_watches(QUICK);
    expect_lists("10.0.0.1");
    dns_zone_failure(server, NAME, DNS_RCODE_SERVFAIL);
    for (int i = 0; i < WATCHES; i++) {
        (void)dns_watch_await(watches[i], MUSTER_WATCH_ERROR, "SERVFAIL");
    }
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    for (int i = 0; i < WATCHES; i++) {
        (void)dns_watch_await(watches[i], MUSTER_WATCH_FRESH, NULL);
    }
}

Test(dns_sharing, goes_on_when_one_of_them_closes)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    open_watches(QUICK);
    expect_lists("10.0.0.1");
    dns_watch_close(watches[0]);
    watches[0] = NULL;
    dns_zone_addresses(server, NAME, "10.0.0.2", 0);
    (void)dns_watch_await(watches[1], MUSTER_WATCH_LIST, "10.0.0.2:1001");
}

/* A list that is known is there at once, however slow the server. */
Test(dns_sharing, gives_a_later_watch_what_is_known)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 300);
    watches[0] =
        dns_watch_open("dns://%s/" NAME ":1", dns_server_address(server));
    (void)dns_watch_await(watches[0], MUSTER_WATCH_LIST, "10.0.0.1:1");
    dns_server_pause(server);
    watches[1] =
        dns_watch_open("dns://%s/" NAME ":2", dns_server_address(server));
    (void)dns_watch_await(watches[1], MUSTER_WATCH_LIST, "10.0.0.1:2");
}

/* One server's silence is nobody else's trouble. */
Test(dns_sharing, lets_no_silent_server_delay_another)
{
    dns_server *silent = dns_server_start(false);
    uint64_t begin_ns;

    dns_server_pause(silent);
    dns_zone_addresses(server, NAME, "10.0.0.1", 300);
    watches[0] = dns_watch_open("dns://%s/" NAME "?timeout=5s",
                                dns_server_address(silent));
    cr_assert(dns_server_await(silent, NAME, DNS_TYPE_A, 1, DNS_WAIT_MS));
    begin_ns = dns_now_ns();
    watches[1] = dns_watch_open("dns://%s/" NAME "?timeout=5s",
                                dns_server_address(server));
    (void)dns_watch_await(watches[1], MUSTER_WATCH_LIST, "10.0.0.1:443");
    cr_expect_lt(dns_now_ns() - begin_ns, UINT64_C(3000000000));
    close_watches();
    dns_server_stop(silent);
}
