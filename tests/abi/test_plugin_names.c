/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin host's resolve(): a plugin asks, another one serves names. */
#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "asker.h"
#include "loop.h"
#include "plugin_files.h"
#include "timing.h"
#include "world.h"

enum { MAX_ADDRESSES = 4 };

/* ---- the plugin that asks ---- */

typedef struct question {
    const char *name;
    muster_status asked; /* what resolve() answered */
    sem_t is_answered;
    unsigned n_answers;
    muster_status status;
    size_t n_addresses;
    char addresses[MAX_ADDRESSES][64];
} question;

static question *in_init; /* asked there, and init then fails */
static question *in_fini;
static world_watch *asker;

static void on_answer(void *arg, muster_status status,
                      const char *const *addresses, size_t n)
{
    question *what = arg;

    cr_expect(muster__loop_is_current());
    what->n_answers++;
    what->status = status;
    what->n_addresses = n;
    for (size_t i = 0; i < n && i < MAX_ADDRESSES; i++) {
        (void)snprintf(what->addresses[i], sizeof what->addresses[i], "%s",
                       addresses[i]);
    }
    (void)sem_post(&what->is_answered);
}

static void ask_on_control(void *arg)
{
    question *what = arg;
    char name[64];

    (void)snprintf(name, sizeof name, "%s", what->name);
    what->asked = asker_host->resolve(asker_ctx, name, on_answer, what);
    memset(name, 'x', sizeof name); /* it was copied */
    cr_expect_eq(what->n_answers, 0, "answered inside the call");
}

static muster_status fail_init(muster_error *err)
{
    ask_on_control(in_init);
    return muster_error_set(err, MUSTER_UNAVAILABLE, "as the test wants");
}

static void ask_in_fini(void)
{
    ask_on_control(in_fini);
}

/* ---- its world ---- */

static void set_up(void)
{
    world_open();
    muster__timing_scale_for_test(1); /* nothing hangs here */
    cr_assert_eq(
        setenv("MUSTER_PLUGIN_PATH", path_in(built_plugin(""), "names"), 1), 0);
    cr_assert_eq(muster_plugin_register(asker_entry, NULL), MUSTER_OK);
}

static void tear_down(void)
{
    world_close();
    cr_expect_eq(world_count_lines("not destroyed before the end"), 0);
    cr_expect_eq(world_count_lines("ended in use"), 0);
}

TestSuite(plugin_names, .init = set_up, .fini = tear_down, .timeout = 30);

static void open_asker(void)
{
    cr_assert_eq(world_watch_create("asker:///x", &asker), MUSTER_OK);
}

static void close_asker(void)
{
    world_watch_destroy(asker);
}

static void ask(question *what)
{
    cr_assert_eq(sem_init(&what->is_answered, 0, 0), 0);
    cr_assert_eq(muster__loop_call(ask_on_control, what, MUSTER_FOREVER),
                 MUSTER_OK);
}

static question answer_to(const char *name)
{
    question what = {.name = name};

    ask(&what);
    cr_assert_eq(what.asked, MUSTER_OK);
    while (sem_wait(&what.is_answered) != 0) {
    }
    cr_expect_eq(what.n_answers, 1);
    return what;
}

static void expect_failure(const char *name, muster_status status)
{
    question what = answer_to(name);

    cr_expect_eq(what.status, status, "%s: %s", name,
                 muster_status_name(what.status));
    cr_expect_eq(what.n_addresses, 0);
}

static void expect_address(const char *name, const char *address)
{
    question what = answer_to(name);

    cr_expect_eq(what.status, MUSTER_OK, "%s: %s", name,
                 muster_status_name(what.status));
    cr_assert_eq(what.n_addresses, 1);
    cr_expect_str_eq(what.addresses[0], address);
}

/* ---- answers ---- */

Test(plugin_names, are_all_the_addresses_of_all_the_endpoints)
{
    question what;

    open_asker();
    what = answer_to("many.test");
    cr_expect_eq(what.status, MUSTER_OK);
    cr_assert_eq(what.n_addresses, 3);
    cr_expect_str_eq(what.addresses[0], "10.0.0.1");
    cr_expect_str_eq(what.addresses[1], "2001:db8::1");
    cr_expect_str_eq(what.addresses[2], "fe80::1%lo");
    close_asker();
}

Test(plugin_names, are_served_by_a_plugin_that_a_worker_loads)
{
    open_asker();
    cr_expect_eq(world_count_lines("loaded by"), 0);
    expect_address("one.test", "10.0.0.1");
    cr_expect_eq(world_count_lines("loaded by muster-work"), 1);
    close_asker();
}

Test(plugin_names, share_the_resolver_of_the_target)
{
    world_watch *other = NULL;

    open_asker();
    cr_assert_eq(world_watch_create("dns:///one.test", &other), MUSTER_OK);
    world_await_list(other, 1);
    expect_address("one.test", "10.0.0.1");
    expect_address("one.test", "10.0.0.1");
    cr_expect_eq(world_count_lines("started one.test"), 1);
    world_watch_destroy(other);
    close_asker();
}

