/* SPDX-License-Identifier: Apache-2.0 */
/* When an empty list of the consul resolver is believed. */
#include <criterion/criterion.h>

#include <muster/plugin.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "http_server.h"
#include "watched.h"

#define ONE "[{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80}}]"

const muster_plugin *muster_builtin_consul(void);

enum { WAIT_MS = 5000, TARGET_SIZE = 256, BLOCKED_MS = 60000 };

static http_server *server;
static watched watch;
static atomic_uint n_confirming;

static void end(void)
{
    watched_end(&watch);
    http_server_stop(server);
}

TestSuite(consul_empty, .fini = end, .timeout = 60);

static void watch_with(http_answer_fn answer, const char *rest)
{
    char target[TARGET_SIZE];
    muster_error err;

    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    server = http_server_start(answer, NULL);
    cr_assert_not_null(server);
    (void)snprintf(target, sizeof target, "consul://127.0.0.1:%d/web%s",
                   http_server_port(server), rest);
    cr_assert(watched_begin(&watch, target, &err), "%s", err.message);
}

static void expect_list(const char *addresses)
{
    cr_assert(watched_await_list(&watch, addresses, WAIT_MS), "have %s; %s",
              watched_get(&watch).addresses, watched_get(&watch).message);
}

/* The empty list has come, and the one before it stays for the hold. */
static void expect_held(void)
{
    for (int i = 0; i < WAIT_MS && !watched_get(&watch).is_held; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert(watched_get(&watch).is_held);
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80");
}

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
        return http_list(exchange, "5", ONE);
    }
    if (confirms(exchange) || exchange->number == 2) {
        return http_list(exchange, "6", "[]");
    }
    return http_wait(exchange, BLOCKED_MS);
}

Test(consul_empty, is_believed_when_it_is_confirmed)
{
    watch_with(is_empty_for_all, "?stale=on");
    expect_list("");
    cr_assert_eq(atomic_load(&n_confirming), 1);
}

static bool is_empty_for_stale_reads(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (confirms(exchange) || exchange->number == 1) {
        return http_list(exchange, "5", ONE);
    }
    return exchange->number == 2 ? http_list(exchange, "6", "[]")
                                 : http_wait(exchange, BLOCKED_MS);
}

Test(consul_empty, is_not_believed_when_the_leader_has_a_list)
{
    watch_with(is_empty_for_stale_reads, "");
    expect_list("10.0.0.1:80");
    while (http_server_n_requests(server) < 4) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_eq(watched_get(&watch).n_lists, 1);
    cr_assert_not(watched_get(&watch).is_held);
}

static bool cannot_confirm(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "5", ONE);
    }
    if (confirms(exchange)) {
        return http_reply(exchange, 500, "", "No cluster leader");
    }
    return exchange->number == 2 ? http_list(exchange, "6", "[]")
                                 : http_wait(exchange, BLOCKED_MS);
}

Test(consul_empty, is_held_back_when_it_cannot_be_confirmed)
{
    watch_with(cannot_confirm, "");
    expect_held();
    cr_assert_null(strstr(watched_get(&watch).message, "leader"));
}

static atomic_uint_least64_t busy_ns;
static atomic_uint_least64_t asked_again_ns;

static bool is_busy_when_it_is_to_confirm(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "5", ONE);
    }
    if (confirms(exchange)) {
        atomic_store(&busy_ns, watched_now_ns());
        return http_reply(exchange, 429, "Retry-After: 1\r\n", "");
    }
    if (exchange->number == 2) {
        return http_list(exchange, "6", "[]");
    }
    atomic_store(&asked_again_ns, watched_now_ns());
    return http_wait(exchange, BLOCKED_MS);
}

