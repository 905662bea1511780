/* SPDX-License-Identifier: Apache-2.0 */
/* Many targets that begin at once, of an agent that is slow to take another
 * connection over TLS: they wait for those that there are to be. */
#include <criterion/criterion.h>

#include <curl/curl.h>
#include <poll.h>
#include <stdarg.h>

#include "consul_relay.h"

const muster_plugin *muster_builtin_consul(void);

enum {
    N_TARGETS = 240, /* over what one connection has room for */
    MAX_CONNECTIONS = 16,
    HELD_MS = 3000, /* for the last targets to be begun */
    WAIT_MS = 30000,
    PATIENT_MS = 90000
};

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
    relay_begin(muster_builtin_consul);
}

static void end(void)
{
    relay_end(watches, N_TARGETS);
}

TestSuite(consul_crowd, .init = begin, .fini = end, .timeout = 100);

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
    relay_watch(watches, from, N_TARGETS, options);
    expect_at_most(n_connections);
    h2_relay_thaw(relay, H2_RELAY_ALL);
    relay_expect(watches, from, N_TARGETS, WAIT_MS);
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
    relay_watch(watches, 0, 1, "");
    relay_expect(watches, 0, 1, WAIT_MS);
    hold_and_watch(1, "", MAX_CONNECTIONS);
}

Test(consul_crowd, waits_for_the_connections_that_it_is_given)
{
    relay_watch(watches, 0, 1, "&max_connections=3");
    relay_expect(watches, 0, 1, WAIT_MS);
    hold_and_watch(1, "&max_connections=3", 3);
}
