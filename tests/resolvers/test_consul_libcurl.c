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

#include "certificates.h"
#include "consul.h"
#include "consul_scene.h"
#include "h2_relay.h"

const muster_plugin *muster_builtin_consul(void);

enum { N_TARGETS = 40, TEXT_SIZE = 512, WAIT_MS = 30000 };

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

static consul agent;
static certificates set;
static h2_relay *relay;
static watched watches[N_TARGETS];

static void begin_old(void)
{
    static char config[TEXT_SIZE];
    static certificates_path ca;
    muster_error err;

    atomic_store(&is_old, true);
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

static void end_old(void)
{
    for (int i = 0; i < N_TARGETS; i++) {
        watched_end(&watches[i]);
    }
    h2_relay_stop(relay);
    consul_fini(&agent);
    certificates_remove(&set);
}

TestSuite(consul_old, .init = begin_old, .fini = end_old, .timeout = 100);

Test(consul_old, has_a_connection_for_each_query_over_https)
{
    char target[TEXT_SIZE];
    muster_error err;

    for (int i = 0; i < N_TARGETS; i++) {
        (void)snprintf(target, sizeof target, "consul://%s/web?tls=on&limit=%d",
                       h2_relay_address(relay), i + 1);
        cr_assert(watched_begin(&watches[i], target, &err), "%s", err.message);
    }
    for (int i = 0; i < N_TARGETS; i++) {
        cr_assert(watched_await_list(&watches[i], "10.0.0.1:80", WAIT_MS),
                  "target %d: %s", i, watched_get(&watches[i]).message);
    }
    for (int i = 0; i < WAIT_MS && h2_relay_n_open(relay) < N_TARGETS; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_geq(h2_relay_n_open(relay), N_TARGETS);
}
