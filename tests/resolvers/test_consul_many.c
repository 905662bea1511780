/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand services watched by one process, and what that costs. */
#include <criterion/criterion.h>

#include <muster/plugin.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consul.h"
#include "watched.h"

#define MAKE_CERTIFICATES MUSTER_TEST_SOURCE_DIR "/support/make-certificates"

const muster_plugin *muster_builtin_consul(void);

enum {
    N_SERVICES = 1000,
    N_SHARING = 200,
    N_CHANGES = 8,
    TEXT_SIZE = 512,
    ALL_MS = 60000
};

static consul agent;
static watched watches[N_SERVICES];

static void begin_with(const consul_options *options)
{
    muster_error err;

    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    cr_assert(consul_start(&agent, options));
}

static void begin(void)
{
    begin_with(NULL);
}

static void end(void)
{
    consul_fini(&agent);
}

TestSuite(consul_many, .init = begin, .fini = end, .timeout = 110);

static unsigned count_threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    unsigned n = 0;

    while (folder != NULL && readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
}

/* Those of this process's own targets: the fixture comes from another address
 * (man 5 proc_net). One that the table names twice counts once: it is
 * read in pieces, while others come and go. */
static unsigned count_connections(void)
{
    static bool is_seen[UINT16_MAX + 1]; /* by its port on this side */
    FILE *file = fopen("/proc/net/tcp", "re");
    unsigned port = (unsigned)atoi(strrchr(agent.address, ':') + 1);
    unsigned n = 0;
    char line[TEXT_SIZE];

    cr_assert_not_null(file);
    memset(is_seen, 0, sizeof is_seen);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned from;
        unsigned from_port;
        unsigned to_port;
        unsigned state;

        if (sscanf(line, "%*s %x:%x %*x:%x %x", &from, &from_port, &to_port,
                   &state) == 4 &&
            from == htonl(INADDR_LOOPBACK) && to_port == port &&
            state == TCP_ESTABLISHED && !is_seen[(uint16_t)from_port]) {
            is_seen[(uint16_t)from_port] = true;
            n++;
        }
    }
    (void)fclose(file);
    return n;
}

static void set_service(int number, int generation)
{
    char name[32];
    char address[32];

    (void)snprintf(name, sizeof name, "service-%d", number);
    (void)snprintf(address, sizeof address, "10.%d.%d.%d", generation,
                   number / 250, number % 250 + 1);
    cr_assert(consul_put_catalog(&agent, name, address, 80));
}

static bool await_service(int number, int generation, int timeout_ms)
{
    char address[32];

    (void)snprintf(address, sizeof address, "10.%d.%d.%d:80", generation,
                   number / 250, number % 250 + 1);
    return watched_await_list(&watches[number], address, timeout_ms);
}

static void watch_all(const char *options)
{
    char target[TEXT_SIZE];
    muster_error err;

    for (int i = 0; i < N_SERVICES; i++) {
        (void)snprintf(target, sizeof target, "consul://%s/service-%d%s",
                       agent.address, i, options);
        cr_assert(watched_begin(&watches[i], target, &err), "%s", err.message);
    }
    for (int i = 0; i < N_SERVICES; i++) {
        cr_assert(await_service(i, 1, ALL_MS), "service %d: %s", i,
                  watched_get(&watches[i]).message);
    }
}

static void unwatch_all(void)
{
    for (int i = 0; i < N_SERVICES; i++) {
        watched_end(&watches[i]);
    }
}

/* The longest time from a change to its being seen, in nanoseconds. */
static uint64_t change_some(int timeout_ms)
{
    uint64_t longest_ns = 0;

    for (int i = 0; i < N_CHANGES; i++) {
        int number = i * N_SERVICES / N_CHANGES + 7;
        uint64_t start_ns = watched_now_ns();
        uint64_t took_ns;

        set_service(number, 2);
        cr_assert(await_service(number, 2, timeout_ms), "service %d: %s",
                  number, watched_get(&watches[number]).message);
        took_ns = watched_get(&watches[number]).list_ns - start_ns;
        longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
    }
    return longest_ns;
}

