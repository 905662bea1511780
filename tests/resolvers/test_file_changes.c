/* SPDX-License-Identifier: Apache-2.0 */
/* The file resolver: how it sees that its file has changed. */
#include "file_fixture.h"

TestSuite(file_changes, .init = make_folder, .fini = remove_folder);

/* As careful writers do it. */
static void replace_text(const char *to, const char *text)
{
    write_text(in_folder("new"), text);
    cr_assert_eq(rename(in_folder("new"), to), 0);
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

Test(file_changes, sees_a_file_that_is_renamed_into_place)
{
    start_with("10.0.0.1:1\n");
    replace_text(path, "10.0.0.2:1\n");
    await_address("10.0.0.2:1");
}

Test(file_changes, sees_a_file_that_is_written_in_place)
{
    start_with("10.0.0.1:1\n");
    write_text(path, "10.0.0.2:1\n");
    await_address("10.0.0.2:1");
}

/* Whatever else happens in the folder, and whoever asks. */
Test(file_changes, does_not_read_half_of_what_is_being_written)
{
    int fd;

    start_with("10.0.0.1:1\n");
    fd = open(path, O_WRONLY | O_TRUNC);
    cr_assert_eq(write(fd, "10.0.0.2:1\n", 11), 11);
    muster_testkit_resolver_refresh(kit);
    cr_assert_eq(n_said(), 1);
    replace_text(in_folder("another"), "x");
    (void)muster_testkit_resolver_await(kit, 2, WAIT_MS / 50);
    cr_assert_eq(n_said(), 1);
    cr_assert_eq(write(fd, "10.0.0.3:1\n", 11), 11);
    (void)close(fd);
    await_more(1);
    cr_assert_eq(seen()->n_endpoints, 2);
}

Test(file_changes, sees_two_writes_within_one_clock_tick)
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

Test(file_changes, sees_a_swapped_symbolic_link)
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

Test(file_changes, sees_kubernetes_swap_its_data)
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

Test(file_changes, keeps_the_last_good_list_and_recovers)
{
    start_with("10.0.0.1:1\n");
    replace_text(path, "[\"10.0.0.2:1\"");
    await_more(1);
    cr_assert_eq(seen()->failure, MUSTER_PROTOCOL);
    cr_assert_str_eq(seen()->endpoints[0].address, "10.0.0.1:1");
    replace_text(path, "[\"10.0.0.2:1\"]");
    await_address("10.0.0.2:1");
}

Test(file_changes, waits_for_a_file_that_is_not_there_yet)
{
    start();
    cr_assert_eq(seen()->failure, MUSTER_UNAVAILABLE);
    cr_assert_not_null(strstr(seen()->failure_message, "No such file"));
    write_text(path, "10.0.0.1:1\n");
    await_address("10.0.0.1:1");
}

Test(file_changes, waits_for_a_folder_that_is_not_there_yet)
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

Test(file_changes, follows_a_folder_that_is_replaced)
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

Test(file_changes, says_once_that_the_file_went_away)
{
    start_with("10.0.0.1:1\n");
    cr_assert_eq(unlink(path), 0);
    muster_testkit_resolver_advance(kit, 4 * INTERVAL_MS);
    cr_assert_eq(seen()->n_failures, 1);
    cr_assert_eq(seen()->n_endpoints, 1, "the last good list stays");
}

Test(file_changes, says_nothing_while_nothing_changes)
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

Test(file_changes, tries_again_when_asked_after_a_failure)
{
    start();
    cr_assert_eq(seen()->n_failures, 1);
    muster_testkit_resolver_refresh(kit);
    cr_assert_eq(seen()->n_failures, 2);
}

Test(file_changes, says_again_a_list_that_was_not_applied)
{
    start_with("10.0.0.1:1\n");
    muster_testkit_resolver_applied(kit, seen()->sequence, MUSTER_NOMEM);
    muster_testkit_resolver_refresh(kit);
    cr_assert_eq(seen()->n_reports, 2);
    cr_assert_str_eq(seen()->endpoints[0].address, "10.0.0.1:1");
    muster_testkit_resolver_applied(kit, seen()->sequence - 1, MUSTER_NOMEM);
    muster_testkit_resolver_applied(kit, seen()->sequence, MUSTER_OK);
    muster_testkit_resolver_refresh(kit);
    cr_assert_eq(n_said(), 2);
}

Test(file_changes, asks_to_be_asked_again_when_no_timer_can_be_had)
{
    start_with("10.0.0.1:1\n");
    muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, UINT64_MAX);
    muster_testkit_resolver_advance(kit, INTERVAL_MS);
    muster_testkit_resolver_break_host(kit, MUSTER_OK, 0);
    cr_assert_eq(seen()->n_timers, 0);
    cr_assert_eq(seen()->n_failures, 1);
    cr_assert_eq(seen()->failure, MUSTER_NOMEM);
    muster_testkit_resolver_refresh(kit);
    cr_assert_eq(seen()->n_timers, 1);
    cr_assert_eq(seen()->n_reports, 2, "the list is confirmed");
}

Test(file_changes, works_by_looking_again_without_inotify)
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

Test(file_changes, recovers_when_nothing_can_be_reported)
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
