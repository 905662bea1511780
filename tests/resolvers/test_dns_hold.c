/* SPDX-License-Identifier: Apache-2.0 */
/* What is held when a name goes away, or its server fails. */
#include <criterion/criterion.h>
#include <string.h>

#include "dns_watch.h"
#include "dns_zone.h"

#define NAME "web.test"
#define QUICK "ttl_min=100ms&tries=1&jitter=0"

static dns_server *server;
static dns_watch *watch;

static void set_up(void)
{
    dns_world_open();
    server = dns_server_start(false);
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
}

static void tear_down(void)
{
    dns_watch_close(watch);
    dns_world_close();
    dns_server_stop(server);
}

TestSuite(dns_hold, .init = set_up, .fini = tear_down, .timeout = 60);

/* Watches the name until its list has come. */
static void open_watch(const char *options)
{
    watch = dns_watch_open("dns://%s/" NAME "?" QUICK "%s%s",
                           dns_server_address(server),
                           *options != '\0' ? "&" : "", options);
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, "10.0.0.1:443");
}

static const dns_event *expect_list(const char *list)
{
    return dns_watch_await(watch, MUSTER_WATCH_LIST, list);
}

static const dns_event *expect_error(const char *text)
{
    return dns_watch_await(watch, MUSTER_WATCH_ERROR, text);
}

static const dns_event *expect_fresh(const char *list)
{
    return dns_watch_await(watch, MUSTER_WATCH_FRESH, list);
}

/* ---- a name that goes away ---- */

Test(dns_hold, keeps_a_name_that_is_gone_then_empties)
{
    const dns_event *gone;
    const dns_event *empty;
    dns_query denied;
    size_t n_asked;

    open_watch("hold_nxdomain=400ms");
    n_asked = dns_server_count(server, NULL, 0);
    dns_zone_nothing(server, NAME, 0);
    gone = expect_error("the last list is held");
    cr_expect_str_eq(gone->list, "10.0.0.1:443");
    cr_expect_eq(gone->status, MUSTER_NOTFOUND);
    cr_expect_not_null(strstr(gone->message, NAME));
    empty = expect_list("");
    cr_assert(dns_server_query(server, NULL, 0, n_asked, &denied));
    cr_expect_geq(empty->time_ns - denied.time_ns, UINT64_C(390000000));
    cr_expect_leq(empty->time_ns - gone->time_ns, UINT64_C(1500000000));
}

/* The core's own hold is for lists that are empty by mistake. */
Test(dns_hold, ends_a_hold_of_the_core_too)
{
    open_watch("hold_nxdomain=200ms&empty=hold:20s");
    dns_zone_nothing(server, NAME, 0);
    (void)expect_list("");
}

