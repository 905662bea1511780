/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver with agents that no real one is. */
#include <criterion/criterion.h>

#include <muster/plugin.h>
#include <muster/watch.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http_server.h"
#include "watched.h"

#define ONE "[{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80}}]"
#define TWO "[{\"Service\":{\"Address\":\"10.0.0.2\",\"Port\":80}}]"

const muster_plugin *muster_builtin_consul(void);

enum {
    WAIT_MS = 5000,
    TARGET_SIZE = 256,
    BLOCKED_MS = 60000,
    MEGABYTE = 1 << 20
};

static http_server *server;
static watched watch;

static void end(void)
{
    watched_end(&watch);
    http_server_stop(server);
}

TestSuite(consul_hostile, .fini = end, .timeout = 60);

static void watch_with(http_answer_fn answer, const char *rest)
{
    char target[TARGET_SIZE];
    muster_error err = {.message = ""};

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
    cr_assert(watched_await_list(&watch, addresses, WAIT_MS),
              "expected %s, have %s; %s", addresses,
              watched_get(&watch).addresses, watched_get(&watch).message);
}

static void expect_error(const char *part)
{
    cr_assert(watched_await_error(&watch, part, WAIT_MS), "have: %s",
              watched_get(&watch).message);
}

/* The list is there, then answer() goes wrong: it stays, and that is said once
 * in the time of several tries. */
static void expect_kept(const char *part)
{
    expect_list("10.0.0.1:80");
    expect_error(part);
    (void)poll(NULL, 0, 1500);
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80");
    cr_assert_eq(watched_get(&watch).n_errors, 1);
}

static bool is_blocking(const http_exchange *exchange)
{
    return strstr(exchange->target, "index=") != NULL;
}

/* The first answer is well; true: it was given. */
static bool gives_first(http_exchange *exchange, bool *ret_goes_on)
{
    if (exchange->number == 1) {
        *ret_goes_on = http_list(exchange, "5", ONE);
        return true;
    }
    return false;
}

/* ---- the index ---- */

static bool answers_at_once(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_list(exchange, "5", ONE);
}

