/* SPDX-License-Identifier: Apache-2.0 */
/* What the consul resolver does without an agent: its target, index and pace.
 */
#include <criterion/criterion.h>

#include <muster/plugin.h>
#include <muster/testkit.h>

#include <index.h>
#include <pace.h>
#include <place.h>
#include <stdlib.h>
#include <string.h>

const muster_plugin *muster_builtin_consul(void);

/* ---- the index ---- */

Test(consul_rules, reads_what_is_no_index_as_1)
{
    static const char *const bad[] = {
        NULL, "", "0", "-5", "x", "5x", " 5", "1.5", "18446744073709551616"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(muster__consul_index_parse(bad[i]), 1);
    }
    cr_expect_eq(muster__consul_index_parse("42"), 42);
    cr_expect_eq(muster__consul_index_parse("18446744073709551615"),
                 UINT64_MAX);
}

Test(consul_rules, starts_over_when_the_index_falls)
{
    cr_expect_eq(muster__consul_index_next(0, 5), 5);
    cr_expect_eq(muster__consul_index_next(5, 5), 5);
    cr_expect_eq(muster__consul_index_next(5, 4), 0);
}

/* ---- the pace ---- */

Test(consul_rules, allows_a_burst_and_then_10_a_second)
{
    muster__consul_bucket bucket = {0};
    unsigned n_taken = 0;

    for (uint64_t now_ms = 0; now_ms < 1000; now_ms++) {
        n_taken += muster__consul_bucket_take(&bucket, now_ms) == 0;
    }
    cr_expect(n_taken >= 29 && n_taken <= 30, "%u", n_taken);
}

Test(consul_rules, says_how_long_to_wait_for_a_token)
{
    muster__consul_bucket bucket = {0};
    uint64_t delay_ms = 0;

    while ((delay_ms = muster__consul_bucket_take(&bucket, 500)) == 0) {
    }
    cr_expect_eq(delay_ms, 100);
    cr_expect_eq(muster__consul_bucket_take(&bucket, 500 + delay_ms), 0);
}

Test(consul_rules, backs_off_up_to_the_longest)
{
    muster__consul_backoff backoff = {0};
    uint64_t longest_ms = 0;

    for (unsigned i = 0; i < 100; i++) {
        longest_ms =
            muster__consul_backoff_next(&backoff, i * 10000, 8000, false, 0);
    }
    cr_expect_eq(longest_ms, 8000);
}

Test(consul_rules, looks_for_a_restarted_agent_often)
{
    muster__consul_backoff backoff = {0};

    for (uint64_t now_ms = 0; now_ms < 5000; now_ms += 250) {
        cr_expect_leq(
            muster__consul_backoff_next(&backoff, now_ms, 8000, true, 0), 250);
    }
    cr_expect_gt(muster__consul_backoff_next(&backoff, 5000, 8000, true, 0),
                 250);
}

Test(consul_rules, takes_a_random_part_off)
{
    for (uint64_t random = 0; random < 1000; random++) {
        muster__consul_backoff backoff = {0};
        uint64_t ms =
            muster__consul_backoff_next(&backoff, 0, 8000, false, random);

        cr_assert(ms >= 250 && ms <= 500);
    }
}

/* ---- addresses of agents ---- */

static void expect_place(const char *text, bool is_tls, const char *expected)
{
    muster__consul_place place;
    char url[MUSTER__CONSUL_URL_SIZE];
    muster_error err;

    cr_assert_eq(muster__consul_place_parse(text, is_tls, &place, &err),
                 MUSTER_OK, "%s: %s", text, err.message);
    muster__consul_place_text(&place, url, sizeof url);
    cr_expect_str_eq(url, expected);
}

