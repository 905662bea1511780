/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread: its life, tasks and calls. */
#include "loop_fixture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "thread_status.h"

TestSuite(loop, .timeout = 30);

static void note_thread(void *arg)
{
    *(pthread_t *)arg = pthread_self();
}

static void note_is_current(void *arg)
{
    *(bool *)arg = muster__loop_is_current();
}

Test(loop, calls_run_on_one_other_thread)
{
    pthread_t first;
    pthread_t second;

    loop_open();
    on_control(note_thread, &first);
    on_control(note_thread, &second);
    cr_expect(pthread_equal(first, second) != 0);
    cr_expect(pthread_equal(first, pthread_self()) == 0);
    loop_close();
}

Test(loop, only_the_control_thread_is_current)
{
    bool is_current = false;

    loop_open();
    on_control(note_is_current, &is_current);
    cr_expect(is_current);
    cr_expect_not(muster__loop_is_current());
    loop_close();
}

Test(loop, stop_is_refused_while_there_are_users)
{
    loop_open();
    loop_open();
    muster__loop_release();
    cr_expect_eq(muster__loop_stop(NULL), MUSTER_BUSY);
    loop_close();
}

Test(loop, stop_without_a_start_does_nothing)
{
    cr_expect_eq(muster__loop_stop(NULL), MUSTER_OK);
}

Test(loop, starts_again_after_a_stop)
{
    for (int i = 0; i < 50; i++) {
        bool is_current = false;

        loop_open();
        on_control(note_is_current, &is_current);
        cr_assert(is_current);
        loop_close();
    }
}

static void note_stop(void *arg)
{
    *(muster_status *)arg = muster__loop_stop(NULL);
}

Test(loop, stop_on_the_control_thread_would_deadlock)
{
    muster_status status = MUSTER_OK;

    loop_open();
    on_control(note_stop, &status);
    cr_expect_eq(status, MUSTER_WOULD_DEADLOCK);
    loop_close();
}

/* ---- tasks ---- */

typedef struct counted_task {
    muster__task task;
    int number;
} counted_task;

static int n_run;
static int last_number;
static bool is_ordered = true;

static void count_task(muster__task *task)
{
    counted_task *counted = (counted_task *)task;

    is_ordered = is_ordered && counted->number == last_number + 1;
    last_number = counted->number;
    n_run++;
    free(counted); /* allowed inside fn */
}

static void post_counted(int number)
{
    counted_task *counted = (counted_task *)calloc(1, sizeof *counted);

    cr_assert_not_null(counted);
    counted->task.fn = count_task;
    counted->number = number;
    muster__loop_post(&counted->task);
}

Test(loop, tasks_of_one_poster_run_in_order)
{
    loop_open();
    for (int i = 1; i <= 10000; i++) {
        post_counted(i);
    }
    loop_close();
    cr_expect_eq(n_run, 10000);
    cr_expect(is_ordered);
}

static muster__task again_task;
static sem_t again_done;
static int n_again;

static void run_again(muster__task *task)
{
    n_again++;
    if (n_again == 1000) {
        sem_post(&again_done);
    } else {
        muster__loop_post(task); /* its memory may be reused inside fn */
    }
}

Test(loop, a_task_may_post_itself_again)
{
    sem_init(&again_done, 0, 0);
    again_task.fn = run_again;
    loop_open();
    muster__loop_post(&again_task);
    wait_for(&again_done);
    loop_close();
    cr_expect_eq(n_again, 1000);
}

static muster__task second_task;
static bool has_run_second;
static bool has_run_too_early;

static void run_second(muster__task *task)
{
    (void)task;
    has_run_second = true;
}

static void post_second(void *arg)
{
    (void)arg;
    second_task.fn = run_second;
    muster__loop_post(&second_task);
    has_run_too_early = has_run_second;
}

Test(loop, a_post_on_the_control_thread_runs_after_the_poster)
{
    loop_open();
    on_control(post_second, NULL);
    loop_close();
    cr_expect_not(has_run_too_early);
    cr_expect(has_run_second);
}

static bool at_end_was_on_control;
static int at_end_saw;

static void note_end(void)
{
    at_end_was_on_control = muster__loop_is_current();
    at_end_saw = n_run;
    post_counted(4);
}

Test(loop, at_end_runs_after_all_tasks_and_may_post)
{
    loop_open();
    for (int i = 1; i <= 3; i++) {
        post_counted(i);
    }
    muster__loop_release();
    cr_expect_eq(muster__loop_stop(note_end), MUSTER_OK);
    cr_expect(at_end_was_on_control);
    cr_expect_eq(at_end_saw, 3);
    cr_expect_eq(n_run, 4);
}

static muster_status acquired_at_end;

static void acquire_at_end(void)
{
    acquired_at_end = muster__loop_acquire(NULL);
}

Test(loop, acquire_while_it_ends_is_closed_on_the_control_thread)
{
    loop_open();
    muster__loop_release();
    cr_expect_eq(muster__loop_stop(acquire_at_end), MUSTER_OK);
    cr_expect_eq(acquired_at_end, MUSTER_CLOSED);
}

/* ---- calls ---- */

typedef struct gate {
    sem_t is_in;
    sem_t may_leave;
    sem_t has_left;
} gate;

