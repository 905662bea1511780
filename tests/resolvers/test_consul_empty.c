/* SPDX-License-Identifier: Apache-2.0 */
/* When an empty list of the consul resolver is believed. */
#include <criterion/criterion.h>

#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "consul_scene.h"

static atomic_uint n_confirming;

TestSuite(consul_empty, .fini = scene_end, .timeout = 60);

static bool confirms(const http_exchange *exchange)
{
    if (strstr(exchange->target, "&consistent") == NULL) {
        return false;
    }
    atomic_fetch_add(&n_confirming, 1);
    cr_expect_null(strstr(exchange->target, "index="));
    cr_expect_null(strstr(exchange->target, "stale"));
    return true;
}

static bool is_empty_for_all(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "5", SCENE_ONE);
    }
    if (confirms(exchange) || exchange->number == 2) {
        return http_list(exchange, "6", "[]");
    }
    return http_wait(exchange, SCENE_BLOCKED_MS);
}

Test(consul_empty, is_believed_when_it_is_confirmed)
{
    scene_begin(is_empty_for_all, "?stale=on");
    scene_expect_list("");
    cr_assert_eq(atomic_load(&n_confirming), 1);
}

static bool is_empty_for_stale_reads(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (confirms(exchange) || exchange->number == 1) {
        return http_list(exchange, "5", SCENE_ONE);
    }
    return exchange->number == 2 ? http_list(exchange, "6", "[]")
                                 : http_wait(exchange, SCENE_BLOCKED_MS);
}

Test(consul_empty, is_not_believed_when_the_leader_has_a_list)
{
    scene_begin(is_empty_for_stale_reads, "");
    scene_expect_list("10.0.0.1:80");
    while (http_server_n_requests(scene.server) < 4) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_eq(watched_get(&scene.watch).n_lists, 1);
    cr_assert_not(watched_get(&scene.watch).is_held);
}

static bool cannot_confirm(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "5", SCENE_ONE);
    }
    if (confirms(exchange)) {
        return http_reply(exchange, 500, "", "No cluster leader");
    }
    return exchange->number == 2 ? http_list(exchange, "6", "[]")
                                 : http_wait(exchange, SCENE_BLOCKED_MS);
}

Test(consul_empty, is_held_back_when_it_cannot_be_confirmed)
{
    scene_begin(cannot_confirm, "");
    scene_expect_held();
    cr_assert_null(strstr(watched_get(&scene.watch).message, "leader"));
}

static atomic_uint_least64_t busy_ns;
static atomic_uint_least64_t asked_again_ns;

static bool is_busy_when_it_is_to_confirm(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "5", SCENE_ONE);
    }
    if (confirms(exchange)) {
        atomic_store(&busy_ns, watched_now_ns());
        return http_reply(exchange, 429, "Retry-After: 1\r\n", "");
    }
    if (exchange->number == 2) {
        return http_list(exchange, "6", "[]");
    }
    atomic_store(&asked_again_ns, watched_now_ns());
    return http_wait(exchange, SCENE_BLOCKED_MS);
}

Test(consul_empty, leaves_a_busy_agent_alone_that_is_to_confirm_it)
{
    scene_begin(is_busy_when_it_is_to_confirm, "");
    scene_expect_held();
    for (int i = 0; i < SCENE_WAIT_MS && atomic_load(&asked_again_ns) == 0;
         i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_gt(atomic_load(&asked_again_ns),
                 atomic_load(&busy_ns) + 950000000U);
}

static atomic_bool may_end; /* the hold: the test has seen it */

static bool is_gone_when_it_is_to_confirm(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "5", SCENE_ONE);
    }
    if (confirms(exchange)) {
        return false;
    }
    if (exchange->number == 2 || strstr(exchange->target, "index=") != NULL) {
        return http_list(exchange, "6", "[]");
    }
    while (!atomic_load(&may_end)) {
        if (!http_wait(exchange, 1)) {
            return false;
        }
    }
    return http_list(exchange, "6", SCENE_ONE); /* to who does not block only */
}

