/* SPDX-License-Identifier: Apache-2.0 */
/* Several DNS servers, dead and alive, and whose word counts. */
#include <criterion/criterion.h>

#include "dns_watch.h"
#include "dns_zone.h"
#include "limit.h"

#define NAME "web.test"
#define QUICK "ttl_min=100ms&tries=1&jitter=0"

static dns_server *first;
static dns_server *second;
static dns_watch *watch;

static void set_up(void)
{
    dns_world_open();
    first = dns_server_start(false);
    second = dns_server_start(false);
}

static void tear_down(void)
{
    dns_watch_close(watch);
    dns_world_close();
    dns_server_stop(first);
    dns_server_stop(second);
}

TestSuite(dns_servers, .init = set_up, .fini = tear_down, .timeout = 60);

static dns_watch *open_both(const char *path)
{
    return dns_watch_open("dns://%s,%s/%s", dns_server_address(first),
                          dns_server_address(second), path);
}

static void open_watch(const char *path)
{
    watch = open_both(path);
}

static void open_first(const char *path)
{
    watch = dns_watch_open("dns://%s/%s", dns_server_address(first), path);
}

static void expect_list(const char *list)
{
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, list);
}

static const dns_event *expect_error(const char *text)
{
    return dns_watch_await(watch, MUSTER_WATCH_ERROR, text);
}

/* ---- the order ---- */

Test(dns_servers, are_asked_in_their_order)
{
    dns_zone_addresses(first, NAME, "10.0.0.1 fd00::1", 60);
    dns_zone_addresses(second, NAME, "10.0.0.2 fd00::2", 60);
    open_watch(NAME);
    expect_list("10.0.0.1:443 [fd00::1]:443");
    cr_expect_eq(dns_server_count(second, NULL, 0), 0);
}

Test(dns_servers, that_are_dead_are_passed_over)
{
    dns_server_pause(first);
    dns_zone_addresses(second, NAME, "10.0.0.2", 60);
    open_watch(NAME "?timeout=200ms");
    expect_list("10.0.0.2:443");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

Test(dns_servers, that_are_dead_are_asked_last_for_a_while)
{
    dns_server_pause(first);
    dns_zone_addresses(second, NAME, "10.0.0.2", 0);
    open_watch(NAME "?" QUICK "&timeout=1s");
    expect_list("10.0.0.2:443");
    dns_server_forget(first);
    cr_assert(dns_server_await(second, NAME, DNS_TYPE_A, 10, DNS_WAIT_MS));
    cr_expect_eq(dns_server_count(first, NULL, 0), 0);
}

/* What one name learns is for all of the process. */
Test(dns_servers, that_are_dead_are_known_to_all_names)
{
    dns_watch *others[10];
    char name[32];
    uint64_t begin_ns;

    dns_server_pause(first);
    dns_zone_addresses(second, NAME, "10.0.0.2", 60);
    open_watch(NAME "?timeout=3s");
    expect_list("10.0.0.2:443");
    dns_server_forget(first);
    begin_ns = dns_now_ns();
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof name, "other%d.test", i);
        dns_zone_addresses(second, name, "10.0.0.3", 60);
        (void)strncat(name, "?timeout=3s", sizeof name - strlen(name) - 1);
        others[i] = open_both(name);
    }
    for (int i = 0; i < 10; i++) {
        (void)dns_watch_await(others[i], MUSTER_WATCH_LIST, "10.0.0.3:443");
        dns_watch_close(others[i]);
    }
    cr_expect_lt(dns_now_ns() - begin_ns, UINT64_C(2900000000));
    cr_expect_eq(dns_server_count(first, NULL, 0), 0);
}

Test(dns_servers, that_are_dead_are_asked_when_no_other_answers)
{
    dns_server_pause(first);
    dns_zone_addresses(second, NAME, "10.0.0.2", 0);
    open_watch(NAME "?" QUICK "&timeout=500ms");
    expect_list("10.0.0.2:443");
    dns_zone_addresses(first, NAME, "10.0.0.1", 0);
    dns_server_resume(first);
    dns_zone_failure(second, NAME, DNS_RCODE_SERVFAIL);
    expect_list("10.0.0.1:443");
}

