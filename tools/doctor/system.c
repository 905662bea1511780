/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine allows: descriptors, memory, barriers, a clock. */
#include <dirent.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../file.h"
#include "doctor.h"

/* ---- open files ---- */

enum { FEW_FILES = 1024 };

static unsigned long count_open(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned long n = 0;

    if (folder == NULL) {
        return 0;
    }
    while (readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n < 3 ? 0 : n - 3; /* ".", ".." and the folder itself */
}

void doctor_check_open_files(doctor *self)
{
    static const char hint[] =
        "an endpoint takes a descriptor a connection: raise it with ulimit -n, "
        "or LimitNOFILE= of a systemd unit";
    struct rlimit limit;
    unsigned long n_open = count_open();

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        doctor_report(self, VERDICT_WARNING, "open files", NULL, NULL, "%s",
                      strerror(errno));
    } else if (limit.rlim_cur == RLIM_INFINITY) {
        doctor_report(self, VERDICT_OK, "open files", NULL, NULL,
                      "any number is allowed");
    } else if (limit.rlim_cur < FEW_FILES) {
        doctor_report(self, VERDICT_WARNING, "open files", NULL, hint,
                      "%llu are allowed, fewer than %d",
                      (unsigned long long)limit.rlim_cur, (int)FEW_FILES);
    } else if (n_open > limit.rlim_cur / 10 * 9) {
        doctor_report(self, VERDICT_WARNING, "open files", NULL, hint,
                      "%lu of %llu are open already", n_open,
                      (unsigned long long)limit.rlim_cur);
    } else {
        doctor_report(self, VERDICT_OK, "open files", NULL, NULL,
                      "%llu are allowed", (unsigned long long)limit.rlim_cur);
    }
}

/* ---- memory ---- */

/* 0: there is none, or it is "max". */
static unsigned long long read_number(const char *folder, const char *name)
{
    char *path = NULL;
    char *text = NULL;
    unsigned long long number = 0;
    size_t size;

    if (asprintf(&path, "%s/%s", folder, name) >= 0) {
        text = file_read(path, &size);
        free(path);
    }
    if (text != NULL) {
        number = strtoull(text, NULL, 10);
    }
    free(text);
    return number;
}

static void report_memory(doctor *self, unsigned long long limit,
                          unsigned long long used)
{
    const unsigned long long mib = 1024 * 1024;

    if (limit == 0) {
        doctor_report(self, VERDICT_OK, "memory", NULL, NULL,
                      "no limit of a cgroup");
    } else if (used > limit / 10 * 9) {
        doctor_report(self, VERDICT_WARNING, "memory", NULL,
                      "raise memory.max: a process that needs more is killed",
                      "%llu MiB of the cgroup's %llu MiB are in use",
                      used / mib, limit / mib);
    } else if (limit < 64 * mib) {
        doctor_report(self, VERDICT_WARNING, "memory", NULL,
                      "raise memory.max: a connection takes about 30 KiB, and "
                      "a list of Consul up to 32 MiB",
                      "the cgroup's limit is %llu MiB", limit / mib);
    } else {
        doctor_report(self, VERDICT_OK, "memory", NULL, NULL,
                      "%llu MiB of the cgroup's %llu MiB are in use",
                      used / mib, limit / mib);
    }
}

/* The folder of this process's cgroup, version 2: the line "0::PATH". In a
 * container PATH may not be there, and the mount's own folder is meant. */
static char *own_folder(void)
{
    static const char mount[] = "/sys/fs/cgroup";
    size_t size;
    char *text = file_read("/proc/self/cgroup", &size);
    const char *line = text == NULL ? NULL : strstr(text, "0::");
    char *folder = NULL;

    if (line != NULL && asprintf(&folder, "%s%.*s", mount,
                                 (int)strcspn(line + 3, "\n"), line + 3) < 0) {
        folder = NULL;
    }
    free(text);
    if (folder == NULL || access(folder, F_OK) != 0) {
        free(folder);
        folder = strdup(mount);
    }
    return folder;
}

/* What is "no limit" in version 1 is a number with which nothing can be done.
 */
static unsigned long long read_limit(const char *folder, bool *ret_is_old)
{
    unsigned long long limit = read_number(folder, "memory.max");

    *ret_is_old = limit == 0;
    if (*ret_is_old) {
        limit = read_number(folder, "memory/memory.limit_in_bytes");
    }
    return limit >> 60 == 0 ? limit : 0;
}

void doctor_check_memory(doctor *self)
{
    bool is_old;
    unsigned long long limit;
    char *folder = self->settings->memory_folder != NULL
                       ? strdup(self->settings->memory_folder)
                       : own_folder();

    if (folder == NULL) {
        self->is_out_of_memory = true;
        return;
    }
    limit = read_limit(folder, &is_old);
    report_memory(self, limit,
                  read_number(folder, is_old ? "memory/memory.usage_in_bytes"
                                             : "memory.current"));
    free(folder);
}

/* ---- barriers ---- */

void doctor_check_membarrier(doctor *self)
{
    const long commands = syscall(__NR_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

    if (commands >= 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
        doctor_report(self, VERDICT_OK, "membarrier", NULL, NULL,
                      "picks take the fast path");
    } else {
        doctor_report(self, VERDICT_WARNING, "membarrier", NULL,
                      "allow the system call membarrier in the seccomp "
                      "profile, or use Linux 4.14 or newer",
                      "picks take the slow path: the kernel has no private "
                      "expedited membarrier");
    }
}

/* ---- the clock ---- */

void doctor_check_clock(doctor *self)
{
    static const time_t earliest = 1767225600; /* 2026-01-01, UTC */
    const time_t now = time(NULL);
    struct tm parts;
    char text[32] = "";

    if (gmtime_r(&now, &parts) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    }
    if (now < earliest) {
        doctor_report(self, VERDICT_FAILURE, "clock", NULL,
                      "set it, best by NTP: certificates are not valid yet",
                      "it is %s, which cannot be", text);
    } else {
        doctor_report(self, VERDICT_OK, "clock", NULL, NULL, "it is %s", text);
    }
}