static void gate_init(gate *at)
{
    sem_init(&at->is_in, 0, 0);
    sem_init(&at->may_leave, 0, 0);
    sem_init(&at->has_left, 0, 0);
}

static void pass_gate(void *arg)
{
    gate *at = (gate *)arg;

    sem_post(&at->is_in);
    wait_for(&at->may_leave);
    sem_post(&at->has_left);
}

Test(loop, a_caller_that_gives_up_leaves_the_call_running)
{
    static gate at;

    gate_init(&at);
    loop_open();
    cr_expect_eq(muster__loop_call(pass_gate, &at, 20), MUSTER_TIMEOUT);
    wait_for(&at.is_in);
    sem_post(&at.may_leave);
    wait_for(&at.has_left);
    loop_close();
}

static void call_inside(void *arg)
{
    bool is_current = false;

    if (muster__loop_call(note_is_current, &is_current, 0) == MUSTER_OK) {
        *(bool *)arg = is_current;
    }
}

Test(loop, a_call_on_the_control_thread_runs_at_once)
{
    bool was_at_once = false;

    loop_open();
    on_control(call_inside, &was_at_once);
    cr_expect(was_at_once);
    loop_close();
}

/* ---- a good guest in the process ---- */

static void expect_blocks_what_others_send(const thread_status *thread)
{
    static const int own[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                              SIGTRAP, SIGABRT, SIGSYS};
    uint64_t blocked = thread->blocked | thread_status_never_blocked();

    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        cr_expect_not(blocked & thread_status_bit(own[i]), "%d", own[i]);
        blocked |= thread_status_bit(own[i]);
    }
    cr_expect_eq(blocked, UINT64_MAX, "blocked only %" PRIx64, blocked);
}

static void queue_gate(void *arg)
{
    (void)muster__loop_work(pass_gate, do_nothing, arg);
}

Test(loop, every_thread_has_our_name_and_blocks_what_others_send)
{
    static gate at;
    thread_status threads[THREAD_STATUS_MAX];
    size_t n_muster_threads = 0;
    size_t n;

    gate_init(&at);
    loop_open();
    on_control(queue_gate, &at);
    wait_for(&at.is_in);
    n = thread_status_list_settled(threads);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(threads[i].name, "muster", strlen("muster")) == 0) {
            n_muster_threads++;
            expect_blocks_what_others_send(&threads[i]);
        }
    }
    cr_expect_geq(n_muster_threads, 3); /* control, watchdog, worker */
    sem_post(&at.may_leave);
    loop_close();
}

Test(loop, changes_no_signal_handler)
{
    struct sigaction before[32];

    for (int number = 1; number < 32; number++) {
        cr_assert_eq(sigaction(number, NULL, &before[number]), 0);
    }
    loop_open();
    on_control(do_nothing, NULL);
    for (int number = 1; number < 32; number++) {
        struct sigaction after;

        cr_assert_eq(sigaction(number, NULL, &after), 0);
        cr_expect(after.sa_handler == before[number].sa_handler, "signal %d",
                  number);
    }
    loop_close();
}

static int n_open_descriptors(bool *ret_all_close_on_exec)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags >= 0) {
            n++;
            *ret_all_close_on_exec =
                *ret_all_close_on_exec && (flags & FD_CLOEXEC) != 0;
        }
    }
    return n;
}

Test(loop, its_descriptors_close_on_exec_and_on_stop)
{
    bool ignored = false;
    int before;
    int n_new = 0;

    loop_open(); /* libuv's own signal pipe stays for good */
    loop_close();
    before = n_open_descriptors(&ignored);
    loop_open();
    for (int fd = 3; fd < 256; fd++) {
        char path[64];
        char name[128];
        ssize_t size;

        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        size = readlink(path, name, sizeof name - 1);
        if (size > 0) {
            name[size] = '\0';
            if (strstr(name, "eventpoll") || strstr(name, "eventfd")) {
                n_new++;
                cr_expect((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
            }
        }
    }
    cr_expect_geq(n_new, 2);
    loop_close();
    cr_expect_eq(n_open_descriptors(&ignored), before);
}

/* The lowest number that is free; none above it is in use. */
static rlim_t first_free_descriptor(void)
{
    int fd = dup(STDIN_FILENO);

    cr_assert_geq(fd, 0);
    (void)close(fd);
    return (rlim_t)fd;
}

Test(loop, without_descriptors_it_is_unavailable_and_leaves_none_open)
{
    bool ignored = false;
    struct rlimit limit;
    rlim_t first_free = first_free_descriptor();
    rlim_t enough;
    muster_status status = MUSTER_UNAVAILABLE;
    int n_refused = 0;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    enough = limit.rlim_cur;
    for (rlim_t n = 0; status != MUSTER_OK && n < 20; n++) {
        muster_error err = {.code = MUSTER_OK};
        int before = n_open_descriptors(&ignored);

        limit.rlim_cur = first_free + n;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        status = muster__loop_acquire(&err);
        if (status == MUSTER_OK) {
            break;
        }
        n_refused++;
        cr_expect_eq(status, MUSTER_UNAVAILABLE);
        cr_expect_eq(err.code, status);
        cr_expect_eq(n_open_descriptors(&ignored), before);
    }
    cr_expect_geq(n_refused, 6);
    limit.rlim_cur = enough;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    loop_close();
}
