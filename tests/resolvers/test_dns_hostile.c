/* SPDX-License-Identifier: Apache-2.0 */
/* Replies that are wrong, cut short or huge: they remove nothing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "dns_watch.h"
#include "dns_zone.h"

#define NAME "web.test"
#define QUICK "ttl_min=100ms&tries=1&jitter=0"
#define LIST "10.0.0.1:443 10.0.0.2:443"

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

TestSuite(dns_hostile, .init = set_up, .fini = tear_down, .timeout = 60);

static void serve(void)
{
    dns_zone_addresses(server, NAME, "10.0.0.1 10.0.0.2", 0);
}

static void open_watch(const char *options)
{
    watch = dns_watch_open("dns://%s/" NAME "?" QUICK "%s",
                           dns_server_address(server), options);
}

static void expect_list(const char *list)
{
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, list);
}

static void expect_recovery(void)
{
    dns_server_clear(server);
    serve();
    (void)dns_watch_await(watch, MUSTER_WATCH_FRESH, LIST);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

/* The name has a good list; then the rule holds, and the list stays. */
static void expect_kept(const dns_rule *rule, const char *message)
{
    const dns_event *event;

    serve();
    open_watch("&hold_nxdomain=100ms");
    expect_list(LIST);
    dns_zone_rule(server, NAME, *rule);
    event = dns_watch_await(watch, MUSTER_WATCH_ERROR, NULL);
    cr_expect_not_null(strstr(event->message, message), "%s", event->message);
    cr_expect_str_eq(event->list, LIST);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

/* The same of the replies that are good but for faults. */
static void expect_faults_kept(unsigned faults, const char *message)
{
    const dns_record record = dns_a("10.0.0.1", 0);

    expect_kept(
        &(dns_rule){.records = &record, .n_records = 1, .faults = faults},
        message);
}

/* ---- not meant for us ---- */

Test(dns_hostile, wrong_id_is_no_reply)
{
    expect_faults_kept(DNS_WRONG_ID, "no reply in time");
    expect_recovery();
}

Test(dns_hostile, wrong_question_is_no_reply)
{
    expect_faults_kept(DNS_WRONG_QUESTION, "no reply in time");
}

Test(dns_hostile, wrong_port_is_no_reply)
{
    expect_faults_kept(DNS_WRONG_PORT, "no reply in time");
}

Test(dns_hostile, query_is_no_reply)
{
    expect_faults_kept(DNS_IS_QUERY, NAME);
}

Test(dns_hostile, reply_without_its_question_is_none)
{
    expect_faults_kept(DNS_NO_QUESTION, NAME);
}

/* ---- not about the name ---- */

Test(dns_hostile, wrong_owner_removes_nothing)
{
    expect_faults_kept(DNS_WRONG_OWNER, "another name");
}

Test(dns_hostile, wrong_class_removes_nothing)
{
    expect_faults_kept(DNS_WRONG_CLASS, "wrong class");
}

Test(dns_hostile, cname_loop_removes_nothing)
{
    expect_kept(&(dns_rule){.action = DNS_CNAME_LOOP}, "in a circle");
}

Test(dns_hostile, chain_of_64_links_is_an_answer)
{
    dns_zone_rule(server, NAME,
                  (dns_rule){.action = DNS_CNAME_CHAIN, .n = 64, .ttl = 60});
    open_watch("&type=a");
    expect_list("10.0.0.1:443");
}

Test(dns_hostile, chain_of_65_links_removes_nothing)
{
    expect_kept(&(dns_rule){.action = DNS_CNAME_CHAIN, .n = 65}, "64 CNAME");
}

/* ---- not readable ---- */

Test(dns_hostile, compression_loop_removes_nothing)
{
    expect_kept(&(dns_rule){.action = DNS_COMPRESSION_LOOP}, NAME);
}

Test(dns_hostile, garbage_removes_nothing)
{
    expect_kept(&(dns_rule){.action = DNS_GARBAGE, .n = 500}, NAME);
    expect_recovery();
}

Test(dns_hostile, reply_that_ends_early_removes_nothing)
{
    const dns_record records[] = {dns_a("10.0.0.1", 0), dns_a("10.0.0.2", 0)};

    expect_kept(&(dns_rule){.records = records, .n_records = 2, .cut = 50},
                NAME);
}

Test(dns_hostile, record_of_a_wrong_size_removes_nothing)
{
    static const uint8_t data[] = {10, 0, 0, 1, 1};
    const dns_record record = dns_raw(DNS_TYPE_A, data, sizeof data, 0);

    expect_kept(&(dns_rule){.records = &record, .n_records = 1}, NAME);
}

/* A referral, or whatever: it is no denial. */
Test(dns_hostile, reply_with_other_records_only_removes_nothing)
{
    const dns_record record = dns_cname("elsewhere.test", 0);

    expect_kept(&(dns_rule){.records = &record, .n_records = 1}, NAME);
}

Test(dns_hostile, denial_with_records_removes_nothing)
{
    const dns_record record = dns_a("10.0.0.1", 0);

    serve();
    open_watch("&type=a&hold_nxdomain=100ms");
    expect_list(LIST);
    dns_server_put(server, &(dns_rule){.name = NAME,
                                       .type = DNS_TYPE_A,
                                       .rcode = DNS_RCODE_NXDOMAIN,
                                       .records = &record,
                                       .n_records = 1});
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, NAME);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

Test(dns_hostile, second_reply_is_passed_over)
{
    const dns_record record = dns_a("10.0.0.1", 0);

    dns_zone_rule(
        server, NAME,
        (dns_rule){.records = &record, .n_records = 1, .faults = DNS_TWICE});
    open_watch("&type=a");
    expect_list("10.0.0.1:443");
    cr_assert(dns_server_await(server, NAME, DNS_TYPE_A, 5, DNS_WAIT_MS));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

/* The time-out is over when it comes, also when others had the processors. */
Test(dns_hostile, late_reply_is_passed_over)
{
    const dns_record late = dns_a("10.0.0.66", 0);

    serve();
    open_watch("&type=a&timeout=200ms");
    expect_list(LIST);
    dns_server_put(server, &(dns_rule){.name = NAME,
                                       .type = DNS_TYPE_A,
                                       .times = 1,
                                       .records = &late,
                                       .n_records = 1,
                                       .delay_ms = 900});
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, "no reply in time");
    (void)dns_watch_await(watch, MUSTER_WATCH_FRESH, LIST);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

/* ---- cut short: TCP ---- */

/* Over UDP the list is shorter and says so; over TCP happens what rule says. */
static void expect_truncated_kept(dns_rule rule, const char *message)
{
    const dns_record records[] = {dns_a("10.0.0.1", 0), dns_a("10.0.0.2", 0)};
    const dns_event *event;

    serve();
    open_watch("&type=a&hold_nxdomain=100ms");
    expect_list(LIST);
    rule.transport = DNS_TCP;
    dns_zone_rule(server, NAME, rule);
    dns_zone_rule(server, NAME,
                  (dns_rule){.transport = DNS_UDP,
                             .records = records,
                             .n_records = 2,
                             .faults = DNS_TRUNCATED});
    event = dns_watch_await(watch, MUSTER_WATCH_ERROR, NULL);
    cr_expect_not_null(strstr(event->message, message), "%s", event->message);
    cr_expect_str_eq(event->list, LIST);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

Test(dns_hostile, truncated_reply_removes_nothing_when_tcp_is_silent)
{
    expect_truncated_kept((dns_rule){.action = DNS_DROP}, "no reply in time");
    expect_recovery();
}

Test(dns_hostile, truncated_reply_removes_nothing_when_tcp_breaks)
{
    const dns_record record = dns_a("10.0.0.1", 0);

    expect_truncated_kept(
        (dns_rule){.records = &record, .n_records = 1, .faults = DNS_CLOSE},
        "cannot be reached");
}

Test(dns_hostile, truncated_reply_removes_nothing_when_tcp_is_truncated_too)
{
    const dns_record records[] = {dns_a("10.0.0.1", 0), dns_a("10.0.0.2", 0)};

    expect_truncated_kept(
        (dns_rule){.records = records, .n_records = 2, .faults = DNS_TRUNCATED},
        "truncated");
}

Test(dns_hostile, truncated_reply_removes_nothing_when_tcp_is_closed)
{
    dns_server_close(server, DNS_TCP);
    expect_truncated_kept((dns_rule){.action = DNS_DROP}, "cannot be reached");
}

Test(dns_hostile, truncated_first_reply_is_no_list)
{
    const dns_record records[] = {dns_a("10.0.0.1", 0), dns_a("10.0.0.2", 0)};

    dns_server_close(server, DNS_TCP);
    dns_zone_rule(server, NAME,
                  (dns_rule){.records = records,
                             .n_records = 2,
                             .faults = DNS_TRUNCATED});
    open_watch("&type=a");
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, "cannot be reached");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 0);
    serve();
    expect_list(LIST);
}

/* ---- huge ---- */

/* n addresses from 10.0.0.1 up all come, over TCP. */
static void expect_addresses(unsigned n)
{
    const dns_event *event;
    char *rest = NULL;
    unsigned n_found = 0;

    dns_zone_rule(server, NAME,
                  (dns_rule){.action = DNS_ADDRESSES, .n = n, .ttl = 60});
    watch = dns_watch_open("dns://%s/" NAME ":80?type=a",
                           dns_server_address(server));
    event = dns_watch_await(watch, MUSTER_WATCH_LIST, NULL);
    cr_expect_eq(event->n_endpoints, n);
    cr_expect_eq(dns_server_count_over(server, NAME, DNS_TYPE_A, DNS_TCP), 1);
    for (const char *word = strtok_r(event->list, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        unsigned c;
        unsigned d;

        cr_assert_eq(sscanf(word, "10.0.%u.%u:80", &c, &d), 2, "%s", word);
        cr_assert(c * 256 + d >= 1 && c * 256 + d <= n, "%s", word);
        n_found++;
    }
    cr_expect_eq(n_found, n);
}

Test(dns_hostile, addresses_come_all_250)
{
    expect_addresses(250);
}

Test(dns_hostile, addresses_come_all_4000)
{
    expect_addresses(4000);
}

Test(dns_hostile, addresses_of_both_families_come_over_tcp)
{
    dns_zone_rule(server, NAME,
                  (dns_rule){.action = DNS_ADDRESSES, .n = 1000, .ttl = 60});
    open_watch("");
    cr_expect_eq(dns_watch_await(watch, MUSTER_WATCH_LIST, NULL)->n_endpoints,
                 2000);
}
