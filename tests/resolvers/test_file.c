/* SPDX-License-Identifier: Apache-2.0 */
/* The file resolver, on the testkit's host and real files. */
#include <criterion/criterion.h>

#include <muster/testkit.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const muster_plugin *muster_builtin_file(void);

enum { WAIT_MS = 5000, INTERVAL_MS = 5000, PATH_SIZE = 512 };

static muster_testkit_resolver *kit;
static char folder[PATH_SIZE / 2];
static char path[PATH_SIZE];

/* ---- files ---- */

static const char *in_folder(const char *name)
{
    static char buffers[4][PATH_SIZE];
    static unsigned next;
    char *buffer = buffers[next++ % 4];

    snprintf(buffer, PATH_SIZE, "%s/%s", folder, name);
    return buffer;
}

static void write_bytes(const char *to, const char *text, size_t length)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    cr_assert_geq(fd, 0, "%s: %s", to, strerror(errno));
    cr_assert_eq(write(fd, text, length), (ssize_t)length);
    close(fd);
}

static void write_text(const char *to, const char *text)
{
    write_bytes(to, text, strlen(text));
}

/* As careful writers do it. */
static void replace_text(const char *to, const char *text)
{
    write_text(in_folder("new"), text);
    cr_assert_eq(rename(in_folder("new"), to), 0);
}

static void make_folder(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%s/muster-file-XXXXXX",
             base != NULL ? base : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/list", folder);
}

static int remove_one(const char *name, const struct stat *info, int type,
                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(name);
}

static void remove_folder(void)
{
    muster_testkit_resolver_destroy(kit);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(file_resolver, .init = make_folder, .fini = remove_folder);

/* ---- the resolver ---- */

static muster_status make(const char *of, const char *interval,
                          muster_error *err)
{
    muster_attribute option = {"interval", interval};
    muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_file(),
        .path = of,
        .options = &option,
        .n_options = interval != NULL,
    };

    return muster_testkit_resolver_create(&options, &kit, err);
}

static const muster_testkit_resolver_seen *seen(void)
{
    return muster_testkit_resolver_get(kit);
}

static void start(void)
{
    muster_error err;

    cr_assert_eq(make(path, NULL, &err), MUSTER_OK, "%s", err.message);
    muster_testkit_resolver_start(kit);
}

static void start_with(const char *text)
{
    write_text(path, text);
    start();
}

static uint64_t n_said(void)
{
    return seen()->n_reports + seen()->n_failures;
}

/* Waits until something new is said. A look that waits for the file to settle
 * does so in virtual time. */
static void await_more(uint64_t before)
{
    for (int i = 0; n_said() == before && i < 50; i++) {
        (void)muster_testkit_resolver_await(kit, before + 1, WAIT_MS / 50);
        if (n_said() == before) {
            (void)muster_testkit_resolver_advance(kit, 100);
        }
    }
    cr_assert_gt(n_said(), before, "nothing was said");
}

static void await_address(const char *address)
{
    for (int i = 0; i < 20; i++) {
        if (seen()->n_endpoints == 1 &&
            strcmp(seen()->endpoints[0].address, address) == 0) {
            return;
        }
        await_more(n_said());
    }
    cr_assert_fail("%s did not come", address);
}

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

/* ---- changes ---- */

Test(file_resolver, sees_a_file_that_is_renamed_into_place)
{
    start_with("10.0.0.1:1\n");
    replace_text(path, "10.0.0.2:1\n");
    await_address("10.0.0.2:1");
}

Test(file_resolver, sees_a_file_that_is_written_in_place)
{
    start_with("10.0.0.1:1\n");
    write_text(path, "10.0.0.2:1\n");
    await_address("10.0.0.2:1");
}

Test(file_resolver, sees_two_writes_within_one_clock_tick)
{
    start_with("10.0.0.1:1\n");
    for (int i = 2; i < 9; i++) {
        char text[32];

        snprintf(text, sizeof text, "10.0.0.%d:1\n", i);
        write_text(path, text);
        text[strlen(text) - 1] = '\0';
        await_address(text);
    }
}

Test(file_resolver, sees_a_swapped_symbolic_link)
{
    write_text(in_folder("one"), "10.0.0.1:1\n");
    write_text(in_folder("two"), "10.0.0.2:1\n");
    cr_assert_eq(symlink("one", path), 0);
    start();
    cr_assert_str_eq(seen()->endpoints[0].address, "10.0.0.1:1");
    cr_assert_eq(symlink("two", in_folder("link")), 0);
    cr_assert_eq(rename(in_folder("link"), path), 0);
    await_address("10.0.0.2:1");
}

Test(file_resolver, sees_kubernetes_swap_its_data)
{
    cr_assert_eq(mkdir(in_folder("..1"), 0755), 0);
    cr_assert_eq(mkdir(in_folder("..2"), 0755), 0);
    write_text(in_folder("..1/list"), "10.0.0.1:1\n");
    write_text(in_folder("..2/list"), "10.0.0.2:1\n");
    cr_assert_eq(symlink("..1", in_folder("..data")), 0);
    cr_assert_eq(symlink("..data/list", path), 0);
    start();
    cr_assert_str_eq(seen()->endpoints[0].address, "10.0.0.1:1");
    cr_assert_eq(symlink("..2", in_folder("..data_tmp")), 0);
    cr_assert_eq(rename(in_folder("..data_tmp"), in_folder("..data")), 0);
    await_address("10.0.0.2:1");
}

