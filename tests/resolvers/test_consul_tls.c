/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver with an agent that speaks TLS. */
#include <criterion/criterion.h>

#include <muster/plugin.h>

#include <ftw.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consul.h"
#include "watched.h"

#define MAKE_CERTIFICATES MUSTER_TEST_SOURCE_DIR "/support/make-certificates"

const muster_plugin *muster_builtin_consul(void);

enum { WAIT_MS = 10000, TEXT_SIZE = 512, PATH_SIZE = 128 };

static consul agent;
static watched watch;
static char folder[64];
static char ca[PATH_SIZE];

static void make_folder(void)
{
    const char *base = getenv("TMPDIR");
    char command[TEXT_SIZE];
    muster_error err;

    (void)snprintf(folder, sizeof folder, "%s/muster-tls-XXXXXX",
                   base != NULL ? base : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(command, sizeof command, MAKE_CERTIFICATES " %s", folder);
    cr_assert_eq(system(command), 0);
    (void)snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
}

static int remove_one(const char *name, const struct stat *info, int type,
                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(name);
}

static void end(void)
{
    watched_end(&watch);
    consul_fini(&agent);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(consul_tls, .init = make_folder, .fini = end, .timeout = 60);

/* name is that of the agent's certificate; more are further members. */
static void start(const char *name, const char *more)
{
    static char config[TEXT_SIZE];
    static char cert[PATH_SIZE];
    static char key[PATH_SIZE];
    consul_options options = {
        .config = config, .ca = ca, .cert = cert, .key = key};

    (void)snprintf(cert, sizeof cert, "%s/client.pem", folder);
    (void)snprintf(key, sizeof key, "%s/client-key.pem", folder);
    (void)snprintf(config, sizeof config,
                   "\"ca_file\": \"%s\", \"cert_file\": \"%s/%s.pem\", "
                   "\"key_file\": \"%s/%s-key.pem\"%s",
                   ca, folder, name, folder, name, more);
    cr_assert(consul_start(&agent, &options));
    cr_assert(consul_register(&agent, "a", "web", "10.0.0.1", 80, NULL));
}

static void set_file(const char *variable, const char *name)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "%s/%s.pem", folder, name);
    (void)setenv(variable, path, 1);
}

static bool begin_watch(muster_error *err)
{
    char target[TEXT_SIZE];

    (void)snprintf(target, sizeof target, "consul://%s/web?tls=on",
                   agent.address);
    return watched_begin(&watch, target, err);
}

static void watch_service(void)
{
    muster_error err;

    cr_assert(begin_watch(&err), "%s", err.message);
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
    cr_assert_eq(watched_get(&watch).status, MUSTER_PERMISSION);
}

Test(consul_tls, speaks_https)
{
    start("server", "");
    set_file("CONSUL_CACERT", "ca");
    watch_service();
    expect_list("10.0.0.1:80");
    cr_assert(consul_register(&agent, "b", "web", "10.0.0.2", 80, NULL));
    expect_list("10.0.0.1:80 10.0.0.2:80");
}

Test(consul_tls, speaks_https_when_the_environment_says_so)
{
    char target[TEXT_SIZE];
    muster_error err;

    start("server", "");
    set_file("CONSUL_CACERT", "ca");
    (void)setenv("CONSUL_HTTP_SSL", "true", 1);
    (void)setenv("CONSUL_HTTP_ADDR", agent.address, 1);
    (void)snprintf(target, sizeof target, "consul:///web");
    cr_assert(watched_begin(&watch, target, &err), "%s", err.message);
    expect_list("10.0.0.1:80");
}

Test(consul_tls, says_that_the_authority_is_another)
{
    start("server", "");
    set_file("CONSUL_CACERT", "other-ca");
    watch_service();
    expect_error("unable to get local issuer certificate");
}

Test(consul_tls, says_that_a_certificate_has_expired)
{
    start("expired", "");
    set_file("CONSUL_CACERT", "ca");
    watch_service();
    expect_error("certificate has expired");
}

static atomic_uint n_warnings;

static void count_warnings(void *arg, muster_log_level level,
                           const char *message)
{
    (void)arg;
    if (level == MUSTER_LOG_WARNING &&
        strstr(message, "CONSUL_HTTP_SSL_VERIFY") != NULL) {
        atomic_fetch_add(&n_warnings, 1);
    }
}

