/* SPDX-License-Identifier: Apache-2.0 */
/* The signals of the threads that a channel brings, C core's among them. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend.h"
#include "calling.h"

TestSuite(grpc_signals, .timeout = 60);

/* Whether that signal is blocked where mask is of proc_pid_status(5). */
static bool is_in(uint64_t mask, int signal_number)
{
    return (mask >> (signal_number - 1) & 1) != 0;
}

/* False: it has ended. */
static bool read_mask(const char *task, char ret_name[32], uint64_t *ret_mask)
{
    bool is_read = false;
    char path[64];
    char line[128];
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/status", task);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "Name: %31s", ret_name);
        is_read = sscanf(line, "SigBlk: %" SCNx64, ret_mask) == 1 || is_read;
    }
    (void)fclose(file);
    return is_read;
}

static int n_tasks;
static int n_changing;

static void expect_mask(const char *task)
{
    char name[32] = "";
    uint64_t mask;

    if (!read_mask(task, name, &mask)) {
        return;
    }
    n_tasks++;
    if (is_in(mask, SIGTERM) && is_in(mask, SIGSEGV)) {
        n_changing++; /* glibc blocks all while it begins, and ends */
        return;
    }
    cr_expect(is_in(mask, SIGTERM), "%s", name);
    cr_expect(is_in(mask, SIGUSR1), "%s", name);
    cr_expect(is_in(mask, SIGPROF), "%s", name);
    cr_expect_not(is_in(mask, SIGSEGV), "%s", name);
    cr_expect_not(is_in(mask, SIGABRT), "%s", name);
}

static void expect_masks(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;

    n_tasks = n_changing = 0;
    while ((task = readdir(tasks)) != NULL) {
        if (task->d_name[0] != '.' && atoi(task->d_name) != getpid()) {
            expect_mask(task->d_name);
        }
    }
    (void)closedir(tasks);
}

Test(grpc_signals, leaves_to_threads_only_what_they_cause)
{
    muster_channel *channel;
    backend server;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    cr_assert_eq(ask(channel, "x", &patient, NULL), GRPC_STATUS_OK);
    do {
        expect_masks();
    } while (n_changing > 0);
    cr_expect_gt(n_tasks, 3);
    muster_channel_destroy(channel);
    backend_kill(&server);
}