Test(dns_hold, keeps_a_name_that_comes_back)
{
    open_watch("hold_nxdomain=20s");
    dns_zone_nothing(server, NAME, 0);
    (void)expect_error("the last list is held");
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    (void)expect_fresh("10.0.0.1:443");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

Test(dns_hold, begins_anew_when_a_name_was_back)
{
    const dns_event *empty;
    dns_query gone;
    size_t n_asked;

    open_watch("hold_nxdomain=500ms");
    dns_zone_nothing(server, NAME, 0);
    (void)expect_error("the last list is held");
    dns_zone_addresses(server, NAME, "10.0.0.2", 0);
    (void)expect_list("10.0.0.2:443");
    n_asked = dns_server_count(server, NULL, 0);
    dns_zone_nothing(server, NAME, 0);
    (void)expect_error("the last list is held");
    empty = expect_list("");
    cr_assert(dns_server_query(server, NULL, 0, n_asked, &gone));
    cr_expect_geq(empty->time_ns - gone.time_ns, UINT64_C(490000000));
}

Test(dns_hold, keeps_a_name_that_is_there_without_addresses)
{
    open_watch("hold_nxdomain=300ms");
    dns_zone_addresses(server, NAME, "", 0);
    cr_expect_str_eq(expect_error("no addresses")->list, "10.0.0.1:443");
    (void)expect_list("");
}

Test(dns_hold, lets_a_name_return_after_it_was_gone)
{
    open_watch("hold_nxdomain=100ms");
    dns_zone_nothing(server, NAME, 0);
    (void)expect_list("");
    dns_zone_addresses(server, NAME, "10.0.0.2", 0);
    (void)expect_list("10.0.0.2:443");
}

/* ---- a server that fails ---- */

/* What it is like, from the list to an error with server, name and reason, and
 * back. */
static void expect_outage(const char *reason, muster_status status)
{
    const dns_event *event = expect_error(reason);

    cr_expect_str_eq(event->list, "10.0.0.1:443");
    cr_expect_eq(event->status, status, "%s",
                 muster_status_name(event->status));
    cr_expect_not_null(strstr(event->message, NAME), "%s", event->message);
    cr_expect_not_null(strstr(event->message, dns_server_address(server)), "%s",
                       event->message);
}

static void expect_recovery(void)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    (void)expect_fresh("10.0.0.1:443");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

Test(dns_hold, keeps_the_list_while_a_server_fails)
{
    open_watch("hold_servfail=100ms");
    dns_zone_failure(server, NAME, DNS_RCODE_SERVFAIL);
    expect_outage("SERVFAIL", MUSTER_UNAVAILABLE);
    expect_recovery();
}

Test(dns_hold, keeps_the_list_while_a_server_refuses_queries)
{
    open_watch("hold_refused=100ms");
    dns_zone_failure(server, NAME, DNS_RCODE_REFUSED);
    expect_outage("REFUSED", MUSTER_UNAVAILABLE);
    expect_recovery();
}

Test(dns_hold, keeps_the_list_while_a_server_is_silent)
{
    open_watch("hold_timeout=100ms&timeout=500ms");
    dns_server_pause(server);
    expect_outage("no reply in time", MUSTER_TIMEOUT);
    dns_server_resume(server);
    expect_recovery();
}

Test(dns_hold, keeps_the_list_while_a_server_is_gone)
{
    open_watch("hold_refused=100ms");
    dns_server_close(server, DNS_ANY_TRANSPORT);
    expect_outage("cannot be reached", MUSTER_REFUSED);
    dns_server_reopen(server, DNS_ANY_TRANSPORT);
    expect_recovery();
}

/* Of one family: of two, the other's outage may begin first, and be said. */
Test(dns_hold, says_once_that_an_outage_lasts_longer)
{
    const dns_event *begin;
    const dns_event *longer;
    dns_query failed;
    size_t n_asked;

    open_watch("type=a&hold_servfail=300ms");
    n_asked = dns_server_count(server, NULL, 0);
    dns_zone_failure(server, NAME, DNS_RCODE_SERVFAIL);
    begin = expect_error("the last list stays in use");
    cr_expect_null(strstr(begin->message, "longer than its hold"));
    longer = expect_error("longer than its hold");
    cr_assert(dns_server_query(server, NULL, 0, n_asked, &failed));
    cr_expect_geq(longer->time_ns - failed.time_ns, UINT64_C(290000000));
    cr_expect_str_eq(longer->list, "10.0.0.1:443");
    cr_expect_geq(longer->age_ms, 290);
    dns_server_forget(server);
    cr_assert(dns_server_await(server, NAME, DNS_TYPE_A, 2, DNS_WAIT_MS));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 2);
}

Test(dns_hold, says_the_error_when_there_is_no_list_yet)
{
    const dns_event *event;

    dns_zone_failure(server, NAME, DNS_RCODE_SERVFAIL);
    watch =
        dns_watch_open("dns://%s/" NAME "?" QUICK, dns_server_address(server));
    event = expect_error("SERVFAIL");
    cr_expect_null(strstr(event->message, "the last list"));
    cr_expect_eq(event->n_endpoints, 0);
    dns_zone_addresses(server, NAME, "10.0.0.1", 0);
    (void)expect_list("10.0.0.1:443");
}

/* ---- one family fails ---- */

static void fail_family(uint16_t type)
{
    dns_server_fail(server, NAME, type, DNS_RCODE_SERVFAIL);
}

static void expect_changes_in_time(void)
{
    const dns_record other = dns_a("10.0.0.2", 1);
    uint64_t begin_ns = dns_now_ns();
    const dns_event *event;

    dns_server_answer(server, NAME, DNS_TYPE_A, &other, 1);
    event = expect_list("10.0.0.2:443");
    cr_expect_lt(event->time_ns - begin_ns, UINT64_C(1900000000));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

Test(dns_hold, needs_no_ipv6_of_a_server_that_fails_for_it)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 1);
    fail_family(DNS_TYPE_AAAA);
    open_watch("");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
    expect_changes_in_time();
}

Test(dns_hold, needs_no_ipv6_of_a_server_that_is_silent_for_it)
{
    dns_zone_addresses(server, NAME, "10.0.0.1", 1);
    dns_server_put(
        server,
        &(dns_rule){.name = NAME, .type = DNS_TYPE_AAAA, .action = DNS_DROP});
    open_watch("timeout=1s");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
    expect_changes_in_time();
}

Test(dns_hold, keeps_addresses_of_a_family_that_fails)
{
    const dns_record other = dns_a("10.0.0.2", 0);

    dns_zone_addresses(server, NAME, "10.0.0.1 fd00::1", 0);
    watch =
        dns_watch_open("dns://%s/" NAME "?" QUICK, dns_server_address(server));
    (void)expect_list("10.0.0.1:443 [fd00::1]:443");
    dns_server_answer(server, NAME, DNS_TYPE_A, &other, 1);
    fail_family(DNS_TYPE_AAAA); /* which at no time has no records */
    (void)expect_list("10.0.0.2:443 [fd00::1]:443");
    (void)expect_error("AAAA");
    dns_zone_addresses(server, NAME, "10.0.0.2 fd00::2", 0);
    (void)expect_list("10.0.0.2:443 [fd00::2]:443");
}
