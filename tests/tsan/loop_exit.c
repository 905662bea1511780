/* SPDX-License-Identifier: Apache-2.0 */
/* exit() without a shutdown is safe and quiet, however busy the loop is, and
 * so is exit() in a fork child of it. */
#include "loop.h"

#include <muster/call.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 5, CODE = 7 }; /* an exit takes 1 s under ThreadSanitizer */

/* In a fork child, LeakSanitizer looks for the threads of the parent, and
 * complains of their absence; ThreadSanitizer's free() may wait for a lock that
 * one of them held. So that one is tried without. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

static sem_t is_blocked;
static sem_t never;
static muster__task again;

static void block(void *arg)
{
    (void)arg;
    sem_post(&is_blocked);
    (void)sem_wait(&never);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Keeps the loop and its workers busy for good. */
static void run_again(muster__task *task)
{
    (void)muster__loop_work(nothing, nothing, NULL);
    muster__loop_post(task);
}

static void keep_busy(void *arg)
{
    muster__timer *timer;

    (void)arg;
    if (muster__loop_work(block, nothing, NULL) == MUSTER_OK &&
        muster__timer_create(nothing, NULL, &timer) == MUSTER_OK) {
        muster__timer_start(timer, 1);
    }
    again.fn = run_again;
    muster__loop_post(&again);
}

static void start_busy(void)
{
    (void)sem_init(&is_blocked, 0, 0);
    (void)sem_init(&never, 0, 0);
    if (muster__loop_acquire(NULL) != MUSTER_OK ||
        muster__loop_call(keep_busy, NULL, MUSTER_FOREVER) != MUSTER_OK) {
        _exit(1);
    }
    while (sem_wait(&is_blocked) != 0) {
    }
}

static void exit_busy(void)
{
    start_busy();
    exit(CODE);
}

/* Reads to the end; passes on what came. */
static int says_nothing(int fd)
{
    char text[512];
    ssize_t size;
    int is_silent = 1;

    while ((size = read(fd, text, sizeof text)) > 0) {
        (void)fprintf(stderr, "%.*s", (int)size, text);
        is_silent = 0;
    }
    return is_silent;
}

/* Whether a process that runs fn exits with CODE and says nothing. */
static int is_quiet(void (*fn)(void))
{
    int output[2];
    int status = 0;
    int is_silent;
    pid_t child;

    if (pipe(output) != 0) {
        return 0;
    }
    child = fork();
    if (child == 0) {
        (void)dup2(output[1], STDERR_FILENO);
        (void)close(output[0]);
        (void)close(output[1]);
        fn();
        _exit(1);
    }
    (void)close(output[1]);
    is_silent = says_nothing(output[0]);
    (void)close(output[0]);
    (void)waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != CODE) {
        (void)fprintf(stderr, "ended with %x\n", (unsigned)status);
        return 0;
    }
    return is_silent;
}

static void exit_at_once(void)
{
    exit(CODE);
}

static void exit_in_fork_child(void)
{
    start_busy();
    exit(is_quiet(exit_at_once) ? CODE : 1);
}

int main(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (!is_quiet(exit_busy) ||
            (!IS_SANITIZED && !is_quiet(exit_in_fork_child))) {
            (void)fprintf(stderr, "round %d\n", i);
            return 1;
        }
    }
    return 0;
}