Test(consul_rules, reads_addresses_as_the_tools_do)
{
    expect_place("127.0.0.1:8500", false, "http://127.0.0.1:8500");
    expect_place("127.0.0.1:8500", true, "https://127.0.0.1:8500");
    expect_place("http://a.test:1", true, "https://a.test:1");
    expect_place("https://a.test", false, "https://a.test:443");
    expect_place("HTTP://a.test", false, "http://a.test:80");
    expect_place("http://[::1]:8500/", false, "http://[::1]:8500");
    expect_place("http://a/x/y/", false, "http://a:80/x/y");
    expect_place("unix:///run/consul.sock", true, "unix:///run/consul.sock");
}

Test(consul_rules, shows_no_secret_of_an_address)
{
    static const char *const addresses[] = {
        "http://user:secret@127.0.0.1:8500", "127.0.0.1:8500/?token=secret",
        "user:secret@127.0.0.1", "http://a:1/#secret", "user:se?cr@secret"};
    muster__consul_place place;
    muster_error err;

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        cr_expect_eq(
            muster__consul_place_parse(addresses[i], false, &place, &err),
            MUSTER_INVAL);
        cr_expect_null(strstr(err.message, "secr"), "%s", err.message);
        cr_expect_not_null(strstr(err.message, "not shown"), "%s", err.message);
    }
}

Test(consul_rules, refuses_what_is_no_address)
{
    static const char *const bad[] = {"",
                                      "http://",
                                      ":8500",
                                      "a:0",
                                      "a:65536",
                                      "a:x",
                                      "[::1",
                                      "[x]:1",
                                      "::1",
                                      "a b:1",
                                      "ftp://a:1",
                                      "user@a:1",
                                      "a:1/ x",
                                      "unix://x",
                                      "unix://",
                                      "a:1/?x=1",
                                      "http://a:1\r\nX: y"};
    muster__consul_place place;
    muster_error err;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(muster__consul_place_parse(bad[i], false, &place, &err),
                     MUSTER_INVAL, "%s", bad[i]);
    }
}

/* ---- targets ---- */

typedef struct target {
    size_t class; /* 0: consul, 1: consul+unix */
    const char *authority;
    const char *path;
    const char *option; /* NULL: none */
    const char *value;
    const char *said; /* NULL: it is fine */
} target;

static void check_target(const target *from)
{
    const muster_plugin *plugin = muster_builtin_consul();
    muster_attribute option = {from->option, from->value};
    muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .plugin = plugin,
        .resolver_class = plugin->resolvers[from->class],
        .authority = from->authority,
        .path = from->path,
        .options = &option,
        .n_options = from->option != NULL ? 1 : 0};
    muster_testkit_resolver *kit = NULL;
    muster_error err = {.message = ""};
    muster_status status = muster_testkit_resolver_create(&options, &kit, &err);

    if (from->said == NULL) {
        cr_expect_eq(status, MUSTER_OK, "%s: %s", from->path, err.message);
    } else {
        cr_expect_eq(status, MUSTER_INVAL, "%s", from->path);
        cr_expect_not_null(strstr(err.message, from->said), "%s", err.message);
    }
    muster_testkit_resolver_destroy(kit);
}

Test(consul_rules, reads_targets)
{
    static const target targets[] = {
        {0, "", "web", NULL, NULL, NULL},
        {0, "agent.test", "web", NULL, NULL, NULL},
        {0, "[::1]:8500", "web", NULL, NULL, NULL},
        {0, "", "", NULL, NULL, "service \"\""},
        {0, "", "a/b", NULL, NULL, "without a slash"},
        {0, "a:1,b:1", "web", NULL, NULL, "more than one"},
        {0, "me@a", "web", NULL, NULL, "no valid host"},
        {1, "", "/run/consul.sock/web", NULL, NULL, NULL},
        {1, "", "/web", NULL, NULL, "not the absolute path of a socket"},
        {0, "", "..", NULL, NULL, "service \"..\""},
        {0, "", ".", NULL, NULL, "service \".\""},
        {0, "", "...", NULL, NULL, NULL},
        {1, "", "/run/consul.sock/", NULL, NULL, "service \"\""},
        {1, "", "/run/consul.sock/..", NULL, NULL, "service \"..\""},
        {1, "a", "/run/consul.sock/web", NULL, NULL, "a socket has none"},
    };

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        check_target(&targets[i]);
    }
}