static double cpu_s(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

Test(consul_hostile, does_not_spin_when_queries_do_not_block)
{
    uint64_t start_ns = watched_now_ns();
    double cpu_before_s;
    unsigned n_requests;
    double took_s; /* more than 3 s, when others use the processors */

    watch_with(answers_at_once, "");
    expect_list("10.0.0.1:80");
    (void)poll(NULL, 0, 1000);
    cpu_before_s = cpu_s();
    (void)poll(NULL, 0, 2000);
    n_requests = http_server_n_requests(server);
    took_s = (double)(watched_now_ns() - start_ns) / 1e9;
    printf("consul: answered at once for ever: %u requests in %.1f s, CPU %.1f "
           "%%\n",
           n_requests, took_s, (cpu_s() - cpu_before_s) * 50);
    cr_assert_leq(n_requests, 20 + (unsigned)(10 * took_s) + 1);
    cr_assert_eq(watched_get(&watch).n_lists, 1);
    cr_assert_eq(watched_get(&watch).n_errors, 0);
}

static bool has_bad_index(void *arg, http_exchange *exchange)
{
    static const char *const indices[] = {
        "0", "-1", "x", "", "1e9", "99999999999999999999999"};
    const unsigned n = sizeof indices / sizeof *indices;

    (void)arg;
    if (is_blocking(exchange) && strstr(exchange->target, "index=1&") == NULL) {
        return http_reply(exchange, 500, "", "wrong index");
    }
    if (exchange->number > n) {
        return http_reply(exchange, 200, "", TWO); /* none at all */
    }
    return http_list(exchange, indices[exchange->number - 1], ONE);
}

Test(consul_hostile, reads_a_bad_index_as_1)
{
    watch_with(has_bad_index, "");
    expect_list("10.0.0.1:80");
    expect_list("10.0.0.2:80");
    cr_assert_eq(watched_get(&watch).n_errors, 0, "%s",
                 watched_get(&watch).message);
}

static bool goes_backwards(void *arg, http_exchange *exchange)
{
    (void)arg;
    switch (exchange->number) {
    case 1:
        return http_list(exchange, "100", ONE);
    case 2:
        return http_list(exchange, "7", ONE);
    case 3: /* must not block on 100, nor on 7 */
        return is_blocking(exchange) ? http_reply(exchange, 500, "", "blocks")
                                     : http_list(exchange, "8", TWO);
    default:
        return http_wait(exchange, BLOCKED_MS);
    }
}

Test(consul_hostile, starts_over_when_the_index_goes_back)
{
    watch_with(goes_backwards, "");
    expect_list("10.0.0.2:80");
    cr_assert_eq(watched_get(&watch).n_errors, 0);
}

static bool fails_with_an_index(void *arg, http_exchange *exchange)
{
    (void)arg;
    switch (exchange->number) {
    case 1:
        return http_list(exchange, "100", ONE);
    case 2:
        return http_reply(exchange, 500, "X-Consul-Index: 1\r\n",
                          "No cluster leader");
    case 3: /* asks at once after a failure, and takes no index from it */
        return is_blocking(exchange) ? http_reply(exchange, 500, "", "blocks")
                                     : http_list(exchange, "100", TWO);
    default:
        return http_wait(exchange, BLOCKED_MS);
    }
}

Test(consul_hostile, takes_no_index_from_a_failure)
{
    watch_with(fails_with_an_index, "");
    expect_list("10.0.0.2:80");
    cr_assert_eq(watched_get(&watch).n_errors, 1);
}

/* ---- bodies ---- */

static bool is_torn(void *arg, http_exchange *exchange)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\n"
                               "Content-Length: 100\r\n\r\n[{\"Serv";
    bool goes_on;

    (void)arg;
    if (gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    (void)http_send(exchange, head, sizeof head - 1);
    return false;
}

Test(consul_hostile, keeps_the_list_when_a_body_is_torn)
{
    watch_with(is_torn, "");
    expect_kept("the answer is broken");
}

static bool is_bad_json(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    return gives_first(exchange, &goes_on) ? goes_on
                                           : http_list(exchange, "9", "[{,}]");
}

Test(consul_hostile, keeps_the_list_when_a_body_is_no_json)
{
    watch_with(is_bad_json, "");
    expect_kept("byte ");
}

static bool is_nested(void *arg, http_exchange *exchange)
{
    static char body[200001];
    bool goes_on;

    (void)arg;
    if (gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    memset(body, '[', sizeof body - 1);
    return http_list(exchange, "9", body);
}

Test(consul_hostile, keeps_the_list_when_a_body_is_deeply_nested)
{
    watch_with(is_nested, "");
    expect_kept("byte ");
}

static bool has_bad_entries_only(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    return gives_first(exchange, &goes_on)
               ? goes_on
               : http_list(exchange, "9",
                           "[{},{\"Service\":{\"Port\":80}},"
                           "{\"Service\":{\"Address\":\"x\",\"Port\":80}}]");
}

Test(consul_hostile, refuses_a_body_without_a_good_entry)
{
    watch_with(has_bad_entries_only, "");
    expect_kept("none of 3 entries");
}

static bool has_some_bad_entries(void *arg, http_exchange *exchange)
{
    (void)arg;
    return exchange->number > 1
               ? http_wait(exchange, BLOCKED_MS)
               : http_list(exchange, "9",
                           "[{},{\"Service\":{\"Address\":\"10.0.0.1\","
                           "\"Port\":80}},{\"Service\":{\"Address\":\"db\","
                           "\"Port\":80}},7]");
}

Test(consul_hostile, leaves_bad_entries_out)
{
    watch_with(has_some_bad_entries, "");
    expect_list("10.0.0.1:80");
}

static bool is_endless(void *arg, http_exchange *exchange)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\n"
                               "Connection: close\r\n\r\n[";
    static char blanks[MEGABYTE];
    bool goes_on;

    (void)arg;
    if (gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    memset(blanks, ' ', sizeof blanks);
    goes_on = http_send(exchange, head, sizeof head - 1);
    while (goes_on) {
        goes_on = http_send(exchange, blanks, sizeof blanks);
    }
    return false;
}

Test(consul_hostile, takes_32_mib_of_an_endless_body)
{
    watch_with(is_endless, "");
    expect_kept("larger than 32 MiB");
}

static char *bomb;
static size_t bomb_size;

/* 64 MiB of blanks, which are 64 KiB. */
static void make_bomb(void)
{
    FILE *gzip = popen("head -c 67108864 /dev/zero | tr '\\0' ' ' | gzip", "r");

    bomb = malloc(MEGABYTE);
    cr_assert(gzip != NULL && bomb != NULL);
    bomb_size = fread(bomb, 1, MEGABYTE, gzip);
    cr_assert(bomb_size > 1000 && bomb_size < MEGABYTE);
    cr_assert_eq(pclose(gzip), 0);
}

static bool is_a_bomb(void *arg, http_exchange *exchange)
{
    char head[256];
    bool goes_on;

    (void)arg;
    if (gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\n"
                   "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
                   bomb_size);
    return http_send(exchange, head, strlen(head)) &&
           http_send(exchange, bomb, bomb_size);
}

Test(consul_hostile, unpacks_no_more_than_32_mib)
{
    make_bomb();
    watch_with(is_a_bomb, "");
    expect_kept("larger than 32 MiB");
    free(bomb);
}

static bool is_slow(void *arg, http_exchange *exchange)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\n"
                               "Connection: close\r\n\r\n" TWO;
    size_t i = 0;
    bool goes_on = true;

    (void)arg;
    if (exchange->number > 1) {
        return http_wait(exchange, BLOCKED_MS);
    }
    for (; goes_on && i < sizeof text - 1; i++) {
        goes_on = http_send(exchange, text + i, 1) && http_wait(exchange, 10);
    }
    return false;
}

Test(consul_hostile, takes_a_body_byte_by_byte)
{
    watch_with(is_slow, "");
    expect_list("10.0.0.2:80");
}

static bool is_no_http(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    if (gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    (void)http_send(exchange, "220 smtp ready\r\n\r\n", 18);
    return false;
}

Test(consul_hostile, knows_what_is_no_http)
{
    watch_with(is_no_http, "");
    expect_kept("the answer is broken");
}

/* ---- refusals ---- */

static bool redirects(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    return gives_first(exchange, &goes_on)
               ? goes_on
               : http_reply(exchange, 301,
                            "Location: http://127.0.0.1:1/elsewhere\r\n", "");
}

Test(consul_hostile, follows_no_redirect)
{
    watch_with(redirects, "");
    expect_kept("301 leads to \"http://127.0.0.1:1/elsewhere\"");
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
        return http_list(exchange, "9", TWO);
    }
    if (exchange->number > 3) {
        return http_wait(exchange, BLOCKED_MS);
    }
    return gives_first(exchange, &goes_on)
               ? goes_on
               : http_reply(exchange, 429, "Retry-After: 2\r\n", "");
}

Test(consul_hostile, waits_as_long_as_a_busy_agent_says)
{
    watch_with(is_busy, "");
    expect_list("10.0.0.1:80");
    expect_error("max_connections");
    expect_list("10.0.0.2:80");
    cr_assert_gt(atomic_load(&asked_again_ns) - atomic_load(&busy_ns),
                 1900000000U);
}

static bool resets(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    if (gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    http_reset(exchange);
    return false;
}

Test(consul_hostile, hints_at_the_limit_when_connections_are_reset)
{
    watch_with(resets, "");
    expect_kept("http_max_conns_per_client");
}

static bool is_forbidden(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    return gives_first(exchange, &goes_on)
               ? goes_on
               : http_reply(exchange, 403, "", "Permission denied");
}

Test(consul_hostile, says_that_there_is_no_token)
{
    watch_with(is_forbidden, "");
    expect_kept("there is no ACL token");
}

static bool never_answers(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_wait(exchange, BLOCKED_MS);
}

Test(consul_hostile, does_not_wait_for_ever)
{
    watch_with(never_answers, "");
    cr_assert(watched_await_error(&watch, "no answer in time", 15000));
}

Test(consul_hostile, ends_at_once_while_it_waits)
{
    uint64_t start_ns;

    watch_with(never_answers, "");
    while (http_server_n_requests(server) == 0) {
        (void)poll(NULL, 0, 1);
    }
    start_ns = watched_now_ns();
    muster_watch_destroy(watch.watch);
    watch.watch = NULL;
    cr_assert_lt(watched_now_ns() - start_ns, 100000000U);
}

/* ---- tokens ---- */

static atomic_bool has_token;

static bool echoes_the_token(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    atomic_store(&has_token, strstr(exchange->head,
                                    "X-Consul-Token: secret-4711\r\n") != NULL);
    cr_expect_null(strstr(exchange->target, "secret"));
    return gives_first(exchange, &goes_on)
               ? goes_on
               : http_reply(exchange, 500, "", "I know secret-4711 of you");
}

static void note_log(void *arg, muster_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    cr_expect_null(strstr(message, "secret"), "%s", message);
}

Test(consul_hostile, does_not_repeat_a_token)
{
    muster_log_set(note_log, NULL, MUSTER_LOG_DEBUG);
    (void)setenv("CONSUL_HTTP_TOKEN", "secret-4711", 1);
    watch_with(echoes_the_token, "");
    expect_kept("500");
    cr_assert(atomic_load(&has_token));
    cr_assert_null(strstr(watched_get(&watch).message, "secret"));
}

static bool redirects_with_the_token(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_reply(
        exchange, 302,
        "Location: http://127.0.0.1:1/secret-4711?next=secret\r\n", "");
}

Test(consul_hostile, does_not_repeat_a_token_of_a_redirect)
{
    muster_log_set(note_log, NULL, MUSTER_LOG_DEBUG);
    (void)setenv("CONSUL_HTTP_TOKEN", "secret-4711", 1);
    watch_with(redirects_with_the_token, "");
    expect_error("302 leads to");
    cr_assert_null(strstr(watched_get(&watch).message, "secret"));
}

/* ---- names ---- */

Test(consul_hostile, resolves_localhost_by_itself)
{
    char target[TARGET_SIZE];
    muster_error err;

    watch_with(answers_at_once, "");
    watched_end(&watch);
    (void)snprintf(target, sizeof target, "consul://localhost:%d/web",
                   http_server_port(server));
    cr_assert(watched_begin(&watch, target, &err), "%s", err.message);
    expect_list("10.0.0.1:80");
}

Test(consul_hostile, says_that_a_name_cannot_be_resolved)
{
    muster_error err;

    watch_with(answers_at_once, "");
    watched_end(&watch);
    cr_assert(watched_begin(&watch, "consul://agent.test:1/web", &err), "%s",
              err.message);
    expect_error("the agent's name has no address: not supported here");
}

/* ---- turns ---- */

static bool blocks_as_told(void *arg, http_exchange *exchange)
{
    const char *wait = strstr(exchange->target, "wait=");

    (void)arg;
    if (is_blocking(exchange) && wait != NULL) {
        (void)http_wait(exchange, atoi(wait + strlen("wait=")));
    }
    return http_list(exchange, "5", ONE);
}

enum { N_TARGETS = 12 };

Test(consul_hostile, takes_turns_on_few_connections)
{
    static watched watches[N_TARGETS];
    char target[TARGET_SIZE];
    muster_error err;

    watch_with(blocks_as_told, "?max_connections=3");
    for (int i = 0; i < N_TARGETS; i++) {
        (void)snprintf(target, sizeof target,
                       "consul://127.0.0.1:%d/service-%d",
                       http_server_port(server), i);
        cr_assert(watched_begin(&watches[i], target, &err), "%s", err.message);
    }
    for (int i = 0; i < N_TARGETS; i++) {
        cr_assert(watched_await_list(&watches[i], "10.0.0.1:80", WAIT_MS));
        cr_assert_eq(watched_get(&watches[i]).n_errors, 0);
    }
    (void)poll(NULL, 0, 6000);
    /* Those that had to give way closed theirs. */
    cr_assert_leq(http_server_n_connections(server), 3 + 3);
    for (int i = 0; i < N_TARGETS; i++) {
        watched_end(&watches[i]);
    }
}
