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

enum { N_VARIABLES = 3 };

static bool is_ours(const char *variable)
{
    return strncmp(variable, "MUSTER_EVENT=", 13) == 0 ||
           strncmp(variable, "MUSTER_TARGET=", 14) == 0 ||
           strncmp(variable, "MUSTER_SEQUENCE=", 16) == 0;
}

/* Ours in front of all others; NULL when memory ends. setenv() is out of the
 * question: the resolvers' threads may be reading the environment. */
static char **environment_with(char *const *ours)
{
    size_t n = 0;
    char **all;

    while (environ[n] != NULL) {
        n++;
    }
    all = calloc(n + N_VARIABLES + 1, sizeof *all);
    if (all == NULL) {
        return NULL;
    }
    memcpy(all, ours, N_VARIABLES * sizeof *all);
    n = N_VARIABLES;
    for (char **at = environ; *at != NULL; at++) {
        if (!is_ours(*at)) {
            all[n++] = *at;
        }
    }
    return all;
}

/* Answers what is in errno. */
static int spawn(char *const *command, char **environment, int input,
                 pid_t *ret_child)
{
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);

    if (code != 0) {
        return code;
    }
    code = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (code == 0) {
        code = posix_spawnp(ret_child, command[0], &actions, NULL, command,
                            environment);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* Answers what is in errno. */
static int start(char *const *command, const on_change_event *event, int input,
                 pid_t *ret_child)
{
    char *ours[N_VARIABLES] = {NULL, NULL, NULL};
    bool is_good =
        asprintf(&ours[0], "MUSTER_EVENT=%s", event->type) >= 0 &&
        asprintf(&ours[1], "MUSTER_TARGET=%s", event->target) >= 0 &&
        asprintf(&ours[2], "MUSTER_SEQUENCE=%" PRIu64, event->sequence) >= 0;
    char **environment = is_good ? environment_with(ours) : NULL;
    int code = environment == NULL
                   ? ENOMEM
                   : spawn(command, environment, input, ret_child);

    free(environment);
    for (size_t i = 0; i < N_VARIABLES; i++) {
        free(ours[i]);
    }
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
        code = start(command, event, input, &child);
        (void)close(input);
    }
    if (child == 0) {
        return command_fail(EXIT_CODE_FAILURE, command[0], strerror(code));
    }
    await(command[0], child);
    return EXIT_CODE_OK;
}