Test(dns_servers, that_refuse_connections_are_passed_over_at_once)
{
    uint64_t begin_ns = dns_now_ns();

    dns_server_close(first, DNS_ANY_TRANSPORT);
    dns_zone_addresses(second, NAME, "10.0.0.2", 60);
    open_watch(NAME "?timeout=5s");
    expect_list("10.0.0.2:443");
    cr_expect_lt(dns_now_ns() - begin_ns, UINT64_C(3000000000));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

Test(dns_servers, that_fail_are_passed_over)
{
    static const unsigned rcodes[] = {DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED,
                                      DNS_RCODE_NOTIMP, DNS_RCODE_FORMERR};

    for (size_t i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        dns_zone_failure(first, NAME, rcodes[i]);
        dns_zone_addresses(second, NAME, "10.0.0.2", 60);
        open_watch(NAME);
        expect_list("10.0.0.2:443");
        cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
        dns_watch_close(watch);
    }
    watch = NULL;
}

Test(dns_servers, are_asked_so_many_times_as_tries_says)
{
    dns_server_pause(first);
    open_first(NAME "?type=a&timeout=100ms&tries=3");
    (void)expect_error("no reply in time");
    cr_expect_geq(dns_server_count(first, NAME, DNS_TYPE_A), 3);
    cr_expect_lt(dns_server_count(first, NAME, DNS_TYPE_A), 6);
}

/* ---- no such name ---- */

Test(dns_servers, must_all_deny_a_name)
{
    dns_zone_nothing(first, NAME, 60);
    dns_zone_nothing(second, NAME, 60);
    open_watch(NAME);
    expect_list("");
    cr_expect_eq(dns_server_count(second, NAME, DNS_TYPE_A), 1);
}

/* A server that has just come back may still know it. */
Test(dns_servers, that_were_silent_are_asked_before_a_name_is_gone)
{
    dns_server_pause(first);
    dns_zone_addresses(second, NAME, "10.0.0.1", 0);
    open_watch(NAME "?" QUICK "&timeout=500ms&hold_nxdomain=100ms");
    expect_list("10.0.0.1:443");
    dns_zone_addresses(first, NAME, "10.0.0.2", 0);
    dns_server_resume(first);
    dns_zone_nothing(second, NAME, 0);
    expect_list("10.0.0.2:443");
}

Test(dns_servers, deny_alone_when_the_first_counts)
{
    dns_zone_nothing(first, NAME, 60);
    dns_zone_addresses(second, NAME, "10.0.0.2", 60);
    open_watch(NAME "?nxdomain=first");
    expect_list("");
    cr_expect_eq(dns_server_count(second, NULL, 0), 0);
}

Test(dns_servers, that_answer_count_more_than_one_that_denies)
{
    dns_zone_nothing(first, NAME, 60);
    dns_zone_addresses(second, NAME, "10.0.0.2 fd00::2", 60);
    open_watch(NAME "?nxdomain=all");
    expect_list("10.0.0.2:443 [fd00::2]:443");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

Test(dns_servers, that_are_silent_have_no_say)
{
    dns_server_pause(first);
    dns_zone_nothing(second, NAME, 60);
    open_watch(NAME "?timeout=200ms");
    expect_list("");
}

Test(dns_servers, that_refuse_connections_have_no_say)
{
    dns_zone_nothing(first, NAME, 60);
    dns_server_close(second, DNS_ANY_TRANSPORT);
    open_watch(NAME "?timeout=200ms");
    expect_list("");
}

Test(dns_servers, that_fail_leave_it_unknown)
{
    dns_zone_nothing(first, NAME, 60);
    dns_zone_failure(second, NAME, DNS_RCODE_SERVFAIL);
    open_watch(NAME); /* were it silent, it would have no say */
    (void)expect_error(dns_server_address(second));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 0);
}

Test(dns_servers, that_fail_remove_nothing)
{
    dns_zone_addresses(first, NAME, "10.0.0.1", 0);
    open_watch(NAME "?" QUICK "&hold_nxdomain=100ms");
    expect_list("10.0.0.1:443");
    dns_zone_nothing(first, NAME, 0);
    dns_zone_failure(second, NAME, DNS_RCODE_REFUSED);
    cr_expect_str_eq(expect_error("REFUSED")->list, "10.0.0.1:443");
    cr_assert(dns_server_await(second, NAME, DNS_TYPE_A, 3, DNS_WAIT_MS));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

/* ---- outages ---- */

static void expect_fresh_within_5_s(uint64_t back_ns, const char *list)
{
    const dns_event *event = dns_watch_await(watch, MUSTER_WATCH_FRESH, list);

    /* It may be noticed before the test knows that it is back. */
    cr_expect_lt(event->time_ns, back_ns + UINT64_C(5000000000));
}

Test(dns_servers, are_used_again_after_they_refused_connections)
{
    uint64_t back_ns;

    dns_zone_addresses(first, NAME, "10.0.0.1", 0);
    open_first(NAME "?" QUICK);
    expect_list("10.0.0.1:443");
    dns_server_close(first, DNS_ANY_TRANSPORT);
    (void)expect_error(dns_server_address(first));
    dns_server_reopen(first, DNS_ANY_TRANSPORT);
    back_ns = dns_now_ns();
    expect_fresh_within_5_s(back_ns, "10.0.0.1:443");
    dns_zone_addresses(first, NAME, "10.0.0.2", 0);
    expect_list("10.0.0.2:443");
}

/* Long enough for the channel to be made anew. */
Test(dns_servers, are_used_again_after_they_were_silent)
{
    uint64_t back_ns;

    dns_zone_addresses(first, NAME, "10.0.0.1", 0);
    open_first(NAME "?" QUICK "&timeout=200ms");
    expect_list("10.0.0.1:443");
    dns_server_pause(first);
    dns_server_forget(first);
    cr_expect_str_eq(expect_error("no reply in time")->list, "10.0.0.1:443");
    cr_assert(dns_server_await(first, NAME, DNS_TYPE_A, 2, DNS_WAIT_MS));
    dns_server_close(first, DNS_ANY_TRANSPORT);
    dns_server_reopen(first, DNS_ANY_TRANSPORT);
    dns_server_resume(first);
    back_ns = dns_now_ns();
    expect_fresh_within_5_s(back_ns, "10.0.0.1:443");
}

Test(dns_servers, do_not_keep_a_watch_from_closing)
{
    uint64_t best_ns = UINT64_MAX;

    dns_server_pause(first);
    for (int i = 0; i < 5; i++) {
        uint64_t begin_ns;

        dns_server_forget(first);
        open_first(NAME);
        cr_assert(dns_server_await(first, NAME, 0, 2, DNS_WAIT_MS));
        begin_ns = dns_now_ns();
        dns_watch_close(watch);
        begin_ns = dns_now_ns() - begin_ns;
        best_ns = begin_ns < best_ns ? begin_ns : best_ns;
    }
    watch = NULL;
    cr_expect_lt(best_ns, limit_ns(10), "%u us", (unsigned)(best_ns / 1000));
}