Test(plugin_names, reach_the_resolver_as_they_are)
{
    open_asker();
    expect_address("/odd name?%#", "10.0.0.9");
    close_asker();
}

Test(plugin_names, may_be_asked_for_by_the_plugin_that_serves_them)
{
    open_asker();
    expect_address("asking.test", "10.0.0.1");
    close_asker();
}

Test(plugin_names, that_are_numeric_need_no_plugin)
{
    cr_assert_eq(unsetenv("MUSTER_PLUGIN_PATH"), 0);
    open_asker();
    expect_address("10.0.0.1", "10.0.0.1");
    expect_address("2001:db8::1", "2001:db8::1");
    expect_address("[::1]", "::1");
    expect_address("fe80::1%lo", "fe80::1%lo");
    close_asker();
}

/* ---- failures ---- */

Test(plugin_names, are_unsupported_when_no_plugin_serves_them)
{
    cr_assert_eq(unsetenv("MUSTER_PLUGIN_PATH"), 0);
    open_asker();
    expect_failure("one.test", MUSTER_UNSUPPORTED);
    expect_failure("10.0.0.1.", MUSTER_UNSUPPORTED);
    expect_failure("[10.0.0.1]", MUSTER_UNSUPPORTED);
    expect_failure("fe80::1%", MUSTER_UNSUPPORTED);
    close_asker();
}

Test(plugin_names, fail_as_their_resolver_does)
{
    open_asker();
    expect_failure("failing.test", MUSTER_PROTOCOL);
    expect_failure("refused.test", MUSTER_PERMISSION);
    expect_failure("control\ncharacter.test", MUSTER_INVAL);
    close_asker();
}

Test(plugin_names, without_an_address_are_not_found)
{
    open_asker();
    expect_failure("empty.test", MUSTER_NOTFOUND);
    expect_failure("local.test", MUSTER_NOTFOUND);
    close_asker();
}

Test(plugin_names, have_30_seconds)
{
    muster__timing_scale_waits_for_test(30);
    open_asker();
    expect_failure("silent.test", MUSTER_TIMEOUT);
    muster__timing_scale_waits_for_test(1);
    expect_address("one.test", "10.0.0.1");
    close_asker();
}

static void ask_badly(void *arg)
{
    question *what = arg;

    cr_expect_eq(asker_host->resolve(asker_ctx, NULL, on_answer, what),
                 MUSTER_INVAL);
    cr_expect_eq(asker_host->resolve(asker_ctx, "", on_answer, what),
                 MUSTER_INVAL);
    cr_expect_eq(asker_host->resolve(asker_ctx, "x", NULL, what), MUSTER_INVAL);
}

Test(plugin_names, are_none_when_there_is_nothing_to_ask)
{
    question what = {.name = "x"};

    open_asker();
    cr_assert_eq(muster__loop_call(ask_badly, &what, MUSTER_FOREVER),
                 MUSTER_OK);
    cr_expect_eq(asker_host->resolve(asker_ctx, "x", on_answer, &what),
                 MUSTER_UNSUPPORTED, "on another thread");
    cr_expect_eq(what.n_answers, 0);
    close_asker();
}

/* ---- the end ---- */

Test(plugin_names, do_not_keep_muster_from_ending)
{
    question what = {.name = "silent.test"};

    open_asker();
    ask(&what);
    world_await_line("started silent.test");
    close_asker();
    cr_expect_eq(muster_shutdown(), MUSTER_OK);
    cr_expect_eq(what.n_answers, 0);
    cr_expect_eq(world_count_lines("ended empty"), 1);
}

Test(plugin_names, end_while_a_worker_loads_their_plugin)
{
    question what = {.name = "one.test"};

    open_asker();
    ask(&what);
    close_asker();
    cr_expect_eq(muster_shutdown(), MUSTER_OK);
    cr_expect_leq(what.n_answers, 1);
}

Test(plugin_names, are_asked_for_no_more_at_the_end)
{
    question last = {.name = "one.test"};

    open_asker();
    in_fini = &last;
    asker_on_fini = ask_in_fini;
    close_asker();
    cr_expect_eq(muster_shutdown(), MUSTER_OK);
    cr_expect_eq(last.asked, MUSTER_CLOSED);
    cr_expect_eq(last.n_answers, 0);
    /* And again when muster is. */
    asker_on_fini = NULL;
    open_asker();
    expect_address("one.test", "10.0.0.1");
    close_asker();
}

Test(plugin_names, are_forgotten_when_init_fails)
{
    question what = {.name = "one.test"};
    world_watch *other = NULL;

    cr_assert_eq(sem_init(&what.is_answered, 0, 0), 0);
    in_init = &what;
    asker_on_init = fail_init;
    cr_expect_eq(world_watch_create("asker:///x", &asker), MUSTER_UNAVAILABLE);
    cr_expect_eq(what.asked, MUSTER_OK);
    /* Behind whatever would have answered. */
    cr_assert_eq(world_watch_create("dns:///one.test", &other), MUSTER_OK);
    world_await_list(other, 1);
    cr_expect_eq(what.n_answers, 0);
    world_watch_destroy(other);
}
