/* SPDX-License-Identifier: Apache-2.0 */
#include "on_change.h"

#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file in memory, so that a child that does not read holds nobody up. -1, and
 * errno, when there cannot be one. */
static int file_of(const json_t *document)
{
    int fd = memfd_create("muster-watch", MFD_CLOEXEC);

    if (fd >= 0 && (json_dumpfd(document, fd, JSON_COMPACT) != 0 ||
                    write(fd, "\n", 1) != 1 || lseek(fd, 0, SEEK_SET) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool set_environment(const on_change_event *event)
{
    char sequence[24];

    (void)snprintf(sequence, sizeof sequence, "%" PRIu64, event->sequence);
    return setenv("MUSTER_EVENT", event->type, 1) == 0 &&
           setenv("MUSTER_TARGET", event->target, 1) == 0 &&
           setenv("MUSTER_SEQUENCE", sequence, 1) == 0;
}

/* Answers what is in errno. */
static int start(char *const *command, int input, pid_t *ret_child)
{
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);

    if (code != 0) {
        return code;
    }
    code = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (code == 0) {
        code = posix_spawnp(ret_child, command[0], &actions, NULL, command,
                            environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return code;
}

static void await(const char *name, pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        (void)fprintf(stderr, "muster: %s: %s\n", name,
                      strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        (void)fprintf(stderr, "muster: %s: exit status %d\n", name,
                      WEXITSTATUS(status));
    }
}

exit_code on_change_run(char *const *command, const json_t *document,
                        const on_change_event *event)
{
    int input = file_of(document);
    pid_t child = 0;
    int code = errno;

    if (input >= 0) {
        code = set_environment(event) ? start(command, input, &child) : errno;
        (void)close(input);
    }
    if (child == 0) {
        return command_fail(EXIT_CODE_FAILURE, command[0], strerror(code));
    }
    await(command[0], child);
    return EXIT_CODE_OK;
}