static void watch_and_change(const char *what, const char *options,
                             int timeout_ms, unsigned max_connections)
{
    unsigned n_threads = count_threads();
    size_t before = mallinfo2().uordblks;
    size_t used;
    unsigned n_connections;
    uint64_t longest_ns;

    for (int i = 0; i < N_SERVICES; i++) {
        set_service(i, 1);
    }
    watch_all(options);
    (void)poll(NULL, 0, 500); /* all block again */
    used = (mallinfo2().uordblks - before) / N_SERVICES;
    n_connections = count_connections();
    longest_ns = change_some(timeout_ms);
    printf("consul: %d targets over %s: %zu bytes and %u threads more each %d; "
           "a change is seen within %.0f ms; %u connections\n",
           N_SERVICES, what, used, count_threads() - n_threads, N_SERVICES,
           (double)longest_ns / 1e6, n_connections);
    cr_assert_gt(n_connections, 0);
    cr_assert_leq(n_connections, max_connections);
    cr_assert_leq(count_threads(), n_threads + 8); /* the loop's own */
    cr_assert_leq(used, 64 * 1024);
    for (int i = 0; i < N_SERVICES; i++) {
        cr_assert_eq(watched_get(&watches[i]).n_errors, 0, "service %d: %s", i,
                     watched_get(&watches[i]).message);
    }
    unwatch_all();
}

Test(consul_many, take_turns_over_http)
{
    watch_and_change("http", "", 6000, 128);
}

Test(consul_many, share_one_watch_of_a_service)
{
    char target[TEXT_SIZE];
    muster_error err;

    set_service(0, 1);
    (void)snprintf(target, sizeof target, "consul://%s/service-0",
                   agent.address);
    for (int i = 0; i < N_SHARING; i++) {
        cr_assert(watched_begin(&watches[i], target, &err), "%s", err.message);
    }
    for (int i = 0; i < N_SHARING; i++) {
        cr_assert(watched_await_list(&watches[i], "10.1.0.1:80", 5000));
    }
    for (int i = 0; i < N_SHARING; i++) {
        watched_end(&watches[i]);
    }
}

/* ---- an agent that allows more connections ---- */

static void begin_wide(void)
{
    begin_with(&(consul_options){
        .config = "\"limits\": {\"http_max_conns_per_client\": 2000}"});
}

TestSuite(consul_many_wide, .init = begin_wide, .fini = end, .timeout = 110);

Test(consul_many_wide, need_no_turns)
{
    watch_and_change("http, 2000 connections", "?max_connections=1500", 1000,
                     1500);
}

/* ---- TLS ---- */

static char folder[64];

static void begin_tls(void)
{
    static char ca[TEXT_SIZE / 4];
    static char config[TEXT_SIZE];
    char command[TEXT_SIZE];

    (void)snprintf(folder, sizeof folder, "/tmp/muster-tls-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(command, sizeof command, MAKE_CERTIFICATES " %s", folder);
    cr_assert_eq(system(command), 0);
    (void)snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    (void)snprintf(config, sizeof config,
                   "\"ca_file\": \"%s\", \"cert_file\": \"%s/server.pem\", "
                   "\"key_file\": \"%s/server-key.pem\"",
                   ca, folder, folder);
    (void)setenv("CONSUL_CACERT", ca, 1);
    begin_with(&(consul_options){.config = config, .ca = ca});
}

static void end_tls(void)
{
    char command[TEXT_SIZE];

    end();
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(consul_many_tls, .init = begin_tls, .fini = end_tls, .timeout = 110);

Test(consul_many_tls, share_connections_over_https)
{
    watch_and_change("https", "?tls=on", 1000, 16);
}
