/* SPDX-License-Identifier: Apache-2.0 */
/* The dns resolver and a real DNS server; and names that plugins ask for. */
#include <ares.h>
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "asker.h"
#include "dns_watch.h"
#include "knot.h"
#include "loop.h"

#define ZONE "example.test"
#define NAME "www." ZONE
#define QUICK "ttl_min=100ms&timeout=1s&tries=1&jitter=0"

static knot zone;
static dns_watch *watch;

static void set_up(void)
{
    cr_assert(knot_start(&zone, ZONE,
                         "www A 10.0.0.1\n"
                         "both A 10.0.0.2\n"
                         "both AAAA fd00::2\n"
                         "alias CNAME both\n"
                         "_grpc._tcp SRV 1 1 80 www\n"
                         "_grpc._tcp SRV 1 3 81 both\n"
                         "_grpc._tcp SRV 2 0 82 www\n",
                         NULL));
    dns_world_open();
}

static void tear_down(void)
{
    dns_watch_close(watch);
    dns_world_close();
    knot_fini(&zone);
}

TestSuite(dns_knot, .init = set_up, .fini = tear_down, .timeout = 60);

static void open_watch(const char *path)
{
    watch = dns_watch_open("dns://%s/%s?" QUICK, zone.address, path);
}

static const dns_event *expect_list(const char *list)
{
    return dns_watch_await(watch, MUSTER_WATCH_LIST, list);
}

static void set_addresses(const char *first, const char *second, uint32_t ttl)
{
    const char *data[] = {first, second};

    cr_assert(
        knot_set_records(&zone, "www", "A", ttl, data, second != NULL ? 2 : 1));
}

/* ---- lists ---- */

Test(dns_knot, shows_a_change_within_its_time_to_live)
{
    uint64_t begin_ns;

    open_watch(NAME);
    (void)expect_list("10.0.0.1:443");
    set_addresses("10.0.0.1", "10.0.0.9", 1);
    begin_ns = dns_now_ns(); /* it may have been seen by now */
    cr_expect_lt(expect_list("10.0.0.1:443 10.0.0.9:443")->time_ns,
                 begin_ns + UINT64_C(1900000000));
    set_addresses("10.0.0.9", NULL, 1);
    begin_ns = dns_now_ns();
    cr_expect_lt(expect_list("10.0.0.9:443")->time_ns,
                 begin_ns + UINT64_C(1900000000));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_ERROR), 0);
}

Test(dns_knot, shows_what_an_alias_stands_for)
{
    open_watch("alias." ZONE);
    (void)expect_list("10.0.0.2:443 [fd00::2]:443");
}

/* It sends the addresses of targets along, those of www twice. */
Test(dns_knot, shows_services)
{
    open_watch("_grpc._tcp." ZONE);
    (void)expect_list("10.0.0.1:80@1 10.0.0.1:82@2 "
                      "[fd00::2]:81+10.0.0.2:81*3@1");
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

Test(dns_knot, shows_250_addresses)
{
    static char texts[250][16];
    const char *data[250];

    for (unsigned i = 0; i < 250; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "10.1.0.%u", i + 1);
        data[i] = texts[i];
    }
    cr_assert(knot_set_records(&zone, "many", "A", 60, data, 250));
    open_watch("many." ZONE);
    cr_expect_eq(dns_watch_await(watch, MUSTER_WATCH_LIST, NULL)->n_endpoints,
                 250);
}

Test(dns_knot, shows_that_a_name_is_gone)
{
    watch = dns_watch_open("dns://%s/" NAME "?" QUICK "&hold_nxdomain=100ms",
                           zone.address);
    (void)expect_list("10.0.0.1:443");
    cr_assert(knot_remove_records(&zone, "www", NULL));
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, "there is no such name");
    (void)expect_list("");
    set_addresses("10.0.0.5", NULL, 1);
    (void)expect_list("10.0.0.5:443");
}

/* ---- outages ---- */