Test(consul_empty, leaves_a_busy_agent_alone_that_is_to_confirm_it)
{
    watch_with(is_busy_when_it_is_to_confirm, "");
    expect_held();
    for (int i = 0; i < WAIT_MS && atomic_load(&asked_again_ns) == 0; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_gt(atomic_load(&asked_again_ns),
                 atomic_load(&busy_ns) + 950000000U);
}

static bool is_gone_when_it_is_to_confirm(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "5", ONE);
    }
    if (confirms(exchange)) {
        return false;
    }
    if (exchange->number == 2 || strstr(exchange->target, "index=") != NULL) {
        return http_list(exchange, "6", "[]");
    }
    return http_list(exchange, "6", ONE); /* to who does not block only */
}

Test(consul_empty, is_read_anew_after_it_could_not_be_confirmed)
{
    watch_with(is_gone_when_it_is_to_confirm, "");
    expect_held();
    for (int i = 0; i < WAIT_MS && watched_get(&watch).is_held; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_not(watched_get(&watch).is_held);
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80");
}

Test(consul_empty, is_believed_when_the_hold_is_over)
{
    watch_with(cannot_confirm, "?empty=hold:500ms");
    expect_held();
    expect_list("");
}

static bool has_forgotten(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "50", ONE);
    }
    if (confirms(exchange) || exchange->number < 4) {
        return http_list(exchange, "6", "[]");
    }
    return http_wait(exchange, BLOCKED_MS);
}

Test(consul_empty, is_held_back_when_the_index_fell)
{
    watch_with(has_forgotten, "");
    expect_held();
    cr_assert_eq(atomic_load(&n_confirming), 0);
}

static bool has_no_leader(void *arg, http_exchange *exchange)
{
    (void)arg;
    if (exchange->number == 1) {
        return http_list(exchange, "5", ONE);
    }
    return exchange->number == 2 ? http_reply(exchange, 200,
                                              "X-Consul-Index: 6\r\n"
                                              "X-Consul-KnownLeader: false\r\n",
                                              "[]")
                                 : http_wait(exchange, BLOCKED_MS);
}

Test(consul_empty, is_held_back_without_a_leader)
{
    watch_with(has_no_leader, "?stale=on");
    expect_held();
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
        return http_list(exchange, "5", ONE);
    }
    return confirms(exchange) || exchange->number == 3
               ? http_list(exchange, "7", "[]")
               : http_wait(exchange, BLOCKED_MS);
}

Test(consul_empty, is_held_back_after_an_answer_that_was_cut_off)
{
    watch_with(forgets_in_the_middle, "");
    expect_held();
    cr_assert_eq(atomic_load(&n_confirming), 0);
}

static atomic_int proxy_status;

/* A proxy in front of an agent that is restarted, and forgets all. */
static bool is_behind_a_proxy(void *arg, http_exchange *exchange)
{
    (void)arg;
    switch (exchange->number) {
    case 1:
        return http_list(exchange, "5", ONE);
    case 2:
        return http_reply(exchange, atomic_load(&proxy_status), "", "no agent");
    default:
        return confirms(exchange) || exchange->number == 3
                   ? http_list(exchange, "7", "[]")
                   : http_wait(exchange, BLOCKED_MS);
    }
}

Test(consul_empty, is_held_back_after_a_proxy_had_no_agent)
{
    static const int statuses[] = {502, 503, 504};

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (i > 0) {
            end();
        }
        atomic_store(&proxy_status, statuses[i]);
        watch_with(is_behind_a_proxy, "");
        expect_held();
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
    watch_with(hides_all, "");
    cr_assert(watched_await_error(&watch, "its ACLs hide all", WAIT_MS));
    cr_assert_eq(watched_get(&watch).status, MUSTER_PERMISSION);
}

static bool is_empty_at_first(void *arg, http_exchange *exchange)
{
    (void)arg;
    return exchange->number == 1 ? http_list(exchange, "5", "[]")
                                 : http_wait(exchange, BLOCKED_MS);
}

Test(consul_empty, is_said_at_once_when_it_is_the_first)
{
    watch_with(is_empty_at_first, "");
    expect_list("");
}
