/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.conf, its search domains, and /etc/hosts. */
#include <ares.h>
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dns_watch.h"
#include "dns_zone.h"
#include "file_replace.h"

enum { PATH_SIZE = 512 };

#define QUICK "ttl_min=100ms&tries=1&jitter=0"

static dns_server *server;
static dns_server *other;
static dns_watch *watch;
static char folder[PATH_SIZE / 2];
static char path[PATH_SIZE];

static void set_up(void)
{
    const char *base = getenv("TMPDIR");

    dns_world_open();
    server = dns_server_start(false);
    other = dns_server_start(false);
    (void)snprintf(folder, sizeof folder, "%s/muster-dns-XXXXXX",
                   base != NULL ? base : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/resolv.conf", folder);
}

static int remove_one(const char *name, const struct stat *info, int type,
                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(name);
}

static void tear_down(void)
{
    dns_watch_close(watch);
    dns_world_close();
    dns_server_stop(server);
    dns_server_stop(other);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(dns_search, .init = set_up, .fini = tear_down, .timeout = 60);

/* A file of servers has no ports, and port 53 is not ours: the linker puts this
 * in the place of c-ares's function. 10.0.0.1 of a file is server, 10.0.0.2 is
 * other. */
int __real_ares_get_servers_ports(ares_channel channel,
                                  struct ares_addr_port_node **ret_nodes);
int __wrap_ares_get_servers_ports(ares_channel channel,
                                  struct ares_addr_port_node **ret_nodes);

int __wrap_ares_get_servers_ports(ares_channel channel,
                                  struct ares_addr_port_node **ret_nodes)
{
    int status = __real_ares_get_servers_ports(channel, ret_nodes);
    struct ares_addr_port_node *node =
        status == ARES_SUCCESS ? *ret_nodes : NULL;

    for (; node != NULL; node = node->next) {
        bool is_other = ntohl(node->addr.addr4.s_addr) == 0x0a000002;

        node->addr.addr4.s_addr = htonl(INADDR_LOOPBACK);
        node->udp_port = dns_server_port(is_other ? other : server);
        node->tcp_port = node->udp_port;
    }
    return status;
}

static void use(const dns_server *first, const char *rest)
{
    cr_assert(file_replace(path, "nameserver 10.0.0.%d\n%s\n",
                           first == server ? 1 : 2, rest));
}

static void use_both(void)
{
    cr_assert(file_replace(path, "nameserver 10.0.0.1\nnameserver 10.0.0.2\n"));
}

static void open_watch(const char *name, const char *options)
{
    watch = dns_watch_open("dns:///%s?resolv_conf=%s&" QUICK "%s", name, path,
                           options);
}

static void expect_list(const char *list)
{
    (void)dns_watch_await(watch, MUSTER_WATCH_LIST, list);
}

/* The index-th name that was asked for. */
static void expect_asked(size_t index, const char *name)
{
    dns_query query = {.name = ""};

    cr_assert(dns_server_query(server, NULL, DNS_TYPE_A, index, &query));
    cr_expect_str_eq(query.name, name, "%zu", index);
}

/* ---- servers ---- */

Test(dns_search, asks_the_servers_of_the_file)
{
    dns_zone_addresses(server, "web.test", "10.0.0.1", 60);
    use(server, "");
    open_watch("web.test", "");
    expect_list("10.0.0.1:443");
}

Test(dns_search, asks_the_second_server_of_the_file_too)
{
    dns_zone_failure(server, "web.test", DNS_RCODE_SERVFAIL);
    dns_zone_addresses(other, "web.test", "10.0.0.1", 60);
    use_both();
    open_watch("web.test", "");
    expect_list("10.0.0.1:443");
}

/* They are taken to know the same, as all resolvers take them to. */
Test(dns_search, believes_the_first_denial_of_the_file_s_servers)
{
    dns_zone_nothing(server, "web.test", 60);
    dns_zone_addresses(other, "web.test", "10.0.0.1", 60);
    use_both();
    open_watch("web.test", "");
    expect_list("");
    cr_expect_eq(dns_server_count(other, NULL, 0), 0);
    dns_watch_close(watch);
    open_watch("web.test", "&nxdomain=all");
    expect_list("10.0.0.1:443");
}

Test(dns_search, picks_up_a_file_that_changed)
{
    dns_zone_addresses(server, "web.test", "10.0.0.1", 0);
    dns_zone_addresses(other, "web.test", "10.0.0.2", 0);
    use(server, "");
    open_watch("web.test", "");
    expect_list("10.0.0.1:443");
    use(other, "");
    expect_list("10.0.0.2:443");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 2);
}

Test(dns_search, removes_nothing_before_other_servers_have_answered)
{
    dns_zone_addresses(server, "web.test", "10.0.0.1", 0);
    use(server, "");
    open_watch("web.test", "&timeout=200ms");
    expect_list("10.0.0.1:443");
    dns_server_pause(other);
    use(other, "");
    cr_assert(dns_server_await(other, "web.test", DNS_TYPE_A, 2, DNS_WAIT_MS));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
    cr_expect_str_eq(dns_watch_last(watch)->list, "10.0.0.1:443");
    dns_zone_addresses(other, "web.test", "10.0.0.2", 0);
    dns_server_resume(other);
    expect_list("10.0.0.2:443");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 2);
}

