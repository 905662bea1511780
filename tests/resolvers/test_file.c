/* SPDX-License-Identifier: Apache-2.0 */
/* The file resolver: what it reads, and what it refuses. */
#include "file_fixture.h"

TestSuite(file_resolver, .init = make_folder, .fini = remove_folder);

static void expect_failure(const char *text, const char *said)
{
    start_with(text);
    cr_assert_eq(seen()->n_reports, 0);
    cr_assert_eq(seen()->n_failures, 1);
    cr_assert_eq(seen()->failure, MUSTER_PROTOCOL);
    cr_assert_not_null(strstr(seen()->failure_message, said), "%s",
                       seen()->failure_message);
    cr_assert_not_null(strstr(seen()->failure_message, path), "%s",
                       seen()->failure_message);
    muster_testkit_resolver_destroy(kit);
    kit = NULL;
}

/* ---- lines ---- */

Test(file_resolver, reads_lines)
{
    start_with("# the web servers\n"
               "\n"
               "10.0.0.1:1\n"
               "  10.0.0.2:1;weight=3;zone=b \t\r\n"
               "[::1]:1;hostname=web.test # in the other room\n"
               "unix:/run/x#y\n"
               "10.0.0.3:1");
    cr_assert_eq(seen()->n_reports, 1);
    cr_assert_eq(seen()->n_endpoints, 5);
    cr_assert_str_eq(seen()->endpoints[1].address, "10.0.0.2:1");
    cr_assert_eq(seen()->endpoints[1].weight, 3);
    cr_assert_str_eq(seen()->endpoints[1].zone, "b");
    cr_assert_str_eq(seen()->endpoints[2].hostname, "web.test");
    cr_assert_str_eq(seen()->endpoints[3].address, "unix:/run/x#y");
    cr_assert_str_eq(seen()->endpoints[4].address, "10.0.0.3:1");
}

Test(file_resolver, reads_over_a_byte_order_mark)
{
    start_with("\xef\xbb\xbf"
               "10.0.0.1:1\n");
    cr_assert_eq(seen()->n_endpoints, 1);
}

Test(file_resolver, says_where_a_line_is_wrong)
{
    expect_failure("10.0.0.1:1\nweb:1\n",
                   "line 2, column 1: address \"web:1\"");
    expect_failure("10.0.0.1:1\n  10.0.0.2:1;weight=x\n",
                   "line 2, column 14: weight \"x\" is not a number from 1");
    expect_failure("10.0.0.1:1\n10.0.0.2:\xff\n",
                   "line 2, column 10: byte 0xff is not UTF-8");
}

Test(file_resolver, refuses_nul_bytes)
{
    write_bytes(path, "10.0.0.1:1\n\0", 12);
    start();
    cr_assert_eq(seen()->failure, MUSTER_PROTOCOL);
    cr_assert_not_null(
        strstr(seen()->failure_message, "line 2, column 1: byte 0x00"));
}

Test(file_resolver, takes_a_file_without_endpoints_for_unfinished)
{
    expect_failure("", "no endpoint in it");
    expect_failure("# nothing yet\n\n", "an empty list is written []");
}

/* ---- JSON ---- */

Test(file_resolver, reads_json)
{
    start_with("{\"endpoints\": ["
               "{\"address\": \"10.0.0.1:1\", \"weight\": 2, \"priority\": 1,"
               " \"zone\": \"a\", \"hostname\": \"h\","
               " \"attributes\": {\"k\": \"v\"}},"
               "{\"addresses\": [\"10.0.0.2:1\", \"[::1]:1\"]},"
               "{\"address\": \"10.0.0.3:1\", \"addresses\": [\"[::2]:1\"]},"
               "\"10.0.0.4:1\"],"
               "\"service_config\": {\"b\": 1, \"a\": []}}");
    cr_assert_eq(seen()->n_reports, 1, "%s", seen()->failure_message);
    cr_assert_eq(seen()->n_endpoints, 4);
    cr_assert_eq(seen()->endpoints[0].weight, 2);
    cr_assert_eq(seen()->endpoints[0].priority, 1);
    cr_assert_str_eq(seen()->endpoints[0].zone, "a");
    cr_assert_str_eq(seen()->endpoints[0].hostname, "h");
    cr_assert_eq(seen()->endpoints[0].n_attributes, 1);
    cr_assert_str_eq(seen()->endpoints[0].attributes[0].value, "v");
    cr_assert_str_eq(seen()->endpoints[1].address, "10.0.0.2:1");
    cr_assert_eq(seen()->endpoints[1].n_more_addresses, 1);
    cr_assert_str_eq(seen()->endpoints[1].more_addresses[0], "[::1]:1");
    cr_assert_eq(seen()->endpoints[2].n_more_addresses, 1);
    cr_assert_str_eq(seen()->endpoints[3].address, "10.0.0.4:1");
    cr_assert_str_eq(seen()->service_config, "{\"a\":[],\"b\":1}");
}

