/* SPDX-License-Identifier: Apache-2.0 */
/* Starts this program again for one case, and says how that ended. */
#include "child.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- the memory between the two ---- */

static trial_report *map(int fd)
{
    void *memory = mmap(NULL, sizeof(trial_report), PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

trial_report *child_attach(int fd)
{
    trial_report *report = map(fd);

    (void)close(fd);
    return report;
}

void child_release(trial_report *report)
{
    (void)munmap(report, sizeof *report);
}

/* ---- the process ---- */

enum { MAX_ARGUMENTS = 16 };

static void add_option(char **argv, size_t *n, const char *name,
                       const char *value)
{
    if (value != NULL) {
        argv[(*n)++] = (char *)(uintptr_t)name;
        argv[(*n)++] = (char *)(uintptr_t)value;
    }
}

/* Whether it was started. The child keeps report_fd under its number. */
static bool start(const runner_options *options, const char *name,
                  int report_fd, pid_t *ret_pid)
{
    char *argv[MAX_ARGUMENTS] = {"muster", "plugins", "check"};
    char number[16];
    char timeout[32];
    size_t n = 3;
    posix_spawn_file_actions_t actions;
    bool is_started;

    (void)snprintf(number, sizeof number, "%d", report_fd);
    (void)snprintf(timeout, sizeof timeout, "%llums",
                   (unsigned long long)options->timeout_ms);
    add_option(argv, &n, "--report-fd", number);
    add_option(argv, &n, "--case", name);
    add_option(argv, &n, "--timeout", timeout);
    add_option(argv, &n, "--target", options->target);
    add_option(argv, &n, "--policy-config", options->policy_config);
    add_option(argv, &n, "--", options->file);
    /* What a thread's cache holds would count as in use. */
    (void)setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 0);
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return false;
    }
    /* Onto itself: that is how it says not to close it. */
    is_started =
        posix_spawn_file_actions_adddup2(&actions, report_fd, report_fd) == 0 &&
        posix_spawn(ret_pid, "/proc/self/exe", &actions, NULL, argv, environ) ==
            0;
    (void)posix_spawn_file_actions_destroy(&actions);
    return is_started;
}

/* False: it is still running, and then it is ended. */
static bool wait_for_end(pid_t pid, uint64_t timeout_ms, int *ret_state)
{
    struct pollfd end = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    bool has_ended = true;

    if (end.fd >= 0) {
        has_ended = poll(&end, 1, (int)timeout_ms) != 0;
        (void)close(end.fd);
    }
    if (!has_ended) {
        (void)kill(pid, SIGKILL);
    }
    return waitpid(pid, ret_state, 0) == pid && has_ended;
}

/* ---- how it ended ---- */

static void say(trial_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(trial_report *report, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(report->detail, sizeof report->detail, format, args);
    va_end(args);
    report->result = TRIAL_FAILED;
}

/* What a process that could write anywhere wrote is not trusted. */
static void bound(trial_report *report)
{
    report->step[sizeof report->step - 1] = '\0';
    report->detail[sizeof report->detail - 1] = '\0';
    report->classes[sizeof report->classes - 1] = '\0';
    if ((unsigned)report->result > TRIAL_SKIPPED) {
        report->result = TRIAL_SILENT;
    }
}

static void judge(trial_report *report, bool has_ended, int state,
                  uint64_t timeout_ms)
{
    bound(report);
    if (!has_ended) {
        report->is_hung = true;
        say(report,
            "%s does not return within %llu ms; what follows is not run",
            report->step, (unsigned long long)timeout_ms);
    } else if (WIFSIGNALED(state)) {
        say(report, "%s crashes: %s", report->step, strsignal(WTERMSIG(state)));
    } else if (report->result == TRIAL_SILENT || WEXITSTATUS(state) != 0) {
        say(report, "%s ends the process, with status %d", report->step,
            WEXITSTATUS(state));
    }
}

trial_report *child_run(const runner_options *options, const char *name)
{
    int fd = memfd_create("muster-check", MFD_CLOEXEC);
    trial_report *report = NULL;
    bool has_ended;
    pid_t pid = 0;
    int state = 0;

    if (fd >= 0 && ftruncate(fd, sizeof *report) == 0) {
        report = map(fd);
    }
    if (report != NULL && start(options, name, fd, &pid)) {
        has_ended = wait_for_end(pid, options->timeout_ms, &state);
        judge(report, has_ended, state, options->timeout_ms);
    } else if (report != NULL) {
        say(report, "no process could be started for it");
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return report;
}