Test(consul_empty, is_read_anew_after_it_could_not_be_confirmed)
{
    scene_begin(is_gone_when_it_is_to_confirm, "");
    scene_expect_held();
    atomic_store(&may_end, true);
    for (int i = 0; i < SCENE_WAIT_MS && watched_get(&scene.watch).is_held;
         i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_not(watched_get(&scene.watch).is_held);
    cr_assert_str_eq(watched_get(&scene.watch).addresses, "10.0.0.1:80");
}

Test(consul_empty, is_believed_when_the_hold_is_over)
{
    scene_begin(cannot_confirm, "?empty=hold:3s");
    scene_expect_held();
    scene_expect_list("");
}

static bool has_forgotten(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "50", SCENE_ONE);
    }
    if (confirms(exchange) || exchange->number < 4) {
        return http_list(exchange, "6", "[]");
    }
    return http_wait(exchange, SCENE_BLOCKED_MS);
}

Test(consul_empty, is_held_back_when_the_index_fell)
{
    scene_begin(has_forgotten, "");
    scene_expect_held();
    cr_assert_eq(atomic_load(&n_confirming), 0);
}

static bool has_no_leader(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "5", SCENE_ONE);
    }
    return exchange->number == 2 ? http_reply(exchange, 200,
                                              "X-Consul-Index: 6\r\n"
                                              "X-Consul-KnownLeader: false\r\n",
                                              "[]")
                                 : http_wait(exchange, SCENE_BLOCKED_MS);
}

Test(consul_empty, is_held_back_without_a_leader)
{
    scene_begin(has_no_leader, "?stale=on");
    scene_expect_held();
}

static bool forgets_in_the_middle(void *arg, http_exchange *exchange)
{
    static const char torn[] = "HTTP/1.1 200 OK\r\nX-Consul-Index: 6\r\n"
                               "Content-Length: 100\r\n\r\n[{\"Serv";

    (void)arg;
    if (exchange->number == 2) {
        (void)http_send(exchange, torn, sizeof torn - 1);
        return false;
    }
    if (exchange->number == 1) {
        return http_list(exchange, "5", SCENE_ONE);
    }
    return confirms(exchange) || exchange->number == 3
               ? http_list(exchange, "7", "[]")
               : http_wait(exchange, SCENE_BLOCKED_MS);
}

Test(consul_empty, is_held_back_after_an_answer_that_was_cut_off)
{
    scene_begin(forgets_in_the_middle, "");
    scene_expect_held();
    cr_assert_eq(atomic_load(&n_confirming), 0);
}

static atomic_int proxy_status;

/* A proxy in front of an agent that is restarted, and forgets all. */
static bool is_behind_a_proxy(void *arg, http_exchange *exchange)
{
    (void)arg;
    switch (exchange->number) {
    case 1:
        return http_list(exchange, "5", SCENE_ONE);
    case 2:
        return http_reply(exchange, atomic_load(&proxy_status), "", "no agent");
    default:
        return confirms(exchange) || exchange->number == 3
                   ? http_list(exchange, "7", "[]")
                   : http_wait(exchange, SCENE_BLOCKED_MS);
    }
}

Test(consul_empty, is_held_back_after_a_proxy_had_no_agent)
{
    static const int statuses[] = {502, 503, 504};

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (i > 0) {
            scene_end();
        }
        atomic_store(&proxy_status, statuses[i]);
        scene_begin(is_behind_a_proxy, "");
        scene_expect_held();
        cr_assert_eq(atomic_load(&n_confirming), 0);
    }
}

static bool hides_all(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_reply(exchange, 200,
                      "X-Consul-Index: 6\r\n"
                      "X-Consul-Results-Filtered-By-ACLs: true\r\n",
                      "[]");
}

Test(consul_empty, is_an_error_when_acls_hide_all)
{
    scene_begin(hides_all, "");
    cr_assert(
        watched_await_error(&scene.watch, "its ACLs hide all", SCENE_WAIT_MS));
    cr_assert_eq(watched_get(&scene.watch).status, MUSTER_PERMISSION);
}

static bool is_empty_at_first(void *arg, http_exchange *exchange)
{
    (void)arg;
    return exchange->number == 1 ? http_list(exchange, "5", "[]")
                                 : http_wait(exchange, SCENE_BLOCKED_MS);
}

Test(consul_empty, is_said_at_once_when_it_is_the_first)
{
    scene_begin(is_empty_at_first, "");
    scene_expect_list("");
}