Test(file_resolver, reads_a_bare_array)
{
    start_with(" [\"10.0.0.1:1\", {\"address\": \"10.0.0.2:1\"}]");
    cr_assert_eq(seen()->n_endpoints, 2);
}

Test(file_resolver, takes_an_empty_array_at_its_word)
{
    start_with("[]");
    cr_assert_eq(seen()->n_reports, 1);
    cr_assert_eq(seen()->n_endpoints, 0);
    cr_assert(seen()->flags & MUSTER_UPDATE_EMPTY_IS_FINAL);
}

Test(file_resolver, says_where_json_is_wrong)
{
    expect_failure("{\"endpoints\": [\n \"10.0.0.1:1\",\n", "line 3, column");
    expect_failure("[\"\xff\"]", "line 1, column");
    expect_failure("[\"10.0.0.1:1\"] x", "line 1, column");
    expect_failure("{}", "endpoints: expected an array, got nothing");
    expect_failure("{\"endpoints\": 1}", "expected an array, got a number");
    expect_failure("{\"endpoints\": [], \"x\": 1}", "unknown key \"x\"");
    expect_failure("{\"endpoints\": [], \"service_config\": 1}",
                   "service_config: expected an object, got a number");
    expect_failure("[1]",
                   "[0]: expected an object or an address, got a number");
    expect_failure("[{}]", "[0]: neither address nor addresses");
    expect_failure("{\"endpoints\": [\"web:1\"]}",
                   "endpoints[0]: address \"web:1\"");
    expect_failure("[{\"address\": 1}]", "[0].address: expected a string");
    expect_failure("[{\"addresses\": []}]", "[0].addresses: expected an array");
    expect_failure("[{\"address\": \"10.0.0.1:1\", \"weight\": \"2\"}]",
                   "[0].weight: expected a whole number, got a string");
    expect_failure("[{\"address\": \"10.0.0.1:1\", \"weight\": -1}]",
                   "from 0 to 4294967295, got -1");
    expect_failure("[{\"address\": \"10.0.0.1:1\", \"zone\": 1}]",
                   "[0].zone: expected a name");
    expect_failure("[{\"address\": \"10.0.0.1:1\", \"hostname\": \"a b\"}]",
                   "[0].hostname: expected a string of 1 to 255");
    expect_failure(
        "[{\"address\": \"10.0.0.1:1\", \"attributes\": {\"a\": 1}}]",
        "[0].attributes: expected an object of strings");
    expect_failure("[{\"address\": \"10.0.0.1:1\", \"wieght\": 1}]",
                   "[0]: unknown key \"wieght\"; expected address");
    expect_failure("[{\"address\": \"10.0.0.1:1\", \"address\": \"x\"}]",
                   "line 1, column");
}

/* ---- things that are no list ---- */

Test(file_resolver, refuses_a_folder)
{
    muster_error err;

    cr_assert_eq(make(folder, NULL, &err), MUSTER_OK);
    muster_testkit_resolver_start(kit);
    cr_assert_eq(seen()->failure, MUSTER_UNAVAILABLE);
    cr_assert_not_null(strstr(seen()->failure_message,
                              "a directory; expected a regular file"));
}

Test(file_resolver, does_not_hang_on_a_pipe)
{
    cr_assert_eq(mkfifo(path, 0644), 0);
    start();
    cr_assert_not_null(strstr(seen()->failure_message, "not a regular file"));
}

Test(file_resolver, refuses_a_huge_file)
{
    write_text(path, "");
    cr_assert_eq(truncate(path, (64 << 20) + 1), 0);
    start();
    cr_assert_eq(seen()->failure, MUSTER_EXHAUSTED);
    cr_assert_not_null(strstr(seen()->failure_message, "larger than 64 MiB"));
}

Test(file_resolver, says_once_that_it_may_not_read)
{
    write_text(path, "10.0.0.1:1\n");
    cr_assert_eq(chmod(path, 0), 0);
    if (access(path, R_OK) == 0) {
        cr_skip("this user may read everything");
    }
    start();
    cr_assert_eq(seen()->failure, MUSTER_PERMISSION);
    muster_testkit_resolver_advance(kit, 4 * INTERVAL_MS);
    cr_assert_eq(seen()->n_failures, 1);
}

Test(file_resolver, checks_its_target)
{
    muster_error err;
    muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_file(),
        .path = "/x",
        .authority = "etc",
    };

    cr_assert_eq(make("list", NULL, &err), MUSTER_INVAL);
    cr_assert_not_null(strstr(err.message, "not the absolute path"));
    cr_assert_eq(make("/", NULL, &err), MUSTER_INVAL);
    cr_assert_eq(make("/x", "0s", &err), MUSTER_INVAL);
    cr_assert_not_null(strstr(err.message, "option interval: \"0s\""));
    cr_assert_eq(make("/x", "99ms", &err), MUSTER_INVAL);
    cr_assert_eq(make("/x", "often", &err), MUSTER_INVAL);
    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_INVAL);
    cr_assert_not_null(strstr(err.message, "three slashes"));
}