Test(consul_rules, reads_options)
{
    static const target targets[] = {
        {0, "", "web", "passing", "off", NULL},
        {0, "", "web", "passing", "no", "option passing: \"no\" is not on"},
        {0, "", "web", "wait", "10m", NULL},
        {0, "", "web", "wait", "11m", "option wait: \"11m\""},
        {0, "", "web", "wait", "10ms", "option wait"},
        {0, "", "web", "max_backoff", "1ms", "option max_backoff"},
        {0, "", "web", "limit", "5", NULL},
        {0, "", "web", "limit", "0", "option limit"},
        {0, "", "web", "limit", "-1", "option limit"},
        {0, "", "web", "max_connections", "10001", "option max_connections"},
        {0, "", "web", "token_file", "/x", NULL},
        {0, "", "web", "token_file", "x", "option token_file"},
    };

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        check_target(&targets[i]);
    }
}

Test(consul_rules, refuses_stale_and_consistent_together)
{
    static const muster_attribute both[] = {{"stale", "on"},
                                            {"consistent", "on"}};
    muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .plugin = muster_builtin_consul(),
        .path = "web",
        .options = both,
        .n_options = 2};
    muster_testkit_resolver *kit = NULL;
    muster_error err;

    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_INVAL);
    cr_assert_not_null(strstr(err.message, "it rules out stale"));
}

/* ---- the environment ---- */

Test(consul_rules, says_what_is_wrong_in_the_environment)
{
    static const target wrong_ssl = {0,    "",   "web",
                                     NULL, NULL, "CONSUL_HTTP_SSL: \"maybe\""};
    static const target wrong_address = {0,    "",   "web",
                                         NULL, NULL, "unknown scheme"};

    (void)setenv("CONSUL_HTTP_SSL", "maybe", 1);
    check_target(&wrong_ssl);
    (void)unsetenv("CONSUL_HTTP_SSL");
    (void)setenv("CONSUL_HTTP_ADDR", "tcp://x:1", 1);
    check_target(&wrong_address);
}

Test(consul_rules, refuses_a_server_name_that_is_none)
{
    static const target wrong = {0,    "",   "web",
                                 NULL, NULL, "CONSUL_TLS_SERVER_NAME: \"a/b\""};

    (void)setenv("CONSUL_TLS_SERVER_NAME", "a/b", 1);
    check_target(&wrong);
}

/* What follows a line's end would be a header of its own. */
Test(consul_rules, refuses_a_token_that_is_no_header)
{
    static char long_one[4097];
    static const char *const bad[] = {"x\r\nY: z", "x\n", "x y", "\x7f",
                                      long_one};
    static const target wrong = {0,    "",   "web",
                                 NULL, NULL, "CONSUL_HTTP_TOKEN: it is not"};
    static const target fine = {0, "", "web", NULL, NULL, NULL};

    memset(long_one, 'x', sizeof long_one - 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)setenv("CONSUL_HTTP_TOKEN", bad[i], 1);
        check_target(&wrong);
    }
    long_one[4095] = '\0';
    (void)setenv("CONSUL_HTTP_TOKEN", long_one, 1);
    check_target(&fine);
}

Test(consul_rules, refuses_a_query_that_is_too_long)
{
    static char filter[8000];
    const target wrong = {0,        "",     "web",
                          "filter", filter, "over 7000 bytes long"};

    memset(filter, 'x', sizeof filter - 1);
    check_target(&wrong);
}

/* ---- names ---- */

Test(consul_rules, has_the_service_for_its_authority)
{
    const muster_plugin *plugin = muster_builtin_consul();
    char name[512];

    cr_assert_eq(plugin->resolvers[0]->authority("web", name, sizeof name),
                 MUSTER_OK);
    cr_assert_str_eq(name, "web");
    cr_assert_eq(
        plugin->resolvers[1]->authority("/run/c.sock/web", name, sizeof name),
        MUSTER_OK);
    cr_assert_str_eq(name, "web");
}
