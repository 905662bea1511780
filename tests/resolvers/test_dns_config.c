/* SPDX-License-Identifier: Apache-2.0 */
/* Service config in TXT records. */
#include <criterion/criterion.h>
#include <string.h>

#include "dns_watch.h"
#include "dns_zone.h"

#define NAME "web.test"
#define CONFIG_NAME "_grpc_config." NAME
#define QUICK "ttl_min=100ms&tries=1&jitter=0"

#define CHOICE(policy)                                                         \
    "grpc_config=[{\"serviceConfig\":{\"loadBalancingPolicy\":\"" policy "\"}" \
    "}]"

static dns_server *server;
static dns_watch *watch;

static void say(const char *text)
{
    const dns_record record = dns_txt(text, 0);

    dns_server_answer(server, CONFIG_NAME, DNS_TYPE_TXT, &record, 1);
}

static void set_up(void)
{
    dns_world_open();
    server = dns_server_start(false);
    dns_zone_addresses(server, NAME, "10.0.0.1", 60);
}

static void tear_down(void)
{
    dns_watch_close(watch);
    dns_world_close();
    dns_server_stop(server);
}

TestSuite(dns_config, .init = set_up, .fini = tear_down, .timeout = 60);

static void open_watch(const char *options)
{
    watch = dns_watch_open("dns://%s/" NAME "?" QUICK "%s",
                           dns_server_address(server), options);
}

/* The next list has this config. */
static void expect_config(const char *policy)
{
    const dns_event *event =
        dns_watch_await(watch, MUSTER_WATCH_LIST, "10.0.0.1:443");

    if (*policy == '\0') {
        cr_expect_str_empty(event->service_config);
    } else {
        cr_expect_not_null(strstr(event->service_config, policy), "%s",
                           event->service_config);
    }
}

Test(dns_config, comes_with_the_first_list)
{
    say(CHOICE("round_robin"));
    open_watch("&service_config=on");
    expect_config("round_robin");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

Test(dns_config, is_not_asked_for_unless_it_is_wanted)
{
    say(CHOICE("round_robin"));
    open_watch("");
    expect_config("");
    cr_expect_eq(dns_server_count(server, CONFIG_NAME, 0), 0);
}

Test(dns_config, of_a_service_is_that_of_its_domain)
{
    const dns_record record = dns_srv(0, 0, 443, "a.test", 60);

    dns_server_answer(server, "_grpc._tcp." NAME, DNS_TYPE_SRV, &record, 1);
    dns_zone_addresses(server, "a.test", "10.0.0.1", 60);
    say(CHOICE("round_robin"));
    watch = dns_watch_open("dns://%s/_grpc._tcp." NAME "?service_config=on",
                           dns_server_address(server));
    expect_config("round_robin");
}

Test(dns_config, changes_as_its_record_does)
{
    say(CHOICE("round_robin"));
    open_watch("&service_config=on");
    expect_config("round_robin");
    say(CHOICE("pick_first"));
    expect_config("pick_first");
    dns_zone_nothing(server, CONFIG_NAME, 0);
    expect_config("");
}

Test(dns_config, that_is_malformed_is_ignored_and_said)
{
    say(CHOICE("round_robin"));
    open_watch("&service_config=on");
    expect_config("round_robin");
    say("grpc_config=[{\"serviceConfig\":");
    dns_world_await_line("the service config in TXT is ignored");
    say(CHOICE("pick_first"));
    expect_config("pick_first");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 2);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

Test(dns_config, that_is_malformed_at_first_leaves_the_list)
{
    say("grpc_config=nonsense");
    open_watch("&service_config=on");
    expect_config("");
    dns_world_await_line("the service config in TXT is ignored");
}

Test(dns_config, that_is_not_there_is_no_failure)
{
    dns_zone_nothing(server, CONFIG_NAME, 0);
    open_watch("&service_config=on");
    expect_config("");
    cr_assert(dns_server_await(server, CONFIG_NAME, 0, 3, DNS_WAIT_MS));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

/* Other texts are for others (RFC 1464). */
Test(dns_config, is_looked_for_among_other_texts)
{
    const dns_record records[] = {dns_txt("v=spf1 -all", 0),
                                  dns_txt(CHOICE("round_robin"), 0)};

    dns_server_answer(server, CONFIG_NAME, DNS_TYPE_TXT, records, 2);
    open_watch("&service_config=on");
    expect_config("round_robin");
}

/* A server that cannot say it must not make calls fail. */
Test(dns_config, that_fails_leaves_the_list)
{
    dns_zone_failure(server, CONFIG_NAME, DNS_RCODE_SERVFAIL);
    open_watch("&service_config=on");
    expect_config("");
    say(CHOICE("round_robin"));
    expect_config("round_robin");
}

Test(dns_config, that_fails_later_stays)
{
    say(CHOICE("round_robin"));
    open_watch("&service_config=on");
    expect_config("round_robin");
    dns_zone_failure(server, CONFIG_NAME, DNS_RCODE_SERVFAIL);
    dns_server_forget(server);
    cr_assert(dns_server_await(server, CONFIG_NAME, 0, 2, DNS_WAIT_MS));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}
