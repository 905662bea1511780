/* SPDX-License-Identifier: Apache-2.0 */
/* The static resolver, on the testkit's host. */
#include <criterion/criterion.h>

#include <muster/testkit.h>

#include <stdlib.h>
#include <string.h>

const muster_plugin *muster_builtin_static(void);

static muster_testkit_resolver *kit;
static const muster_testkit_resolver_seen *seen;

static muster_status make(const char *path, const char *authority,
                          muster_error *err)
{
    muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_static(),
        .path = path,
        .authority = authority,
    };

    return muster_testkit_resolver_create(&options, &kit, err);
}

static void start(const char *path)
{
    muster_error err;

    cr_assert_eq(make(path, NULL, &err), MUSTER_OK, "%s", err.message);
    muster_testkit_resolver_start(kit);
    seen = muster_testkit_resolver_get(kit);
}

static void expect_refusal(const char *path, const char *said)
{
    muster_error err = {0};

    cr_assert_eq(make(path, NULL, &err), MUSTER_INVAL, "%s was taken", path);
    cr_assert_not_null(strstr(err.message, said), "%s: %s", path, err.message);
}

static void destroy(void)
{
    muster_testkit_resolver_destroy(kit);
}

TestSuite(static_resolver, .fini = destroy);

Test(static_resolver, reports_every_address)
{
    start("10.0.0.1:50051,[::1]:50051,[fe80::1%eth0]:1,unix:/run/x,"
          "unix-abstract:x");
    cr_assert_eq(seen->n_reports, 1);
    cr_assert_eq(seen->n_endpoints, 5);
    cr_assert_str_eq(seen->endpoints[0].address, "10.0.0.1:50051");
    cr_assert_str_eq(seen->endpoints[2].address, "[fe80::1%eth0]:1");
    cr_assert_str_eq(seen->endpoints[4].address, "unix-abstract:x");
    cr_assert_null(seen->service_config);
}

Test(static_resolver, reads_every_part)
{
    start("10.0.0.1:1;weight=3;priority=2;zone=a;hostname=web.test,10.0.0.2:1");
    cr_assert_eq(seen->endpoints[0].weight, 3);
    cr_assert_eq(seen->endpoints[0].priority, 2);
    cr_assert_str_eq(seen->endpoints[0].zone, "a");
    cr_assert_str_eq(seen->endpoints[0].hostname, "web.test");
    cr_assert_null(seen->endpoints[1].zone);
}

Test(static_resolver, reports_again_on_refresh)
{
    start("10.0.0.1:1");
    muster_testkit_resolver_refresh(kit);
    seen = muster_testkit_resolver_get(kit);
    cr_assert_eq(seen->n_reports, 2);
    cr_assert_eq(seen->n_endpoints, 1);
}

Test(static_resolver, says_that_a_report_failed_and_recovers)
{
    muster_error err;

    cr_assert_eq(make("10.0.0.1:1", NULL, &err), MUSTER_OK);
    muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, 1);
    muster_testkit_resolver_start(kit);
    cr_assert_eq(muster_testkit_resolver_get(kit)->failure, MUSTER_NOMEM);
    muster_testkit_resolver_refresh(kit);
    cr_assert_eq(muster_testkit_resolver_get(kit)->n_endpoints, 1);
}

Test(static_resolver, refuses_an_empty_list)
{
    expect_refusal("", "names no address");
}

Test(static_resolver, tells_two_slashes_from_three)
{
    muster_error err = {0};

    cr_assert_eq(make("", "10.0.0.1:50051", &err), MUSTER_INVAL);
    cr_assert_not_null(strstr(err.message, "three slashes"), "%s", err.message);
}

Test(static_resolver, names_the_entry_that_is_wrong)
{
    expect_refusal("10.0.0.1:1,", "entry 2 is empty");
    expect_refusal("10.0.0.1:1,,10.0.0.2:1", "entry 2 is empty");
    expect_refusal("10.0.0.1:1,10.0.0.2", "entry 2: address \"10.0.0.2\"");
    expect_refusal("web:1", "\"web\" is a host name");
    expect_refusal(";weight=1", "is no host");
}

Test(static_resolver, names_the_part_that_is_wrong)
{
    expect_refusal("10.0.0.1:1;weight=0",
                   "weight \"0\" is not a number from 1");
    expect_refusal("10.0.0.1:1;weight=x", "weight \"x\"");
    expect_refusal("10.0.0.1:1;weight=", "weight \"\"");
    expect_refusal("10.0.0.1:1;weight=4294967296", "to 4294967295");
    expect_refusal("10.0.0.1:1;weight=-1", "weight \"-1\"");
    expect_refusal("10.0.0.1:1;priority=99999999999999999999", "priority");
    expect_refusal("10.0.0.1:1;zone=", "zone \"\" is not a name");
    expect_refusal("10.0.0.1:1;hostname=a b", "hostname \"a b\"");
    expect_refusal("10.0.0.1:1;wieght=1",
                   "unknown part \"wieght=1\"; accepted");
    expect_refusal("10.0.0.1:1;", "unknown part \"\"");
    expect_refusal("10.0.0.1:1;weight", "unknown part \"weight\"");
    expect_refusal("10.0.0.1:1;weight=1;weight=2", "weight is given twice");
    expect_refusal("10.0.0.1:1;zone=a;zone=a", "zone is given twice");
}

Test(static_resolver, takes_thousands_of_addresses)
{
    enum { N = 5000, SIZE = 24 };
    char *path = malloc((size_t)N * SIZE);
    size_t at = 0;

    for (int i = 0; i < N; i++) {
        at += (size_t)snprintf(path + at, SIZE, "%s10.0.%d.%d:50051",
                               i == 0 ? "" : ",", i / 256, i % 256);
    }
    start(path);
    cr_assert_eq(seen->n_endpoints, N);
    free(path);
}
