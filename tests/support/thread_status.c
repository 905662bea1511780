/* SPDX-License-Identifier: Apache-2.0 */
#include "thread_status.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t thread_status_never_blocked(void)
{
    return thread_status_bit(SIGKILL) | thread_status_bit(SIGSTOP) |
           thread_status_bit(32) | thread_status_bit(33);
}

/* False: it has ended. */
static bool read_one(const char *task, thread_status *ret_thread)
{
    bool is_read = false;
    char path[64];
    char line[128];
    FILE *file;

    memset(ret_thread, 0, sizeof *ret_thread);
    (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/status", task);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "Name: %31s", ret_thread->name);
        (void)sscanf(line, "SigBlk: %" SCNx64, &ret_thread->blocked);
        is_read = sscanf(line, "voluntary_ctxt_switches: %" SCNu64,
                         &ret_thread->n_sleeps) == 1 ||
                  is_read;
    }
    (void)fclose(file);
    return is_read;
}

size_t thread_status_list(thread_status ret_threads[THREAD_STATUS_MAX])
{
    DIR *folder = opendir("/proc/self/task");
    const struct dirent *task;
    size_t n = 0;

    if (folder == NULL) {
        perror("/proc/self/task");
        abort();
    }
    while (n < THREAD_STATUS_MAX && (task = readdir(folder)) != NULL) {
        if (task->d_name[0] != '.' && atoi(task->d_name) != gettid()) {
            n += read_one(task->d_name, &ret_threads[n]);
        }
    }
    (void)closedir(folder);
    return n;
}

static bool is_any_changing(const thread_status *threads, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((threads[i].blocked | thread_status_never_blocked()) ==
            UINT64_MAX) {
            return true;
        }
    }
    return false;
}

size_t thread_status_list_settled(thread_status ret_threads[THREAD_STATUS_MAX])
{
    size_t n;

    do {
        n = thread_status_list(ret_threads);
    } while (is_any_changing(ret_threads, n));
    return n;
}
