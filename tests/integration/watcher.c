/* SPDX-License-Identifier: Apache-2.0 */
/* "muster watch" as a child process. */
#include "watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster.h"

static pid_t spawn(const char *target, int output)
{
    char *argv[] = {"setpriv", "--pdeathsig", "KILL",   MUSTER_COMMAND_PATH,
                    "watch",   "-o",          "ndjson", (char *)(size_t)target,
                    NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid = 0;

    (void)sigemptyset(&none);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (posix_spawnp(&pid, argv[0], &actions, &attributes, argv, environ) !=
        0) {
        pid = 0;
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return pid;
}

void watcher_start(watcher *self, const char *target)
{
    int output[2];

    memset(self, 0, sizeof *self);
    if (setenv("MUSTER_PLUGIN_PATH", MUSTER_PLUGINS_PATH, 1) != 0 ||
        pipe2(output, O_CLOEXEC) != 0) {
        cluster_die("no pipe");
    }
    self->pid = spawn(target, output[1]);
    (void)close(output[1]);
    self->output = output[0];
    if (self->pid == 0) {
        cluster_die("setpriv " MUSTER_COMMAND_PATH " did not start");
    }
}

/* Takes the first line out; false when there is no whole one. */
static bool take_line(watcher *self, const char *text, bool *ret_has_text)
{
    char *end = memchr(self->text, '\n', self->length);
    size_t taken;

    if (end == NULL) {
        return false;
    }
    taken = (size_t)(end - self->text) + 1;
    *ret_has_text = memmem(self->text, taken - 1, text, strlen(text)) != NULL;
    self->length -= taken;
    memmove(self->text, self->text + taken, self->length);
    return true;
}

static bool read_some(watcher *self, uint64_t deadline_ns)
{
    struct pollfd waited = {.fd = self->output, .events = POLLIN};
    const uint64_t begun_ns = now_ns();
    const uint64_t left_ns =
        deadline_ns > begun_ns ? deadline_ns - begun_ns : 0;
    ssize_t n;

    if (self->length == sizeof self->text) {
        cluster_die("a line of %zu bytes", self->length);
    }
    if (poll(&waited, 1, (int)(left_ns / 1000000)) != 1) {
        return false;
    }
    n = read(self->output, self->text + self->length,
             sizeof self->text - self->length);
    if (n <= 0) {
        cluster_die("muster watch has ended");
    }
    self->length += (size_t)n;
    return true;
}

uint64_t watcher_await(watcher *self, const char *text, uint64_t deadline_ns)
{
    bool has_text = false;

    while (!has_text) {
        if (!take_line(self, text, &has_text) &&
            !read_some(self, deadline_ns)) {
            return 0;
        }
    }
    return now_ns();
}

void watcher_stop(watcher *self)
{
    (void)kill(self->pid, SIGKILL);
    (void)waitpid(self->pid, NULL, 0);
    (void)close(self->output);
}
