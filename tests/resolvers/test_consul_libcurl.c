/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver with a libcurl that takes an option otherwise. */
#include <criterion/criterion.h>

#include <muster/plugin.h>

#include <curl/curl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "consul_relay.h"
#include "consul_scene.h"

const muster_plugin *muster_builtin_consul(void);

enum { N_TARGETS = 40, WAIT_MS = 30000 };

static atomic_bool is_old;      /* it knows no HTTP/2 */
static atomic_uint n_refused;   /* texts that it finds no memory for, to come */
static atomic_int refused_text; /* the option */

/* The linker puts this in the place of libcurl's function. */
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);

static CURLcode set_number(CURL *easy, CURLoption option, long value)
{
    if (option == CURLOPT_HTTP_VERSION && atomic_load(&is_old)) {
        value = CURL_HTTP_VERSION_1_1;
    }
    return __real_curl_easy_setopt(easy, option, value);
}

static CURLcode set_pointer(CURL *easy, CURLoption option, void *value)
{
    if ((int)option == atomic_load(&refused_text) &&
        atomic_load(&n_refused) > 0) {
        atomic_fetch_sub(&n_refused, 1);
        return CURLE_OUT_OF_MEMORY;
    }
    return __real_curl_easy_setopt(easy, option, value);
}

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    va_list values;
    CURLcode code;

    va_start(values, option);
    if (option < CURLOPTTYPE_OBJECTPOINT) {
        code = set_number(easy, option, va_arg(values, long));
    } else if (option < CURLOPTTYPE_FUNCTIONPOINT) {
        code = set_pointer(easy, option, va_arg(values, void *));
    } else {
        code = __real_curl_easy_setopt(easy, option,
                                       va_arg(values, void (*)(void)));
    }
    va_end(values);
    return code;
}

/* ---- memory ---- */

static bool lists_one(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (scene_is_blocking(exchange) && !http_wait(exchange, SCENE_BLOCKED_MS)) {
        return false;
    }
    return http_list(exchange, "5", SCENE_ONE);
}

static void expect_no_memory(CURLoption option)
{
    atomic_store(&refused_text, (int)option);
    atomic_store(&n_refused, 2);
    scene_begin(lists_one, SCENE_TRIES_OFTEN);
    scene_expect_error("out of memory");
    scene_expect_list("10.0.0.1:80");
    cr_assert_eq(atomic_load(&n_refused), 0);
    scene_end();
}

/* Nothing is sent by such a request: not through a proxy either, which the
 * environment names. */
Test(consul_libcurl, asks_nothing_without_memory, .timeout = 60)
{
    http_server *proxy = http_server_start(lists_one, NULL);
    char address[64];

    cr_assert_not_null(proxy);
    (void)snprintf(address, sizeof address, "http://127.0.0.1:%d",
                   http_server_port(proxy));
    (void)setenv("http_proxy", address, 1);
    (void)unsetenv("no_proxy");
    (void)unsetenv("NO_PROXY");
    expect_no_memory(CURLOPT_PROXY);
    cr_assert_eq(http_server_n_connections(proxy), 0);
    http_server_stop(proxy);
}

Test(consul_libcurl, asks_nothing_without_an_encoding, .timeout = 60)
{
    expect_no_memory(CURLOPT_ACCEPT_ENCODING);
}

/* ---- HTTP/1.1 by TLS: one connection for each query that blocks ---- */

static watched watches[N_TARGETS];

static void begin_old(void)
{
    atomic_store(&is_old, true);
    relay_begin(muster_builtin_consul);
}

static void end_old(void)
{
    relay_end(watches, N_TARGETS);
}

TestSuite(consul_old, .init = begin_old, .fini = end_old, .timeout = 100);

Test(consul_old, has_a_connection_for_each_query_over_https)
{
    relay_watch(watches, 0, N_TARGETS, "");
    relay_expect(watches, 0, N_TARGETS, WAIT_MS);
    for (int i = 0; i < WAIT_MS && h2_relay_n_open(relay) < N_TARGETS; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_geq(h2_relay_n_open(relay), N_TARGETS);
}