static void expect_fresh(uint64_t back_ns)
{
    const dns_event *event =
        dns_watch_await(watch, MUSTER_WATCH_FRESH, "10.0.0.1:443");

    /* It may be noticed before knot_restart() has seen it. */
    cr_expect_lt(event->time_ns, back_ns + UINT64_C(5000000000));
    cr_expect_eq(dns_watch_count(watch, MUSTER_WATCH_LIST), 1);
}

Test(dns_knot, serves_the_last_list_while_the_server_is_stopped)
{
    uint64_t back_ns;

    open_watch(NAME);
    (void)expect_list("10.0.0.1:443");
    knot_stop(&zone);
    cr_expect_str_eq(
        dns_watch_await(watch, MUSTER_WATCH_ERROR, zone.address)->list,
        "10.0.0.1:443");
    cr_assert(knot_restart(&zone));
    back_ns = dns_now_ns();
    expect_fresh(back_ns);
}

Test(dns_knot, serves_the_last_list_while_the_server_is_frozen)
{
    uint64_t back_ns;

    open_watch(NAME);
    (void)expect_list("10.0.0.1:443");
    knot_freeze(&zone);
    (void)dns_watch_await(watch, MUSTER_WATCH_ERROR, "no reply in time");
    back_ns = dns_now_ns();
    knot_thaw(&zone);
    expect_fresh(back_ns);
}

/* ---- names for plugins ---- */

/* Those are looked up with the servers of this machine's resolv.conf: the
 * linker puts this in the place of what c-ares reads there. */
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
        node->family = AF_INET;
        node->addr.addr4.s_addr = htonl(INADDR_LOOPBACK);
        node->udp_port = node->tcp_port = zone.port.number;
    }
    return status;
}

typedef struct lookup {
    const char *name;
    sem_t is_over;
    muster_status status;
    size_t n;
    char first[64];
    char second[64];
} lookup;

static void on_answer(void *arg, muster_status status,
                      const char *const *addresses, size_t n)
{
    lookup *what = arg;

    what->status = status;
    what->n = n;
    (void)snprintf(what->first, sizeof what->first, "%s",
                   n > 0 ? addresses[0] : "");
    (void)snprintf(what->second, sizeof what->second, "%s",
                   n > 1 ? addresses[1] : "");
    (void)sem_post(&what->is_over);
}

static void ask(void *arg)
{
    lookup *what = arg;

    cr_expect_eq(asker_host->resolve(asker_ctx, what->name, on_answer, what),
                 MUSTER_OK);
}

static lookup look_up(const char *name)
{
    lookup what = {.name = name};

    cr_assert_eq(sem_init(&what.is_over, 0, 0), 0);
    cr_assert_eq(muster__loop_call(ask, &what, MUSTER_FOREVER), MUSTER_OK);
    while (sem_wait(&what.is_over) != 0) {
    }
    (void)sem_destroy(&what.is_over);
    return what;
}

static void open_asker(void)
{
    cr_assert_eq(muster_plugin_register(asker_entry, NULL), MUSTER_OK);
    watch = dns_watch_open("asker:///x");
}

Test(dns_knot, resolves_names_for_plugins)
{
    lookup what;

    open_asker();
    what = look_up("both." ZONE);
    cr_assert_eq(what.status, MUSTER_OK, "%s", muster_status_name(what.status));
    cr_assert_eq(what.n, 2);
    cr_expect_str_eq(what.first, "10.0.0.2");
    cr_expect_str_eq(what.second, "fd00::2");
}

Test(dns_knot, says_to_plugins_that_there_is_no_such_name)
{
    open_asker();
    cr_expect_eq(look_up("none." ZONE).status, MUSTER_NOTFOUND);
}

Test(dns_knot, says_to_plugins_that_the_server_is_gone)
{
    open_asker();
    knot_stop(&zone);
    cr_expect_eq(look_up(NAME).status, MUSTER_REFUSED);
}
