/* SPDX-License-Identifier: Apache-2.0 */
/* muster top on a terminal: what it shows, what keys do, and that the terminal
 * is given back whatever ends it. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "fake_admin.h"
#include "pseudo_terminal.h"

static fake_admin process;
static pseudo_terminal terminal;

static void begin_with(const char *answers, int rows, int columns)
{
    static char command[] = MUSTER_COMMAND_PATH;
    static char verb[] = "top";
    static char socket_option[] = "--socket";
    static char interval[] = "--interval=100ms";
    char *argv[] = {command, verb, socket_option, process.path, interval, NULL};

    cr_assert(fake_admin_start(&process, answers));
    cr_assert(pseudo_terminal_start(&terminal, argv, rows, columns));
}

static void begin(int rows, int columns)
{
    (void)setenv("TERM", "xterm-256color", 1);
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    (void)unsetenv("NO_COLOR");
    begin_with(MUSTER_TEST_SOURCE_DIR "/tools/top-answers.ndjson", rows,
               columns);
}

static void end(void)
{
    pseudo_terminal_end(&terminal);
    fake_admin_end(&process);
}

static void quit(void)
{
    int status;

    pseudo_terminal_type(&terminal, "q");
    status = pseudo_terminal_wait(&terminal);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    cr_expect(pseudo_terminal_is_restored(&terminal));
    end();
}

Test(top_screen, shows_a_process)
{
    begin(24, 80);
    cr_assert(pseudo_terminal_await(&terminal, "3750 calls/s"));
    cr_expect(terminal.is_alternate);
    cr_expect(pseudo_terminal_await(&terminal, "shop  pid 4711  muster 0.2.0"));
    cr_expect(pseudo_terminal_await(&terminal, "3 targets  2/4 ready"));
    cr_expect(pseudo_terminal_await(&terminal,
                                    "dns:///shop-backend:50051  READY  fresh"));
    cr_expect(pseudo_terminal_await(&terminal, "STALE 1m15s"));
    cr_expect(pseudo_terminal_await(
        &terminal, "    ! ipv4:10.0.0.10:50051: connection refused"));
    cr_expect(pseudo_terminal_await(&terminal, "q quit  c/i/s/a sort: calls"));
    cr_expect_gt(terminal.n_colours, 0);
    quit();
}

Test(top_screen, has_room_in_a_small_terminal)
{
    begin(10, 40);
    cr_assert(pseudo_terminal_await(&terminal, "q quit"));
    cr_expect(pseudo_terminal_await(&terminal, "ADDRESS"));
    cr_expect(pseudo_terminal_await(&terminal, "CALLS/S"));
    cr_expect(pseudo_terminal_await(&terminal, "10.0.0.1:50051"));
    quit();
}

Test(top_screen, survives_a_tiny_terminal)
{
    begin(1, 1);
    pseudo_terminal_run(&terminal, 300);
    pseudo_terminal_resize(&terminal, 2, 6);
    pseudo_terminal_run(&terminal, 300);
    pseudo_terminal_resize(&terminal, 24, 80);
    cr_assert(pseudo_terminal_await(&terminal, "dns:///shop-backend"));
    pseudo_terminal_resize(&terminal, 3, 10);
    pseudo_terminal_run(&terminal, 300);
    pseudo_terminal_type(&terminal, "q");
    cr_expect_eq(pseudo_terminal_wait(&terminal), 0);
    end();
}

Test(top_screen, follows_the_size_of_the_terminal)
{
    begin(24, 80);
    cr_assert(pseudo_terminal_await(&terminal, "    ! ipv4:"));
    pseudo_terminal_resize(&terminal, 24, 160);
    cr_assert(pseudo_terminal_await(&terminal, "REASON"));
    cr_assert(pseudo_terminal_await(&terminal, "2.5s  ipv4:"));
    pseudo_terminal_resize(&terminal, 10, 40);
    cr_assert(pseudo_terminal_await_none(&terminal, "REASON"));
    cr_assert(pseudo_terminal_await(&terminal, "ADDRESS"));
    quit();
}

Test(top_screen, scrolls)
{
    begin(10, 40);
    cr_assert(pseudo_terminal_await(&terminal, "q quit"));
    cr_expect(pseudo_terminal_has(&terminal, "10.0.0.1:50051"));
    cr_expect_not(pseudo_terminal_has(&terminal, "static:///"));
    pseudo_terminal_type(&terminal, "\033OF"); /* End */
    cr_assert(pseudo_terminal_await(&terminal, "static:///"));
    cr_expect(pseudo_terminal_await(&terminal, "shop  pid 4711"));
    pseudo_terminal_type(&terminal, "\033OH"); /* Home */
    cr_assert(pseudo_terminal_await_none(&terminal, "static:///"));
    pseudo_terminal_type(&terminal, "\033OB"); /* down */
    cr_assert(pseudo_terminal_await(&terminal, "  2-"));
    pseudo_terminal_type(&terminal, "\033OA"); /* up */
    cr_assert(pseudo_terminal_await(&terminal, "  1-"));
    pseudo_terminal_type(&terminal, "\033[6~"); /* PgDn */
    cr_assert(pseudo_terminal_await_none(&terminal, "  1-"));
    pseudo_terminal_type(&terminal, "\033[5~"); /* PgUp */
    cr_assert(pseudo_terminal_await(&terminal, "  1-"));
    quit();
}

