/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver with agents that fall silent. */
#include <criterion/criterion.h>

#include <curl/curl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "consul.h"
#include "consul_scene.h"

/* How much sooner a query of the resolver ends here than it asked for. */
enum { SOONER_MS = 9000, SLACK_MS = 10000 };

static consul agent;
static pthread_t tester;
static atomic_long longest_ms; /* that was asked for */

/* The linker puts this in the place of libcurl's function. The fixture's own
 * requests are the tester's. */
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);

static CURLcode set_number(CURL *easy, CURLoption option, long value)
{
    if (option == CURLOPT_TIMEOUT_MS &&
        !pthread_equal(pthread_self(), tester)) {
        if (value > atomic_load(&longest_ms)) {
            atomic_store(&longest_ms, value);
        }
        value -= SOONER_MS;
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
    tester = pthread_self();
}

static void end(void)
{
    scene_end();
    consul_fini(&agent);
}

TestSuite(consul_timeouts, .init = begin, .fini = end, .timeout = 60);

static bool never_answers(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_wait(exchange, SCENE_BLOCKED_MS);
}

Test(consul_timeouts, end_the_wait_for_an_answer)
{
    scene_begin(never_answers, "");
    scene_expect_error("no answer in time");
    cr_assert_eq(atomic_load(&longest_ms), SLACK_MS);
}

Test(consul_timeouts, keep_the_list_of_a_frozen_agent)
{
    char target[SCENE_TARGET_SIZE];
    muster_error err;

    scene_prepare(never_answers);
    cr_assert(consul_start(&agent, NULL));
    cr_assert(consul_register(&agent, "a", "web", "10.0.0.1", 80, NULL));
    (void)snprintf(target, sizeof target, "consul://%s/web?wait=1s",
                   agent.address);
    cr_assert(watched_begin(&scene.watch, target, &err), "%s", err.message);
    scene_expect_list("10.0.0.1:80");
    consul_freeze(&agent);
    scene_expect_error("no answer in time");
    cr_assert_eq(atomic_load(&longest_ms), 1000 + 1000 / 16 + SLACK_MS);
    cr_assert_str_eq(watched_get(&scene.watch).addresses, "10.0.0.1:80");
    consul_thaw(&agent);
    cr_assert(consul_register(&agent, "b", "web", "10.0.0.2", 80, NULL));
    cr_assert(watched_await_count(&scene.watch, 2, 15000));
}
