/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver when the core refuses what an agent lists: the agent is
 * asked ever more seldom, until a list is taken. */
#include <criterion/criterion.h>

#include <muster/plugin.h>
#include <muster/testkit.h>

#include <stdio.h>
#include <string.h>

#include "http_server.h"

#define ONE "[{\"Service\":{\"Address\":\"10.0.0.1\",\"Port\":80}}]"

const muster_plugin *muster_builtin_consul(void);

enum { STEP_MS = 50, STEPS_MAX = 400, POLL_MS = 2, BLOCKED_MS = 60000 };

static http_server *server;
static muster_testkit_resolver *kit;

static bool lists_one(void *arg, http_exchange *exchange)
{
    (void)arg;
    return strstr(exchange->target, "index=") != NULL
               ? http_wait(exchange, BLOCKED_MS)
               : http_list(exchange, "5", ONE);
}

static void set_up(void)
{
    char authority[64];
    muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .plugin = muster_builtin_consul(),
        .authority = authority,
        .path = "web",
    };
    muster_error err;

    server = http_server_start(lists_one, NULL);
    cr_assert_not_null(server);
    (void)snprintf(authority, sizeof authority, "127.0.0.1:%d",
                   http_server_port(server));
    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    muster_testkit_resolver_start(kit);
    cr_assert_eq(muster_testkit_resolver_await(kit, 1, BLOCKED_MS), MUSTER_OK);
}

static void tear_down(void)
{
    muster_testkit_resolver_destroy(kit);
    http_server_stop(server);
}

TestSuite(consul_refused, .init = set_up, .fini = tear_down, .timeout = 60);

/* The core says so of the last list. Answers how long the next one takes, which
 * is asked for at once when it comes to that. While the server is asked, which
 * is when there are more descriptors to watch, time stands still. */
static uint64_t answer_list(muster_status status)
{
    uint64_t start_ms = muster_testkit_resolver_now_ms(kit);
    uint64_t before = muster_testkit_resolver_get(kit)->n_reports;
    uint64_t n_idle;

    muster_testkit_resolver_applied(
        kit, muster_testkit_resolver_get(kit)->sequence, status);
    n_idle = muster_testkit_resolver_get(kit)->n_watches;
    for (int i = 0; i < STEPS_MAX; i++) {
        (void)muster_testkit_resolver_poll(kit, POLL_MS);
        if (muster_testkit_resolver_get(kit)->n_watches > n_idle) {
            (void)muster_testkit_resolver_await(kit, before + 1, BLOCKED_MS);
        }
        if (muster_testkit_resolver_get(kit)->n_reports > before) {
            break;
        }
        muster_testkit_resolver_advance(kit, STEP_MS);
    }
    return muster_testkit_resolver_now_ms(kit) - start_ms;
}

Test(consul_refused, lets_the_backoff_grow)
{
    for (int i = 0; i < 4; i++) { /* 0.5, 1, 2 and 4 s */
        (void)answer_list(MUSTER_INVAL);
    }
    cr_assert_geq(answer_list(MUSTER_INVAL), 4000); /* the half of 8 s */
}

Test(consul_refused, begins_anew_after_a_list_is_taken)
{
    for (int i = 0; i < 4; i++) {
        (void)answer_list(MUSTER_INVAL);
    }
    muster_testkit_resolver_applied(
        kit, muster_testkit_resolver_get(kit)->sequence, MUSTER_OK);
    cr_assert_lt(answer_list(MUSTER_INVAL), 1000);
}
