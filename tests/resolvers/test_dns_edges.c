/* SPDX-License-Identifier: Apache-2.0 */
/* The dns resolver where its outcomes meet: virtual time, a server of ours. */
#include <criterion/criterion.h>

#include <muster/plugin.h>
#include <muster/testkit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/dns_server.h"

const muster_plugin *muster_builtin_dns(void);

enum { WAIT_MS = 50 };

static dns_server *server;
static muster_testkit_resolver *kit;

static void set_up(void)
{
    server = dns_server_start(false);
}

static void tear_down(void)
{
    muster_testkit_resolver_destroy(kit);
    dns_server_stop(server);
}

TestSuite(dns_edges, .init = set_up, .fini = tear_down, .timeout = 60);

static void start(const char *path, const char *key, const char *value)
{
    const muster_attribute option = {key, value};
    const muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_dns(),
        .authority = dns_server_address(server),
        .path = path,
        .options = &option,
        .n_options = 1,
    };
    muster_error err;

    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    muster_testkit_resolver_start(kit);
}

static const muster_testkit_resolver_seen *seen(void)
{
    return muster_testkit_resolver_get(kit);
}

/* Lets delay_ms of virtual time pass, and the server answer in it. */
static void pass(uint64_t delay_ms)
{
    for (uint64_t i = 0; i < delay_ms; i += 500) {
        while (muster_testkit_resolver_poll(kit, WAIT_MS) > 0) {
        }
        muster_testkit_resolver_advance(kit, 500);
    }
}

/* Lets time pass until condition holds, or far too long. */
#define AWAIT(condition)                                                       \
    do {                                                                       \
        for (int i_ = 0; i_ < 200 && !(condition); i_++) {                     \
            pass(500);                                                         \
        }                                                                      \
        cr_assert(condition, "%s", seen()->failure_message);                   \
    } while (0)

/* ---- addresses ---- */

Test(dns_edges, an_address_that_was_refused_is_said_again)
{
    start("10.0.0.7:80", "type", "auto");
    cr_assert_eq(seen()->n_endpoints, 1);
    muster_testkit_resolver_applied(kit, seen()->sequence, MUSTER_NOMEM);
    pass(5000);
    cr_assert_eq(seen()->n_reports, 2);
    cr_assert_eq(seen()->n_endpoints, 1);
    cr_assert_str_eq(seen()->endpoints[0].address, "10.0.0.7:80");
    cr_assert_eq(dns_server_count(server, NULL, 0), 0);
}

Test(dns_edges, an_address_that_cannot_be_said_is_said_later)
{
    const muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_dns(),
        .path = "10.0.0.7:80",
    };
    muster_error err;

    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, 1);
    muster_testkit_resolver_start(kit);
    cr_assert_eq(seen()->n_reports, 0);
    muster_testkit_resolver_advance(kit, 2000);
    cr_assert_eq(seen()->n_endpoints, 1);
}

/* ---- authority ---- */

Test(dns_edges, what_is_no_name_has_no_authority)
{
    char buffer[512] = "";
    const muster_resolver_class *class_ = muster_builtin_dns()->resolvers[0];

    cr_assert_eq(class_->authority("a..b", buffer, sizeof buffer),
                 MUSTER_INVAL);
    cr_assert_eq(class_->authority("", buffer, sizeof buffer), MUSTER_INVAL);
    cr_assert_eq(class_->authority("_x._tcp.web.prod", buffer, sizeof buffer),
                 MUSTER_OK);
    cr_assert_str_eq(buffer, "web.prod");
}

/* ---- a name that is gone, and then nobody knows ---- */

static void start_web(void)
{
    const dns_record record = dns_a("10.0.0.1", 1);

    dns_server_answer(server, "web.test", DNS_TYPE_A, &record, 1);
    start("web.test", "type", "a");
    AWAIT(seen()->n_endpoints == 1);
}

Test(dns_edges, a_denial_that_is_not_confirmed_removes_nothing)
{
    start_web();
    dns_server_fail(server, "web.test", DNS_TYPE_A, DNS_RCODE_NXDOMAIN);
    AWAIT(seen()->failure == MUSTER_NOTFOUND);
    dns_server_fail(server, "web.test", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    pass(60000);
    cr_assert_eq(seen()->n_endpoints, 1);
    cr_assert_eq(seen()->failure, MUSTER_UNAVAILABLE);
    dns_server_fail(server, "web.test", DNS_TYPE_A, DNS_RCODE_NXDOMAIN);
    AWAIT(seen()->n_endpoints == 0);
}

Test(dns_edges, a_failure_after_an_empty_list_is_told)
{
    dns_server_fail(server, "web.test", DNS_TYPE_A, DNS_RCODE_NXDOMAIN);
    start("web.test", "type", "a");
    AWAIT(seen()->n_reports == 1);
    dns_server_fail(server, "web.test", DNS_TYPE_A, DNS_RCODE_SERVFAIL);
    AWAIT(seen()->failure == MUSTER_UNAVAILABLE);
}

/* ---- too much ---- */

enum { N_SERVICES = 1000, N_ADDRESSES = 100 };

Test(dns_edges, services_that_multiply_addresses_are_refused)
{
    static dns_record services[N_SERVICES];
    const dns_rule many = {.name = "one.test",
                           .type = DNS_TYPE_A,
                           .action = DNS_ADDRESSES,
                           .n = N_ADDRESSES,
                           .ttl = 60};

    for (size_t i = 0; i < N_SERVICES; i++) {
        services[i] = dns_srv(0, 1, (uint16_t)(i + 1), "one.test", 60);
    }
    dns_server_answer(server, "_x._tcp.test", DNS_TYPE_SRV, services,
                      N_SERVICES);
    dns_server_fail(server, "one.test", DNS_TYPE_AAAA, DNS_RCODE_NOERROR);
    dns_server_put(server, &many);
    start("_x._tcp.test", "type", "auto");
    AWAIT(seen()->failure == MUSTER_EXHAUSTED);
}

/* ---- resolv.conf ---- */

/* It knows port 53 only, so nobody answers there; but who is asked shows. */
Test(dns_edges, servers_stay_when_resolv_conf_cannot_be_read_any_more)
{
    char path[] = "/tmp/muster-resolv-XXXXXX";
    int fd = mkstemp(path);
    const muster_attribute set[] = {{"resolv_conf", path}, {"hosts", "off"}};
    const muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_dns(),
        .path = "web.test",
        .options = set,
        .n_options = 2,
    };
    muster_error err;

    cr_assert_gt(dprintf(fd, "nameserver 127.9.9.9\nsearch test\n"), 0);
    close(fd);
    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    muster_testkit_resolver_start(kit);
    AWAIT(strstr(seen()->failure_message, "127.9.9.9") != NULL);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink(path, path), 0); /* a loop: ELOOP, even for root */
    AWAIT(seen()->n_logs > 0);
    cr_assert_not_null(strstr(seen()->log_message, "cannot be read"), "%s",
                       seen()->log_message);
    cr_assert_not_null(strstr(seen()->failure_message, "127.9.9.9"), "%s",
                       seen()->failure_message);
    (void)unlink(path);
}
