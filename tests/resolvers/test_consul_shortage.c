/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver while memory is short: it never stays stuck. */
#include <criterion/criterion.h>

#include <muster/plugin.h>
#include <muster/testkit.h>

#include <stdio.h>
#include <string.h>

#include "http_server.h"

#define ONE "[{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80}}]"

const muster_plugin *muster_builtin_consul(void);

enum { STEP_MS = 20, N_STEPS = 200, N_BROKEN = 6 };

static http_server *server;
static muster_testkit_resolver *kit;

static bool lists_one(void *arg, http_exchange *exchange)
{
    (void)arg;
    return strstr(exchange->target, "index=") != NULL
               ? http_wait(exchange, 1) && http_list(exchange, "5", ONE)
               : http_list(exchange, "5", ONE);
}

static void set_up(void)
{
    server = http_server_start(lists_one, NULL);
    cr_assert_not_null(server);
}

static void tear_down(void)
{
    muster_testkit_resolver_destroy(kit);
    http_server_stop(server);
}

TestSuite(consul_shortage, .init = set_up, .fini = tear_down, .timeout = 60);

static void create(const char *host)
{
    char authority[64];
    muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .plugin = muster_builtin_consul(),
        .authority = authority,
        .path = "web",
    };
    muster_error err;

    (void)snprintf(authority, sizeof authority, "%s:%d", host,
                   http_server_port(server));
    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
}

/* Time goes on until the list has been said once more; false: it never is. As
 * the core does, a failure is followed by a refresh, and a list is taken. */
static bool goes_on(void)
{
    uint64_t n_failures = 0;
    uint64_t before = muster_testkit_resolver_get(kit)->n_reports;

    for (int i = 0; i < N_STEPS; i++) {
        if (muster_testkit_resolver_get(kit)->n_failures > n_failures) {
            n_failures = muster_testkit_resolver_get(kit)->n_failures;
            muster_testkit_resolver_refresh(kit);
        }
        (void)muster_testkit_resolver_poll(kit, STEP_MS);
        muster_testkit_resolver_advance(kit, STEP_MS);
        if (muster_testkit_resolver_get(kit)->n_reports > before) {
            muster_testkit_resolver_applied(
                kit, muster_testkit_resolver_get(kit)->sequence, MUSTER_OK);
            return true;
        }
    }
    return false;
}

static void check_start(const char *host)
{
    for (uint64_t n = 1; n <= N_BROKEN; n++) {
        create(host);
        muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, n);
        muster_testkit_resolver_start(kit);
        cr_expect(goes_on(), "%d calls failed", (int)n);
        muster_testkit_resolver_destroy(kit);
        kit = NULL;
    }
}

Test(consul_shortage, goes_on_after_the_first_calls_fail)
{
    check_start("127.0.0.1");
}

Test(consul_shortage, goes_on_after_its_name_could_not_be_looked_up)
{
    check_start("localhost");
}

Test(consul_shortage, goes_on_when_calls_fail_later)
{
    create("127.0.0.1");
    muster_testkit_resolver_start(kit);
    cr_assert(goes_on());
    for (uint64_t n = 1; n <= N_BROKEN; n++) {
        muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, n);
        cr_expect(goes_on(), "%d calls failed", (int)n);
    }
}
