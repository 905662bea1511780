/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver with agents that give no list. */
#include <criterion/criterion.h>

#include <muster/watch.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "consul_scene.h"

TestSuite(consul_hostile, .fini = scene_end, .timeout = 60);

/* ---- refusals ---- */

static bool redirects(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    return scene_gives_first(exchange, &goes_on)
               ? goes_on
               : http_reply(exchange, 301,
                            "Location: http://127.0.0.1:1/elsewhere\r\n", "");
}

Test(consul_hostile, follows_no_redirect)
{
    scene_begin(redirects, SCENE_TRIES_OFTEN);
    scene_expect_kept("301 leads to \"http://127.0.0.1:1/elsewhere\"");
}

static atomic_uint_least64_t busy_ns;
static atomic_uint_least64_t asked_again_ns;

static bool is_busy(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    if (exchange->number == 2) {
        atomic_store(&busy_ns, watched_now_ns());
    }
    if (exchange->number == 3) {
        atomic_store(&asked_again_ns, watched_now_ns());
        return http_list(exchange, "9", SCENE_TWO);
    }
    if (exchange->number > 3) {
        return http_wait(exchange, SCENE_BLOCKED_MS);
    }
    return scene_gives_first(exchange, &goes_on)
               ? goes_on
               : http_reply(exchange, 429, "Retry-After: 2\r\n", "");
}

Test(consul_hostile, waits_as_long_as_a_busy_agent_says)
{
    scene_begin(is_busy, "");
    scene_expect_list("10.0.0.1:80");
    scene_expect_error("max_connections");
    scene_expect_list("10.0.0.2:80");
    cr_assert_gt(atomic_load(&asked_again_ns) - atomic_load(&busy_ns),
                 1900000000U);
}

static bool resets(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    if (scene_gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    http_reset(exchange);
    return false;
}

Test(consul_hostile, hints_at_the_limit_when_connections_are_reset)
{
    scene_begin(resets, SCENE_TRIES_OFTEN);
    scene_expect_kept("http_max_conns_per_client");
}

static bool is_forbidden(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    return scene_gives_first(exchange, &goes_on)
               ? goes_on
               : http_reply(exchange, 403, "", "Permission denied");
}

Test(consul_hostile, says_that_there_is_no_token)
{
    scene_begin(is_forbidden, SCENE_TRIES_OFTEN);
    scene_expect_kept("there is no ACL token");
}

static bool never_answers(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_wait(exchange, SCENE_BLOCKED_MS);
}

static uint64_t end_while_it_waits(void)
{
    uint64_t start_ns;

    scene_begin(never_answers, "");
    while (http_server_n_requests(scene.server) == 0) {
        (void)poll(NULL, 0, 1);
    }
    start_ns = watched_now_ns();
    muster_watch_destroy(scene.watch.watch);
    scene.watch.watch = NULL;
    return watched_now_ns() - start_ns;
}

/* The shortest of five: other programs take the processors now and then. */
Test(consul_hostile, ends_at_once_while_it_waits)
{
    uint64_t shortest_ns = UINT64_MAX;

    for (int i = 0; i < 5; i++) {
        uint64_t took_ns;

        if (i > 0) {
            scene_end();
        }
        took_ns = end_while_it_waits();
        shortest_ns = took_ns < shortest_ns ? took_ns : shortest_ns;
    }
    cr_assert_lt(shortest_ns, 100000000U);
}

/* ---- names ---- */

static bool answers_at_once(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_list(exchange, "5", SCENE_ONE);
}

Test(consul_hostile, resolves_localhost_by_itself)
{
    char target[SCENE_TARGET_SIZE];
    muster_error err;

    scene_prepare(answers_at_once);
    (void)snprintf(target, sizeof target, "consul://localhost:%d/web",
                   http_server_port(scene.server));
    cr_assert(watched_begin(&scene.watch, target, &err), "%s", err.message);
    scene_expect_list("10.0.0.1:80");
}

Test(consul_hostile, says_that_a_name_cannot_be_resolved)
{
    muster_error err;

    scene_prepare(answers_at_once);
    cr_assert(watched_begin(&scene.watch, "consul://agent.test:1/web", &err),
              "%s", err.message);
    scene_expect_error("the agent's name has no address: not supported here");
}
