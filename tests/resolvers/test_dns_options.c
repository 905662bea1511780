/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a dns target: what they are without being given, what they take,
 * and what is said of others. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <options.h>

#include "dns_watch.h"

static muster__dns_options read_option(const char *name, const char *value)
{
    const muster_attribute option = {name, value};
    const muster_resolver_env env = {.struct_size = sizeof env,
                                     .options = &option,
                                     .n_options = name != NULL};
    muster__dns_options options;
    muster_error err = {.message = ""};

    cr_assert_eq(muster__dns_options_read(&env, &options, &err), MUSTER_OK,
                 "%s", err.message);
    return options;
}

/* ---- values ---- */

Test(dns_options, have_defaults)
{
    muster__dns_options options = read_option(NULL, NULL);

    cr_expect_eq(options.kind, MUSTER__DNS_KIND_AUTO);
    cr_expect_eq(options.ttl_min_ms, 1000);
    cr_expect_eq(options.ttl_max_ms, 300000);
    cr_expect_eq(options.refresh_ms, 0);
    cr_expect_eq(options.jitter_percent, 10);
    cr_expect_eq(options.hold_nxdomain_ms, 30000);
    cr_expect_eq(options.hold_servfail_ms, 30000);
    cr_expect_eq(options.hold_refused_ms, 30000);
    cr_expect_eq(options.hold_timeout_ms, 30000);
    cr_expect_eq(options.nxdomain_all, MUSTER__DNS_BY_SERVER);
    cr_expect_eq(options.search, MUSTER__DNS_BY_SERVER);
    cr_expect_eq(options.hosts, MUSTER__DNS_BY_SERVER);
    cr_expect_not(options.has_service_config);
    cr_expect_eq(options.timeout_ms, 2000);
    cr_expect_eq(options.tries, 2);
    cr_expect_str_eq(options.resolv_conf, "/etc/resolv.conf");
}

Test(dns_options, are_read)
{
    cr_expect_eq(read_option("type", "srv").kind, MUSTER__DNS_KIND_SRV);
    cr_expect_eq(read_option("type", "both").kind, MUSTER__DNS_KIND_BOTH);
    cr_expect_eq(read_option("ttl_min", "250ms").ttl_min_ms, 250);
    cr_expect_eq(read_option("ttl_max", "1h").ttl_max_ms, 3600000);
    cr_expect_eq(read_option("refresh", "7").refresh_ms, 7000);
    cr_expect_eq(read_option("jitter", "0").jitter_percent, 0);
    cr_expect_eq(read_option("jitter", "50").jitter_percent, 50);
    cr_expect_eq(read_option("nxdomain", "all").nxdomain_all, MUSTER__DNS_ON);
    cr_expect_eq(read_option("nxdomain", "first").nxdomain_all,
                 MUSTER__DNS_OFF);
    cr_expect_eq(read_option("search", "off").search, MUSTER__DNS_OFF);
    cr_expect_eq(read_option("hosts", "on").hosts, MUSTER__DNS_ON);
    cr_expect(read_option("service_config", "on").has_service_config);
    cr_expect_eq(read_option("tries", "10").tries, 10);
    cr_expect_eq(read_option("timeout", "24h").timeout_ms, 86400000);
}

Test(dns_options, hold_by_cause)
{
    muster__dns_options options = {
        .hold_servfail_ms = 1, .hold_refused_ms = 2, .hold_timeout_ms = 3};

    cr_expect_eq(muster__dns_options_hold_ms(&options, MUSTER__DNS_TIMEOUT), 3);
    cr_expect_eq(muster__dns_options_hold_ms(&options, MUSTER__DNS_REFUSED), 2);
    cr_expect_eq(muster__dns_options_hold_ms(&options, MUSTER__DNS_UNREACHABLE),
                 2);
    cr_expect_eq(muster__dns_options_hold_ms(&options, MUSTER__DNS_SERVFAIL),
                 1);
    cr_expect_eq(muster__dns_options_hold_ms(&options, MUSTER__DNS_MALFORMED),
                 1);
    cr_expect_eq(muster__dns_options_hold_ms(&options, MUSTER__DNS_LOCAL), 1);
}

/* ---- what is refused, as a user meets it ---- */

Test(dns_refusals, name_the_option, .init = dns_world_open,
     .fini = dns_world_close)
{
    static const char *const refused[][2] = {
        {"type=mx", "option type: \"mx\" is not auto, a, aaaa, both or srv"},
        {"ttl_min=0", "option ttl_min: \"0\" is not from 100ms to 24h"},
        {"ttl_min=99ms", "option ttl_min: \"99ms\""},
        {"ttl_max=25h", "option ttl_max: \"25h\""},
        {"ttl_min=10s&ttl_max=5s", "option ttl_max is less than ttl_min"},
        {"refresh=often", "option refresh: \"often\""},
        {"jitter=51", "option jitter: \"51\" is not a number from 0 to 50"},
        {"jitter=-1", "option jitter: \"-1\""},
        {"jitter=1%25", "option jitter: \"1%\""},
        {"hold_nxdomain=x", "option hold_nxdomain: \"x\""},
        {"hold_servfail=x", "option hold_servfail: \"x\""},
        {"hold_refused=x", "option hold_refused: \"x\""},
        {"hold_timeout=x", "option hold_timeout: \"x\""},
        {"nxdomain=any", "option nxdomain: \"any\" is not first or all"},
        {"timeout=1ms", "option timeout: \"1ms\""},
        {"tries=0", "option tries: \"0\" is not a number from 1 to 10"},
        {"tries=11", "option tries: \"11\""},
        {"tries=1.5", "option tries: \"1.5\""},
        {"search=yes", "option search: \"yes\" is not on or off"},
        {"hosts=1", "option hosts: \"1\" is not on or off"},
        {"service_config=", "service_config"},
        {"resolv_conf=resolv.conf", "option resolv_conf: \"resolv.conf\" is "
                                    "not the absolute path of a file"},
        {"retries=1", "retries"},
    };
    char target[256];

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        (void)snprintf(target, sizeof target, "dns:///web.test?%s",
                       refused[i][0]);
        dns_watch_expect_refusal(target, refused[i][1]);
    }
}

Test(dns_refusals, name_the_part_of_the_target, .init = dns_world_open,
     .fini = dns_world_close)
{
    dns_watch_expect_refusal("dns:///", "there is no name to resolve");
    dns_watch_expect_refusal("dns:///web:0", "port \"0\"");
    dns_watch_expect_refusal("dns:///a..b", "\"a..b\" is not a host name");
    dns_watch_expect_refusal("dns:///b\xc3\xbcro", "xn--");
    dns_watch_expect_refusal("dns:///b%C3%BCro", "xn--");
    dns_watch_expect_refusal("dns:///10.0.0.300", "10.0.0.300");
    dns_watch_expect_refusal("dns://ns.test/web", "server \"ns.test\"");
    dns_watch_expect_refusal("dns://10.0.0.1,ns.test:1/web",
                             "server \"ns.test:1\"");
    dns_watch_expect_refusal("dns:///10.0.0.1?type=srv",
                             "option type: an address has no SRV records");
    dns_watch_expect_refusal("dns:///_a._tcp.web:80", "port 80: SRV records");
    dns_watch_expect_refusal("dns:///web:80?type=srv", "port 80: SRV records");
}
