/* SPDX-License-Identifier: Apache-2.0 */
/* Many targets that begin at once, of an agent that is slow to take another
 * connection over TLS: they wait for those that there are to be. */
#include <criterion/criterion.h>

#include <muster/plugin.h>

#include <curl/curl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "certificates.h"
#include "consul.h"
#include "h2_relay.h"
#include "watched.h"

const muster_plugin *muster_builtin_consul(void);

enum {
    N_TARGETS = 240, /* over what one connection has room for */
    MAX_CONNECTIONS = 16,
    TEXT_SIZE = 512,
    HELD_MS = 3000, /* for the last targets to be begun */
    WAIT_MS = 30000,
    PATIENT_MS = 90000
};

static consul agent;
static certificates set;
static certificates_path ca;
static h2_relay *relay;
static watched watches[N_TARGETS];

/* The linker puts this in the place of libcurl's function: connecting does not
 * time out, however long it is held. */
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    va_list values;
    CURLcode code;

    va_start(values, option);
    if (option == CURLOPT_CONNECTTIMEOUT_MS || option == CURLOPT_TIMEOUT_MS) {
        code = __real_curl_easy_setopt(easy, option, (long)PATIENT_MS);
    } else if (option < CURLOPTTYPE_OBJECTPOINT) {
        code = __real_curl_easy_setopt(easy, option, va_arg(values, long));
    } else if (option < CURLOPTTYPE_FUNCTIONPOINT) {
        code = __real_curl_easy_setopt(easy, option, va_arg(values, void *));
    } else {
        code = __real_curl_easy_setopt(easy, option,
                                       va_arg(values, void (*)(void)));
    }
    va_end(values);
    return code;
}

static void begin(void)
{
    static char config[TEXT_SIZE];
    muster_error err;

    cr_assert(certificates_make(&set));
    ca = certificates_find(&set, "ca");
    (void)snprintf(config, sizeof config,
                   "\"ca_file\": \"%s\", \"cert_file\": \"%s\", "
                   "\"key_file\": \"%s\"",
                   ca.text, certificates_find(&set, "server").text,
                   certificates_find(&set, "server-key").text);
    (void)setenv("CONSUL_CACERT", ca.text, 1);
    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    cr_assert(consul_start(&agent,
                           &(consul_options){.config = config, .ca = ca.text}));
    cr_assert(consul_put_catalog(&agent, "web", "10.0.0.1", 80));
    relay = h2_relay_start(agent.ports[0].number);
    cr_assert_not_null(relay);
}

static void end(void)
{
    for (int i = 0; i < N_TARGETS; i++) {
        watched_end(&watches[i]);
    }
    h2_relay_stop(relay);
    consul_fini(&agent);
    certificates_remove(&set);
}

TestSuite(consul_crowd, .init = begin, .fini = end, .timeout = 100);

/* They ask for the same service, each in its own way. */
static void watch_some(int from, int to, const char *options)
{
    char target[TEXT_SIZE];
    muster_error err;

    for (int i = from; i < to; i++) {
        (void)snprintf(target, sizeof target,
                       "consul://%s/web?tls=on&limit=%d%s",
                       h2_relay_address(relay), i + 1, options);
        cr_assert(watched_begin(&watches[i], target, &err), "%s", err.message);
    }
}

static void expect_some(int from, int to)
{
    for (int i = from; i < to; i++) {
        cr_assert(watched_await_list(&watches[i], "10.0.0.1:80", WAIT_MS),
                  "target %d: %s", i, watched_get(&watches[i]).message);
    }
}

static void expect_at_most(size_t n_connections)
{
    for (int i = 0; i < HELD_MS; i++) {
        cr_assert_leq(h2_relay_n_connections(relay), n_connections);
        (void)poll(NULL, 0, 1);
    }
}

/* What the agent waited for too long is still to be closed. */
static void expect_at_most_open(size_t n_connections)
{
    for (int i = 0; i < WAIT_MS && h2_relay_n_open(relay) > n_connections;
         i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_leq(h2_relay_n_open(relay), n_connections);
}

/* At first connections are accepted, and that is all: no byte goes by. */
static void hold_and_watch(int from, const char *options, size_t n_connections)
{
    h2_relay_freeze(relay, H2_RELAY_ALL);
    watch_some(from, N_TARGETS, options);
    expect_at_most(n_connections);
    h2_relay_thaw(relay, H2_RELAY_ALL);
    expect_some(from, N_TARGETS);
    expect_at_most_open(n_connections);
}

Test(consul_crowd, waits_for_the_first_connection)
{
    hold_and_watch(0, "", MAX_CONNECTIONS);
}

/* libcurl 7.88.1 waits for none but the first connection, whatever it is told.
 */
Test(consul_crowd, waits_for_further_connections)
{
    watch_some(0, 1, "");
    expect_some(0, 1);
    hold_and_watch(1, "", MAX_CONNECTIONS);
}

Test(consul_crowd, waits_for_the_connections_that_it_is_given)
{
    watch_some(0, 1, "&max_connections=3");
    expect_some(0, 1);
    hold_and_watch(1, "&max_connections=3", 3);
}