Test(consul_tls, looks_at_no_certificate_when_told_so)
{
    muster_log_set(count_warnings, NULL, MUSTER_LOG_WARNING);
    start("expired", "");
    (void)setenv("CONSUL_HTTP_SSL_VERIFY", "false", 1);
    watch_service();
    expect_list("10.0.0.1:80");
    watched_end(&watch);
    watch_service();
    expect_list("10.0.0.1:80");
    cr_assert_eq(atomic_load(&n_warnings), 1);
}

Test(consul_tls, reads_the_authority_again_when_it_changes)
{
    char other[PATH_SIZE];
    char link_name[PATH_SIZE];

    start("server", "");
    (void)snprintf(other, sizeof other, "%s/other-ca.pem", folder);
    (void)snprintf(link_name, sizeof link_name, "%s/chosen.pem", folder);
    cr_assert_eq(rename(other, link_name), 0);
    set_file("CONSUL_CACERT", "chosen");
    watch_service();
    expect_error("unable to get local issuer certificate");
    cr_assert_eq(rename(ca, link_name), 0);
    expect_list("10.0.0.1:80");
}

Test(consul_tls, expects_the_name_that_it_is_given)
{
    start("server", "");
    set_file("CONSUL_CACERT", "ca");
    (void)setenv("CONSUL_TLS_SERVER_NAME", "server.dc1.consul", 1);
    watch_service();
    expect_list("10.0.0.1:80");
}

Test(consul_tls, says_that_the_name_is_another)
{
    start("server", "");
    set_file("CONSUL_CACERT", "ca");
    (void)setenv("CONSUL_TLS_SERVER_NAME", "server.dc2.consul", 1);
    watch_service();
    expect_error("server.dc2.consul");
}

/* ---- client certificates ---- */

Test(consul_tls, says_that_a_certificate_is_wanted)
{
    start("server", ", \"verify_incoming_https\": true");
    set_file("CONSUL_CACERT", "ca");
    watch_service();
    expect_error("alert");
}

Test(consul_tls, shows_its_certificate)
{
    start("server", ", \"verify_incoming_https\": true");
    set_file("CONSUL_CACERT", "ca");
    set_file("CONSUL_CLIENT_CERT", "client");
    set_file("CONSUL_CLIENT_KEY", "client-key");
    watch_service();
    expect_list("10.0.0.1:80");
}

/* Nobody may be asked for a password: all targets would wait for it. Without a
 * terminal OpenSSL reads the answer from standard input. */
Test(consul_tls, asks_nobody_for_the_password_of_a_key)
{
    int silent[2];

    cr_assert_eq(pipe(silent), 0);
    cr_assert_eq(dup2(silent[0], STDIN_FILENO), STDIN_FILENO);
    (void)setsid(); /* off the terminal, if there is one */
    start("server", ", \"verify_incoming_https\": true");
    set_file("CONSUL_CACERT", "ca");
    set_file("CONSUL_CLIENT_CERT", "client");
    set_file("CONSUL_CLIENT_KEY", "locked-key");
    watch_service();
    expect_error("private key");
    (void)close(silent[0]);
    (void)close(silent[1]);
}

/* With HTTP/2 libcurl says that an answer was cut off, though none began. */
Test(consul_tls, knows_that_the_agent_is_gone)
{
    start("server", "");
    set_file("CONSUL_CACERT", "ca");
    watch_service();
    expect_list("10.0.0.1:80");
    (void)poll(NULL, 0, 200); /* until a query blocks */
    consul_kill(&agent);
    for (int i = 0; i < WAIT_MS && watched_get(&watch).n_errors == 0; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_eq(watched_get(&watch).status, MUSTER_REFUSED, "%s",
                 watched_get(&watch).message);
}

enum { TOLD = 42, NOT_TOLD = 43 };

static bool is_exiting;

/* With OpenSSL's own clean-up behind it, as the destructor of a static C++
 * object may have. */
static void watch_at_exit(void)
{
    muster_error err;
    bool is_told;

    if (!is_exiting) {
        return;
    }
    watched_end(&watch);
    is_told =
        begin_watch(&err) && watched_await_list(&watch, "10.0.0.1:80", WAIT_MS);
    end();
    _exit(is_told ? TOLD : NOT_TOLD);
}

static void watch_at_exit_first(void)
{
    cr_assert_eq(atexit(watch_at_exit), 0);
    make_folder();
}

Test(consul_tls, goes_on_during_exit, .init = watch_at_exit_first,
     .exit_code = TOLD)
{
    start("server", "");
    set_file("CONSUL_CACERT", "ca");
    watch_service();
    expect_list("10.0.0.1:80");
    is_exiting = true;
    exit(EXIT_SUCCESS);
}
