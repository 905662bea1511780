/* SPDX-License-Identifier: Apache-2.0 */
/* The dns resolver while memory is short: it never stays stuck. */
#include <criterion/criterion.h>

#include <muster/testkit.h>

#include "../support/dns_server.h"

const muster_plugin *muster_builtin_dns(void);

enum { WAIT_MS = 100 };

static dns_server *server;
static muster_testkit_resolver *kit;

static void set_up(void)
{
    const dns_record record = dns_a("10.0.0.1", 1);

    server = dns_server_start(false);
    dns_server_answer(server, "web.test", DNS_TYPE_A, &record, 1);
}

static void tear_down(void)
{
    muster_testkit_resolver_destroy(kit);
    dns_server_stop(server);
}

TestSuite(dns_shortage, .init = set_up, .fini = tear_down, .timeout = 60);

static void create(const char *authority)
{
    static const muster_attribute set[] = {{"type", "a"}, {"timeout", "100ms"}};
    const muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_dns(),
        .authority = authority,
        .path = "web.test",
        .options = set,
        .n_options = 2,
    };
    muster_error err;

    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
}

/* Time goes on until the list has been said once more; false: it never is.
 * c-ares goes by real time, so both kinds pass. */
static bool goes_on(void)
{
    uint64_t before = muster_testkit_resolver_get(kit)->n_reports;

    for (int i = 0; i < 50; i++) {
        (void)muster_testkit_resolver_poll(kit, WAIT_MS);
        muster_testkit_resolver_advance(kit, 200);
        if (muster_testkit_resolver_get(kit)->n_reports > before) {
            return true;
        }
    }
    return false;
}

/* The first calls of the host are the watch, the server's timer and the
 * target's; those after the start are posts and timers. */
Test(dns_shortage, goes_on_after_the_first_calls_fail)
{
    for (uint64_t n = 1; n <= 3; n++) {
        create(dns_server_address(server));
        muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, n);
        muster_testkit_resolver_start(kit);
        if (muster_testkit_resolver_get(kit)->n_failures > 0) {
            muster_testkit_resolver_refresh(kit); /* as the core does */
        }
        cr_expect(goes_on(), "%d calls failed", (int)n);
        muster_testkit_resolver_destroy(kit);
        kit = NULL;
    }
}

Test(dns_shortage, a_timer_that_finds_no_memory_is_a_failure)
{
    create(dns_server_address(server));
    muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, 3);
    muster_testkit_resolver_start(kit);
    cr_assert_eq(muster_testkit_resolver_get(kit)->failure, MUSTER_NOMEM,
                 "the core must know that it has to ask");
    muster_testkit_resolver_refresh(kit);
    cr_assert(goes_on());
    cr_assert(goes_on(), "refreshing goes on, too");
}

/* The socket cannot be opened, and what c-ares says of that cannot be posted:
 * nothing at the server goes on by itself. */
Test(dns_shortage, a_post_that_finds_no_memory_is_made_up_for)
{
    create("255.255.255.255"); /* no socket may connect to it */
    muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, 1);
    muster_testkit_resolver_start(kit);
    muster_testkit_resolver_advance(kit, 20000);
    cr_assert_eq(muster_testkit_resolver_get(kit)->failure, MUSTER_REFUSED,
                 "%s", muster_testkit_resolver_get(kit)->failure_message);
}
