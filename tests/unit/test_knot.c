/* SPDX-License-Identifier: Apache-2.0 */
/* knotd as the tests run it. */
#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dns_asking.h"
#include "knot_process.h"

static const char records[] = "www 7 A 127.0.0.5\n"
                              "www 7 AAAA ::5\n"
                              "_grpc._tcp SRV 1 5 4711 www\n";

static void start(knot *server)
{
    cr_assert(knot_start(server, "example.test", records, NULL));
}

/* Changes www's addresses. */
static void set_www(knot *server, const char *address)
{
    cr_assert(knot_set_records(server, "www", "A", 7, &address, 1));
}

static void expect_www(const knot *server, uint32_t address)
{
    const asked *reply = ask(server->address, "www.example.test", ns_t_a);

    cr_assert_eq(reply->status, ARES_SUCCESS, "%s",
                 ares_strerror(reply->status));
    cr_assert_eq(reply->n, 1);
    cr_assert_eq(address_at(reply, 0), address);
    cr_assert_eq(reply->addresses[0].ttl, 7);
}

Test(knot, serves_its_zone)
{
    knot server;

    start(&server);
    expect_www(&server, 0x7f000005);
    cr_assert_eq(
        ask(server.address, "_grpc._tcp.example.test", ns_t_srv)->status,
        ARES_SUCCESS);
    cr_assert_eq(ask(server.address, "none.example.test", ns_t_a)->status,
                 ARES_ENOTFOUND);
    knot_fini(&server);
}

Test(knot, serves_on_ipv6)
{
    const knot_options options = {.is_ipv6 = true};
    knot server;

    cr_assert(knot_start(&server, "example.test.", records, &options));
    cr_assert_eq(strncmp(server.address, "[::1]:", 6), 0);
    expect_www(&server, 0x7f000005);
    knot_fini(&server);
}

Test(knot, serves_what_was_set_when_set_returns)
{
    knot server;
    char address[16];

    start(&server);
    for (unsigned i = 1; i <= 200; i++) {
        (void)snprintf(address, sizeof address, "10.0.0.%u", i);
        set_www(&server, address);
        expect_www(&server, 0x0a000000 + i);
    }
    knot_fini(&server);
}

Test(knot, sets_many_records)
{
    static char addresses[250][16];
    const char *data[250];
    knot server;

    for (unsigned i = 0; i < 250; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.0.%u", i);
        data[i] = addresses[i];
    }
    start(&server);
    cr_assert(knot_set_records(&server, "many", "A", 1, data, 250));
    cr_assert_eq(ask(server.address, "many.example.test", ns_t_a)->n, 250);
    knot_fini(&server);
}

Test(knot, removes_a_type_or_a_name)
{
    knot server;

    start(&server);
    cr_assert(knot_remove_records(&server, "www", "A"));
    cr_assert_eq(ask(server.address, "www.example.test", ns_t_a)->status,
                 ARES_ENODATA);
    cr_assert_eq(ask(server.address, "www.example.test", ns_t_aaaa)->status,
                 ARES_SUCCESS);
    cr_assert(knot_remove_records(&server, "www", NULL));
    cr_assert_eq(ask(server.address, "www.example.test", ns_t_a)->status,
                 ARES_ENOTFOUND);
    cr_assert(knot_remove_records(&server, "www", NULL));
    cr_assert(knot_remove_records(&server, "_grpc._tcp", "A"));
    knot_fini(&server);
}

Test(knot, changes_together_what_is_between_begin_and_commit)
{
    knot server;

    start(&server);
    cr_assert(knot_begin(&server));
    set_www(&server, "127.0.0.6");
    cr_assert(knot_remove_records(&server, "_grpc._tcp", "SRV"));
    expect_www(&server, 0x7f000005);
    cr_assert(knot_commit(&server));
    expect_www(&server, 0x7f000006);
    cr_assert_eq(
        ask(server.address, "_grpc._tcp.example.test", ns_t_srv)->status,
        ARES_ENOTFOUND);
    knot_fini(&server);
}

Test(knot, changes_nothing_when_the_server_refuses)
{
    const char *const bad[] = {"127.0.0.6", "no address"};
    knot server;

    start(&server);
    cr_assert_not(knot_set_records(&server, "www", "A", 7, bad, 2));
    expect_www(&server, 0x7f000005);
    set_www(&server, "127.0.0.7");
    expect_www(&server, 0x7f000007);
    knot_fini(&server);
}

static void restart(void (*end)(knot *server))
{
    knot server;

    start(&server);
    set_www(&server, "127.0.0.6");
    end(&server);
    cr_assert_eq(ask(server.address, "www.example.test", ns_t_a)->status,
                 ARES_ECONNREFUSED);
    cr_assert(knot_restart(&server));
    expect_www(&server, 0x7f000006);
    set_www(&server, "127.0.0.7");
    expect_www(&server, 0x7f000007);
    knot_fini(&server);
}

Test(knot, keeps_port_and_records_when_stopped)
{
    restart(knot_stop);
}

Test(knot, keeps_port_and_records_when_killed)
{
    restart(knot_kill);
}

Test(knot, sees_that_another_has_its_port)
{
    knot server;
    int other;

    start(&server);
    knot_kill(&server);
    other = loopback_bind(AF_INET, SOCK_DGRAM, server.port.number);
    cr_assert_geq(other, 0);
    cr_assert_eq(knot_process_start(&server), KNOT_HAS_NO_PORT);
    cr_assert_eq(close(other), 0);
    cr_assert(knot_restart(&server));
    knot_fini(&server);
}

Test(knot, is_silent_while_frozen)
{
    knot server;

    start(&server);
    knot_freeze(&server);
    cr_assert_eq(
        ask_within(server.address, "www.example.test", ns_t_a, 50, 0)->status,
        ARES_ETIMEOUT);
    knot_thaw(&server);
    expect_www(&server, 0x7f000005);
    knot_freeze(&server);
    knot_stop(&server);
    knot_fini(&server);
}

Test(knot, several_serve_zones_of_the_same_name)
{
    knot servers[3];

    for (size_t i = 0; i < 3; i++) {
        start(&servers[i]);
    }
    set_www(&servers[1], "127.0.0.6");
    expect_www(&servers[0], 0x7f000005);
    expect_www(&servers[1], 0x7f000006);
    expect_www(&servers[2], 0x7f000005);
    for (size_t i = 0; i < 3; i++) {
        knot_fini(&servers[i]);
        knot_fini(&servers[i]);
    }
}

Test(knot, fails_on_a_zone_that_is_none)
{
    knot server;

    cr_assert_not(knot_start(&server, "example.test", "www A nonsense", NULL));
    knot_fini(&server);
}

/* A child of this test starts the server and is killed; the server then
 * becomes ours, and ends as it was told to. */
Test(knot, dies_with_the_process_that_started_it)
{
    int ends[2];
    knot server;
    pid_t child;
    int status;

    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    cr_assert_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        start(&server);
        (void)!write(ends[1], &server, sizeof server);
        (void)pause();
    }
    cr_assert_eq(read(ends[0], &server, sizeof server), (ssize_t)sizeof server);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_eq(waitpid(server.pid, &status, 0), server.pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    server.pid = 0;
    server.port.number = 0; /* the child's, and gone */
    knot_fini(&server);
}