Test(file_resolver, keeps_the_last_good_list_and_recovers)
{
    start_with("10.0.0.1:1\n");
    replace_text(path, "[\"10.0.0.2:1\"");
    await_more(1);
    cr_assert_eq(seen()->failure, MUSTER_PROTOCOL);
    cr_assert_str_eq(seen()->endpoints[0].address, "10.0.0.1:1");
    replace_text(path, "[\"10.0.0.2:1\"]");
    await_address("10.0.0.2:1");
}

Test(file_resolver, waits_for_a_file_that_is_not_there_yet)
{
    start();
    cr_assert_eq(seen()->failure, MUSTER_UNAVAILABLE);
    cr_assert_not_null(strstr(seen()->failure_message, "No such file"));
    write_text(path, "10.0.0.1:1\n");
    await_address("10.0.0.1:1");
}

Test(file_resolver, waits_for_a_folder_that_is_not_there_yet)
{
    muster_error err;

    cr_assert_eq(make(in_folder("later/list"), NULL, &err), MUSTER_OK);
    muster_testkit_resolver_start(kit);
    cr_assert_eq(seen()->n_failures, 1);
    cr_assert_eq(seen()->n_logs, 0);
    cr_assert_eq(mkdir(in_folder("later"), 0755), 0);
    write_text(in_folder("later/list"), "10.0.0.1:1\n");
    muster_testkit_resolver_advance(kit, INTERVAL_MS + 1000);
    cr_assert_eq(seen()->n_endpoints, 1);
    replace_text(in_folder("later/list"), "10.0.0.2:1\n");
    await_address("10.0.0.2:1");
}

Test(file_resolver, follows_a_folder_that_is_replaced)
{
    muster_error err;

    cr_assert_eq(mkdir(in_folder("a"), 0755), 0);
    write_text(in_folder("a/list"), "10.0.0.1:1\n");
    cr_assert_eq(make(in_folder("a/list"), NULL, &err), MUSTER_OK);
    muster_testkit_resolver_start(kit);
    cr_assert_eq(rename(in_folder("a"), in_folder("b")), 0);
    cr_assert_eq(mkdir(in_folder("a"), 0755), 0);
    write_text(in_folder("a/list"), "10.0.0.2:1\n");
    muster_testkit_resolver_advance(kit, 2 * INTERVAL_MS);
    await_address("10.0.0.2:1");
    write_text(in_folder("a/list"), "10.0.0.3:1\n");
    await_address("10.0.0.3:1");
}

Test(file_resolver, says_once_that_the_file_went_away)
{
    start_with("10.0.0.1:1\n");
    cr_assert_eq(unlink(path), 0);
    muster_testkit_resolver_advance(kit, 4 * INTERVAL_MS);
    cr_assert_eq(seen()->n_failures, 1);
    cr_assert_eq(seen()->n_endpoints, 1, "the last good list stays");
}

Test(file_resolver, says_nothing_while_nothing_changes)
{
    start_with("10.0.0.1:1\n");
    muster_testkit_resolver_advance(kit, 10 * INTERVAL_MS);
    muster_testkit_resolver_refresh(kit);
    cr_assert_eq(n_said(), 1);
    cr_assert_eq(utimensat(AT_FDCWD, path, NULL, 0), 0);
    write_text(in_folder("another"), "x");
    muster_testkit_resolver_advance(kit, 10 * INTERVAL_MS);
    cr_assert_eq(n_said(), 1);
}

Test(file_resolver, tries_again_when_asked_after_a_failure)
{
    start();
    cr_assert_eq(seen()->n_failures, 1);
    muster_testkit_resolver_refresh(kit);
    cr_assert_eq(seen()->n_failures, 2);
}

Test(file_resolver, works_by_looking_again_without_inotify)
{
    muster_error err;

    write_text(path, "10.0.0.1:1\n");
    cr_assert_eq(make(path, "1s", &err), MUSTER_OK);
    muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, 1);
    muster_testkit_resolver_start(kit);
    cr_assert_eq(seen()->n_logs, 1);
    cr_assert_not_null(strstr(seen()->log_message, "inotify"));
    cr_assert_eq(seen()->n_watches, 0);
    cr_assert_eq(seen()->n_endpoints, 1);
    muster_testkit_resolver_break_host(kit, MUSTER_OK, 0);
    replace_text(path, "10.0.0.2:1\n");
    muster_testkit_resolver_advance(kit, 1200);
    await_address("10.0.0.2:1");
}

Test(file_resolver, recovers_when_nothing_can_be_reported)
{
    muster_error err;

    write_text(path, "10.0.0.1:1\n");
    cr_assert_eq(make(path, NULL, &err), MUSTER_OK);
    muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, UINT64_MAX);
    muster_testkit_resolver_start(kit);
    cr_assert_eq(seen()->failure, MUSTER_NOMEM);
    muster_testkit_resolver_break_host(kit, MUSTER_OK, 0);
    muster_testkit_resolver_refresh(kit);
    cr_assert_eq(seen()->n_endpoints, 1);
    cr_assert_eq(seen()->n_timers, 1, "the ticker runs again");
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
