/* SPDX-License-Identifier: Apache-2.0 */
/* Graceful shutdown on signals. */
#include "state_fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct listener {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned n; /* guarded by mutex, as what is below */
    int number;
    muster_shutdown_numbers numbers;
    bool turns_off;
} listener;

static listener heard = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                         .changed = PTHREAD_COND_INITIALIZER};

static void on_shutdown(void *arg, int number,
                        const muster_shutdown_numbers *numbers)
{
    cr_expect_eq(arg, &heard);
    if (heard.turns_off) {
        muster_shutdown_off_signals();
    }
    pthread_mutex_lock(&heard.mutex);
    heard.n++;
    heard.number = number;
    heard.numbers = *numbers;
    pthread_cond_broadcast(&heard.changed);
    pthread_mutex_unlock(&heard.mutex);
}

static void turn_on(uint64_t grace_ms)
{
    muster_error err;

    cr_assert_eq(
        muster_shutdown_on_signals(grace_ms, on_shutdown, &heard, &err),
        MUSTER_OK, "%s", err.message);
}

static void await_shutdown(unsigned n)
{
    pthread_mutex_lock(&heard.mutex);
    while (heard.n < n) {
        pthread_cond_wait(&heard.changed, &heard.mutex);
    }
    pthread_mutex_unlock(&heard.mutex);
}

static void send(int number)
{
    cr_assert_eq(kill(getpid(), number), 0);
}

TestSuite(shutdown_signals, .timeout = 60);

static bench open_ready(muster_lease *ret_lease)
{
    bench b = bench_open();

    report(1);
    let_connect(&b);
    await_state(&b, MUSTER_READY);
    cr_assert_eq(muster_channel_pick(b.channel, NULL, ret_lease, NULL),
                 MUSTER_OK);
    return b;
}

Test(shutdown_signals, shuts_all_down_and_tells_when_that_is_done)
{
    muster_lease lease = {0};
    bench b = open_ready(&lease);

    turn_on(MUSTER_FOREVER);
    send(SIGTERM);
    await_state(&b, MUSTER_SHUTDOWN);
    cr_expect_eq(heard.n, 0);
    muster_lease_finish(&lease, NULL);
    await_shutdown(1);
    cr_expect_eq(heard.number, SIGTERM);
    cr_expect_eq(heard.numbers.channels, 1);
    cr_expect_eq(heard.numbers.finished, 1);
    muster_shutdown_off_signals();
    bench_close(&b);
}

Test(shutdown_signals, ends_the_patience_at_the_second_signal)
{
    muster_lease lease = {0};
    bench b = open_ready(&lease);

    turn_on(MUSTER_FOREVER);
    send(SIGINT);
    await_state(&b, MUSTER_SHUTDOWN);
    send(SIGTERM);
    await_shutdown(1);
    cr_expect_eq(heard.number, SIGINT);
    cr_expect_eq(heard.numbers.cancelled, 1);
    muster_lease_finish(&lease, NULL);
    muster_shutdown_off_signals();
    bench_close(&b);
}

Test(shutdown_signals, tells_at_each_signal_also_without_channels)
{
    turn_on(1000);
    send(SIGTERM);
    await_shutdown(1);
    send(SIGINT);
    await_shutdown(2);
    cr_expect_eq(heard.number, SIGINT);
    cr_expect_eq(heard.numbers.channels, 0);
    cr_expect_eq(muster_shutdown(), MUSTER_BUSY);
    muster_shutdown_off_signals();
    cr_expect_eq(muster_shutdown(), MUSTER_OK);
}

Test(shutdown_signals, may_be_turned_off_inside_the_callback)
{
    heard.turns_off = true;
    turn_on(1000);
    send(SIGTERM);
    await_shutdown(1);
    turn_on(1000);
    send(SIGTERM);
    await_shutdown(2);
    muster_shutdown_off_signals();
}

Test(shutdown_signals, tells_nothing_after_it_was_turned_off)
{
    muster_lease lease = {0};
    bench b = open_ready(&lease);

    turn_on(MUSTER_FOREVER);
    send(SIGTERM);
    await_state(&b, MUSTER_SHUTDOWN);
    muster_shutdown_off_signals();
    muster_lease_finish(&lease, NULL);
    cr_expect_eq(muster_channel_shutdown(b.channel, MUSTER_FOREVER, NULL),
                 MUSTER_OK);
    bench_close(&b);
    cr_expect_eq(heard.n, 0);
}

Test(shutdown_signals, is_on_once_and_wants_someone_to_tell)
{
    muster_error err;

    cr_expect_eq(muster_shutdown_on_signals(1, NULL, NULL, &err), MUSTER_INVAL);
    turn_on(1000);
    cr_expect_eq(muster_shutdown_on_signals(1, on_shutdown, &heard, &err),
                 MUSTER_BUSY);
    muster_shutdown_off_signals();
    muster_shutdown_off_signals();
    turn_on(1000);
    muster_shutdown_off_signals();
}

static volatile sig_atomic_t n_theirs;

static void count_theirs(int number)
{
    (void)number;
    n_theirs++;
}

static void set_handler(int number, void (*handler)(int number))
{
    struct sigaction action = {.sa_handler = handler};

    cr_assert_eq(sigaction(number, &action, NULL), 0);
}

Test(shutdown_signals, puts_back_what_was_there)
{
    set_handler(SIGTERM, count_theirs);
    set_handler(SIGINT, SIG_IGN);
    turn_on(1000);
    (void)raise(SIGINT); /* ignored as before */
    (void)raise(SIGTERM);
    await_shutdown(1);
    cr_expect_eq(heard.number, SIGTERM);
    cr_expect_eq(n_theirs, 0);
    muster_shutdown_off_signals();
    (void)raise(SIGTERM);
    cr_expect_eq(n_theirs, 1);
    cr_expect_eq(heard.n, 1);
}

Test(shutdown_signals, leaves_a_handler_alone_that_came_later)
{
    turn_on(1000);
    set_handler(SIGTERM, count_theirs);
    muster_shutdown_off_signals();
    (void)raise(SIGTERM);
    cr_expect_eq(n_theirs, 1);
}

Test(shutdown_signals, lets_a_fork_child_die_of_it)
{
    int how = 0;
    pid_t child;

    turn_on(1000);
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        (void)raise(SIGTERM);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_expect(WIFSIGNALED(how) && WTERMSIG(how) == SIGTERM);
    muster_shutdown_off_signals();
    cr_expect_eq(heard.n, 0);
}