Test(dns_search, keeps_services_when_servers_change)
{
    const dns_record service = dns_srv(0, 0, 80, "a.test", 0);

    dns_server_answer(server, "_web.test", DNS_TYPE_SRV, &service, 1);
    dns_server_answer(other, "_web.test", DNS_TYPE_SRV, &service, 1);
    dns_zone_addresses(server, "a.test", "10.0.0.1", 0);
    dns_zone_addresses(other, "a.test", "10.0.0.2", 0);
    use(server, "");
    open_watch("_web.test", "");
    expect_list("10.0.0.1:80");
    use(other, "");
    expect_list("10.0.0.2:80");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 2);
}

/* ---- search domains ---- */

Test(dns_search, tries_domains_before_a_name_without_dots)
{
    dns_zone_nothing(server, "web.one.test", 60);
    dns_zone_addresses(server, "web.two.test", "10.0.0.1", 60);
    use(server, "search one.test two.test");
    open_watch("web", "");
    expect_list("10.0.0.1:443");
    expect_asked(0, "web.one.test");
    expect_asked(1, "web.two.test");
    cr_expect_eq(dns_server_count(server, NULL, DNS_TYPE_A), 2);
}

Test(dns_search, tries_a_name_with_dots_before_domains)
{
    dns_zone_nothing(server, "web.prod", 60);
    dns_zone_addresses(server, "web.prod.one.test", "10.0.0.1", 60);
    use(server, "search one.test");
    open_watch("web.prod", "");
    expect_list("10.0.0.1:443");
    expect_asked(0, "web.prod");
    expect_asked(1, "web.prod.one.test");
}

Test(dns_search, counts_dots_as_ndots_says)
{
    dns_zone_nothing(server, "web.prod.one.test", 60);
    dns_zone_addresses(server, "web.prod", "10.0.0.1", 60);
    use(server, "search one.test\noptions ndots:2");
    open_watch("web.prod", "");
    expect_list("10.0.0.1:443");
    expect_asked(0, "web.prod.one.test");
    expect_asked(1, "web.prod");
}

Test(dns_search, is_empty_when_no_domain_has_the_name)
{
    dns_zone_nothing(server, "web.one.test", 60);
    dns_zone_nothing(server, "web", 60);
    use(server, "search one.test");
    open_watch("web", "");
    expect_list("");
}

/* The name of the next domain is somebody else's. */
Test(dns_search, goes_no_further_when_a_domain_is_unknown)
{
    dns_zone_failure(server, "web.one.test", DNS_RCODE_SERVFAIL);
    dns_zone_addresses(server, "web.two.test", "10.0.0.1", 60);
    use(server, "search one.test two.test");
    open_watch("web", "");
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, "web.one.test");
    cr_expect_eq(dns_server_count(server, "web.two.test", 0), 0);
}

Test(dns_search, leaves_a_name_with_a_last_dot_alone)
{
    dns_zone_addresses(server, "web", "10.0.0.1", 60);
    dns_zone_addresses(server, "web.one.test", "10.0.0.2", 60);
    use(server, "search one.test");
    open_watch("web.", "");
    expect_list("10.0.0.1:443");
    cr_expect_eq(dns_server_count(server, "web.one.test", 0), 0);
}

Test(dns_search, is_off_when_asked)
{
    dns_zone_addresses(server, "web", "10.0.0.1", 60);
    dns_zone_addresses(server, "web.one.test", "10.0.0.2", 60);
    use(server, "search one.test");
    open_watch("web", "&search=off");
    expect_list("10.0.0.1:443");
}

Test(dns_search, is_off_for_servers_of_the_target)
{
    dns_zone_addresses(server, "web", "10.0.0.1", 60);
    dns_zone_addresses(server, "web.one.test", "10.0.0.2", 60);
    use(server, "search one.test");
    watch = dns_watch_open("dns://%s/web?resolv_conf=%s",
                           dns_server_address(server), path);
    expect_list("10.0.0.1:443");
}

/* ---- /etc/hosts ---- */

Test(dns_search, finds_names_of_the_hosts_file)
{
    use(server, "");
    open_watch("localhost:80", "&type=a");
    expect_list("127.0.0.1:80");
    cr_expect_eq(dns_server_count(server, NULL, 0), 0);
}

Test(dns_search, looks_into_no_hosts_file_when_asked)
{
    dns_zone_addresses(server, "localhost", "10.0.0.1", 60);
    use(server, "");
    open_watch("localhost:80", "&hosts=off");
    expect_list("10.0.0.1:80");
}

Test(dns_search, looks_into_no_hosts_file_for_servers_of_the_target)
{
    dns_zone_addresses(server, "localhost", "10.0.0.1", 60);
    watch = dns_watch_open("dns://%s/localhost:80", dns_server_address(server));
    expect_list("10.0.0.1:80");
    dns_watch_close(watch);
    watch = dns_watch_open("dns://%s/localhost:80?hosts=on&type=a",
                           dns_server_address(server));
    expect_list("127.0.0.1:80");
}