Test(top_screen, sorts_by_keys)
{
    begin(24, 80);
    cr_assert(pseudo_terminal_await(&terminal, "sort: calls"));
    pseudo_terminal_type(&terminal, "i");
    cr_assert(pseudo_terminal_await(&terminal, "sort: inflight"));
    pseudo_terminal_type(&terminal, "s");
    cr_assert(pseudo_terminal_await(&terminal, "sort: state"));
    pseudo_terminal_type(&terminal, "a");
    cr_assert(pseudo_terminal_await(&terminal, "sort: address"));
    pseudo_terminal_type(&terminal, "c");
    cr_assert(pseudo_terminal_await(&terminal, "sort: calls"));
    quit();
}

Test(top_screen, draws_no_colours_when_none_are_wanted)
{
    (void)setenv("NO_COLOR", "1", 1);
    (void)setenv("TERM", "xterm-256color", 1);
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    begin_with(MUSTER_TEST_SOURCE_DIR "/tools/top-answers.ndjson", 24, 80);
    cr_assert(pseudo_terminal_await(&terminal, "3750 calls/s"));
    quit();
    cr_expect_eq(terminal.n_colours, 0);
}

Test(top_screen, prints_lines_on_a_terminal_that_can_do_no_more)
{
    int status;

    (void)setenv("TERM", "dumb", 1);
    begin_with(MUSTER_TEST_SOURCE_DIR "/tools/top-answers.ndjson", 50, 160);
    cr_assert(pseudo_terminal_await(&terminal, "REASON"));
    cr_expect_not(terminal.is_alternate);
    (void)kill(terminal.program, SIGINT);
    status = pseudo_terminal_wait(&terminal);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    end();
}

/* ---- ways out ---- */

static void expect_to_end_by(int number)
{
    int status;

    begin(24, 80);
    cr_assert(pseudo_terminal_await(&terminal, "q quit"));
    (void)kill(terminal.program, number);
    status = pseudo_terminal_wait(&terminal);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == number, "%d", status);
    cr_expect(pseudo_terminal_is_restored(&terminal));
    end();
}

Test(top_screen, gives_the_terminal_back_on_sigint)
{
    expect_to_end_by(SIGINT);
}

Test(top_screen, gives_the_terminal_back_on_sigterm)
{
    expect_to_end_by(SIGTERM);
}

Test(top_screen, gives_the_terminal_back_on_sighup)
{
    expect_to_end_by(SIGHUP);
}

Test(top_screen, ends_by_control_c)
{
    int status;

    begin(24, 80);
    cr_assert(pseudo_terminal_await(&terminal, "q quit"));
    pseudo_terminal_type(&terminal, "\003");
    status = pseudo_terminal_wait(&terminal);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT, "%d", status);
    cr_expect(pseudo_terminal_is_restored(&terminal));
    end();
}

Test(top_screen, gives_the_terminal_back_while_it_is_stopped)
{
    int status;

    begin(24, 80);
    cr_assert(pseudo_terminal_await(&terminal, "q quit"));
    pseudo_terminal_type(&terminal, "\032"); /* control-Z */
    status = pseudo_terminal_wait(&terminal);
    cr_assert(WIFSTOPPED(status), "%d", status);
    cr_expect(pseudo_terminal_is_restored(&terminal));
    (void)kill(terminal.program, SIGCONT);
    cr_assert(pseudo_terminal_await(&terminal, "q quit"));
    cr_expect(terminal.is_alternate);
    quit();
}

Test(top_screen, waits_for_a_process_that_has_gone)
{
    begin(24, 80);
    cr_assert(pseudo_terminal_await(&terminal, "q quit"));
    fake_admin_end(&process);
    cr_assert(pseudo_terminal_await(&terminal, "! "));
    cr_assert(pseudo_terminal_await_none(&terminal, "q quit"));
    cr_expect(pseudo_terminal_await(&terminal, "10.0.0.1:50051"));
    pseudo_terminal_type(&terminal, "q");
    cr_expect_eq(pseudo_terminal_wait(&terminal), 0);
    cr_expect(pseudo_terminal_is_restored(&terminal));
    end();
}
