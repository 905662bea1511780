/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver with an agent that has ACLs. */
#include <criterion/criterion.h>

#include <muster/log.h>
#include <muster/plugin.h>

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consul.h"
#include "file_replace.h"
#include "watched.h"

#define MASTER "5f0d1b7e-0a33-4b9e-9a53-0b5f4f6b1c01"
#define READER "5f0d1b7e-0a33-4b9e-9a53-0b5f4f6b1c02"
#define UNKNOWN "5f0d1b7e-0a33-4b9e-9a53-0b5f4f6b1c03"
#define ACCESSOR "5f0d1b7e-0a33-4b9e-9a53-0b5f4f6b1c12"
#define OTHER_ACCESSOR "5f0d1b7e-0a33-4b9e-9a53-0b5f4f6b1c14"
#define BLIND "5f0d1b7e-0a33-4b9e-9a53-0b5f4f6b1c04"

const muster_plugin *muster_builtin_consul(void);

enum {
    WAIT_MS = 10000,
    TARGET_SIZE = 512,
    TEXT_SIZE = 1024,
    POLICY_SIZE = 256
};

static consul agent;
static watched watch;
static atomic_bool has_hint;

/* No secret is ever logged. */
static void on_log(void *arg, muster_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    cr_expect_null(strstr(message, "5f0d1b7e"), "%s", message);
    if (strstr(message, "without a token") != NULL) {
        atomic_store(&has_hint, true);
    }
}

static void put(const char *path, const char *body)
{
    char said[TEXT_SIZE] = "";

    cr_assert(consul_request(&agent, "PUT", path, body, said, sizeof said),
              "%s: %s", path, said);
}

static void add_token(const char *secret, const char *accessor,
                      const char *name, const char *rules)
{
    char body[POLICY_SIZE];

    (void)snprintf(body, sizeof body, "{\"Name\": \"%s\", \"Rules\": \"%s\"}",
                   name, rules);
    put("/v1/acl/policy", body);
    (void)snprintf(body, sizeof body,
                   "{\"SecretID\": \"%s\", \"AccessorID\": \"%s\", "
                   "\"Policies\": [{\"Name\": \"%s\"}]}",
                   secret, accessor, name);
    put("/v1/acl/token", body);
}

static void begin(void)
{
    const consul_options options = {
        .token = MASTER,
        .config = "\"acl\": {\"enabled\": true, \"default_policy\": \"deny\", "
                  "\"tokens\": {\"master\": \"" MASTER
                  "\", \"agent\": \"" MASTER "\"}}"};
    muster_error err;

    muster_log_set(on_log, NULL, MUSTER_LOG_DEBUG);
    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    cr_assert(consul_start(&agent, &options));
    add_token(READER, ACCESSOR, "reader",
              "service_prefix \\\"\\\" { policy = \\\"read\\\" } "
              "node_prefix \\\"\\\" { policy = \\\"read\\\" }");
    add_token(BLIND, OTHER_ACCESSOR, "blind",
              "key_prefix \\\"\\\" { policy = \\\"read\\\" }");
    cr_assert(consul_register(&agent, "a", "web", "10.0.0.1", 80, NULL));
}

static void end(void)
{
    watched_end(&watch);
    consul_fini(&agent);
}

TestSuite(consul_acl, .init = begin, .fini = end, .timeout = 60);

static void watch_service(const char *rest)
{
    char target[TARGET_SIZE];
    muster_error err;

    (void)snprintf(target, sizeof target, "consul://%s/web%s", agent.address,
                   rest);
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
    cr_assert_null(strstr(watched_get(&watch).message, "5f0d1b7e"));
}

static void in_folder(char *path, const char *name)
{
    (void)snprintf(path, TARGET_SIZE / 2, "%s/%s", agent.folder, name);
}

static void write_token(const char *token)
{
    char path[TARGET_SIZE / 2];

    in_folder(path, "token");
    cr_assert(file_replace(path, "%s\n", token), "%s", strerror(errno));
}

static void watch_with_file(void)
{
    char rest[TARGET_SIZE / 2];

    (void)snprintf(rest, sizeof rest, "?token_file=%s/token", agent.folder);
    watch_service(rest);
}

Test(consul_acl, sends_the_token_of_the_environment)
{
    (void)setenv("CONSUL_HTTP_TOKEN", READER, 1);
    watch_service("");
    expect_list("10.0.0.1:80");
}

Test(consul_acl, hints_at_a_missing_token)
{
    watch_service("");
    expect_list("");
    for (int i = 0; i < WAIT_MS && !atomic_load(&has_hint); i++) {
        (void)poll(NULL, 0, 1); /* it is logged just after */
    }
    cr_assert(atomic_load(&has_hint));
}

Test(consul_acl, says_that_a_token_is_unknown)
{
    (void)setenv("CONSUL_HTTP_TOKEN", UNKNOWN, 1);
    watch_service("");
    expect_error("Consul does not know the ACL token");
    cr_assert_eq(watched_get(&watch).status, MUSTER_PERMISSION);
}

Test(consul_acl, reads_a_token_file_again_when_it_changes)
{
    write_token(UNKNOWN);
    watch_with_file();
    expect_error("does not know the ACL token");
    write_token(READER);
    expect_list("10.0.0.1:80");
}

Test(consul_acl, prefers_the_file_of_the_environment_to_the_token)
{
    char path[TARGET_SIZE / 2];

    write_token(READER);
    in_folder(path, "token");
    (void)setenv("CONSUL_HTTP_TOKEN", UNKNOWN, 1);
    (void)setenv("CONSUL_HTTP_TOKEN_FILE", path, 1);
    watch_service("");
    expect_list("10.0.0.1:80");
}

Test(consul_acl, waits_for_a_missing_token_file)
{
    watch_with_file();
    expect_error("token file");
    write_token(READER);
    expect_list("10.0.0.1:80");
}

Test(consul_acl, keeps_its_token_while_the_file_is_away)
{
    char path[TARGET_SIZE / 2];

    write_token(READER);
    watch_with_file();
    expect_list("10.0.0.1:80");
    in_folder(path, "token");
    cr_assert_eq(remove(path), 0);
    cr_assert(consul_register(&agent, "b", "web", "10.0.0.2", 80, NULL));
    expect_list("10.0.0.1:80 10.0.0.2:80");
    cr_assert(consul_register(&agent, "c", "web", "10.0.0.3", 80, NULL));
    expect_list("10.0.0.1:80 10.0.0.2:80 10.0.0.3:80");
    cr_assert_eq(watched_get(&watch).n_errors, 0);
}

Test(consul_acl, keeps_the_list_when_its_token_is_deleted)
{
    (void)setenv("CONSUL_HTTP_TOKEN", READER, 1);
    watch_service("?wait=1s");
    expect_list("10.0.0.1:80");
    cr_assert(consul_request(&agent, "DELETE", "/v1/acl/token/" ACCESSOR, NULL,
                             NULL, 0));
    expect_error("403");
    cr_assert_str_eq(watched_get(&watch).addresses, "10.0.0.1:80");
}

/* Consul 1.8 does not say that it left something out. */
Test(consul_acl, has_an_empty_list_with_a_token_that_may_read_nothing)
{
    (void)setenv("CONSUL_HTTP_TOKEN", BLIND, 1);
    watch_service("");
    expect_list("");
}
