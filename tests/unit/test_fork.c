/* SPDX-License-Identifier: Apache-2.0 */
/* In a fork child nothing of the loop is touched. */
#include "fork.h"

#include <errno.h>
#include <fcntl.h>
#include <muster/log.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop_fixture.h"

TestSuite(fork, .timeout = 30);

/* Forks; the child answers look() as its exit code. */
static int answer_of_child(int (*look)(void))
{
    int status = 0;
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        _exit(look());
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "the child died: %d", status);
    return WEXITSTATUS(status);
}

static int look_is_forked(void)
{
    return muster__is_forked() ? 1 : 0;
}

Test(fork, a_child_knows_that_it_is_one)
{
    loop_open();
    cr_expect_not(muster__is_forked());
    cr_expect_eq(answer_of_child(look_is_forked), 1);
    cr_expect_not(muster__is_forked());
    loop_close();
}

Test(fork, init_may_be_repeated)
{
    muster__fork_init();
    muster__fork_init();
    cr_expect_eq(answer_of_child(look_is_forked), 1);
}

static int look_acquire(void)
{
    muster_error err = {.code = MUSTER_OK};
    muster_status status = muster__loop_acquire(&err);

    return err.code == status && strlen(err.message) > 0 ? (int)status : 255;
}

Test(fork, a_child_acquires_nothing)
{
    loop_open();
    cr_expect_eq(answer_of_child(look_acquire), MUSTER_FORKED);
    loop_close();
}

static int look_call(void)
{
    return (int)muster__loop_call(do_nothing, NULL, MUSTER_FOREVER);
}

Test(fork, a_call_in_a_child_fails_at_once)
{
    loop_open();
    cr_expect_eq(answer_of_child(look_call), MUSTER_FORKED);
    loop_close();
}

static int look_stop(void)
{
    muster__loop_release();
    return (int)muster__loop_stop(NULL);
}

Test(fork, a_stop_in_a_child_fails_at_once)
{
    loop_open();
    cr_expect_eq(answer_of_child(look_stop), MUSTER_FORKED);
    loop_close();
}

static bool has_run;

static void note_run(muster__task *task)
{
    (void)task;
    has_run = true;
}

static int look_post(void)
{
    static muster__task task = {NULL, note_run};

    muster__loop_post(&task);
    return 7;
}

Test(fork, a_post_in_a_child_wakes_nobody)
{
    loop_open();
    cr_expect_eq(answer_of_child(look_post), 7);
    on_control(do_nothing, NULL);
    cr_expect_not(has_run);
    loop_close();
}

static int look_stuck(void)
{
    char who[8];

    return muster__loop_is_stuck(who, sizeof who) ? 1 : 0;
}

Test(fork, nothing_is_stuck_in_a_child)
{
    loop_open();
    cr_expect_eq(answer_of_child(look_stuck), 0);
    loop_close();
}

/* ---- what is nothing for a child ---- */

static int private_fds[2];

static int look_private(void)
{
    int n = 0;

    for (int i = 0; i < 2; i++) {
        n += fcntl(private_fds[i], F_GETFD) == -1;
    }
    return n;
}

Test(fork, a_child_has_no_socket_that_is_private)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    struct sockaddr_un address;
    socklen_t size = sizeof address;
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    muster__fork_init();
    private_fds[0] = muster__fork_private_socket(
        AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
    cr_assert_geq(private_fds[0], 0);
    cr_assert_eq(bind(private_fds[0], (const struct sockaddr *)&any,
                      sizeof any.sun_family),
                 0); /* the kernel names it */
    cr_assert_eq(listen(private_fds[0], 1), 0);
    cr_assert_lt(muster__fork_private_accept(private_fds[0], SOCK_CLOEXEC), 0);
    cr_expect_eq(errno, EAGAIN);
    cr_assert_eq(
        getsockname(private_fds[0], (struct sockaddr *)&address, &size), 0);
    cr_assert_eq(connect(client, (const struct sockaddr *)&address, size), 0);
    private_fds[1] = muster__fork_private_accept(private_fds[0], SOCK_CLOEXEC);
    cr_assert_geq(private_fds[1], 0);
    cr_expect_eq(answer_of_child(look_private), 2);
    cr_expect_eq(look_private(), 0);
    muster__fork_private_close(private_fds[1]);
    muster__fork_private_close(private_fds[0]);
    cr_expect_eq(look_private(), 2);
    (void)close(client);
}

static int n_lines;

static void count_line(void *arg, muster_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    (void)message;
    n_lines++;
}

static int look_log_set(void)
{
    muster_log_set(count_line, NULL, MUSTER_LOG_DEBUG);
    return n_lines;
}

Test(fork, a_child_may_set_the_log)
{
    loop_open();
    cr_expect_eq(answer_of_child(look_log_set), 0);
    loop_close();
}
