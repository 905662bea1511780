/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends muster-echo-server. */
#include "backend.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FLAGS 40
#define PATIENCE_MS 30000

static const char *server_path(void)
{
    const char *path = getenv("MUSTER_ECHO_SERVER");

    return path == NULL ? MUSTER_ECHO_SERVER_PATH : path;
}

/* input[0] and output[1] become the child's; it gets no other descriptor. */
static pid_t spawn(char **argv, const int input[2], const int output[2])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid = 0;

    (void)sigemptyset(&none);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    if (posix_spawn(&pid, argv[0], &actions, &attributes, argv, environ) != 0) {
        pid = 0;
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return pid;
}

/* Takes over descriptor. */
static bool read_port(int descriptor, backend *started)
{
    char line[32];

    started->output = fdopen(descriptor, "r");
    if (started->output == NULL) {
        (void)close(descriptor);
        return false;
    }
    return fgets(line, sizeof line, started->output) != NULL &&
           sscanf(line, "PORT %d", &started->port) == 1;
}

static const char *value_of(const char *const *flags, const char *name)
{
    for (size_t i = 0; flags != NULL && flags[i] != NULL; i++) {
        if (strcmp(flags[i], name) == 0) {
            return flags[i + 1];
        }
    }
    return NULL;
}

static void set_address(backend *started, const char *const *flags)
{
    const char *path = value_of(flags, "--unix");
    const char *host = value_of(flags, "--address");

    if (path == NULL) {
        (void)snprintf(started->address, sizeof started->address, "%s:%d",
                       host == NULL ? "127.0.0.1" : host, started->port);
    } else {
        (void)snprintf(started->address, sizeof started->address, "unix:%s",
                       path);
    }
}

bool backend_start(backend *ret_backend, const char *const *flags)
{
    char *argv[MAX_FLAGS + 2] = {(char *)(size_t)server_path()};
    backend started = {0};
    int input[2];
    int output[2];

    for (size_t i = 0; flags != NULL && flags[i] != NULL; i++) {
        if (i == MAX_FLAGS) {
            return false;
        }
        argv[i + 1] = (char *)(size_t)flags[i];
    }
    if (pipe2(input, O_CLOEXEC) != 0) {
        return false;
    }
    if (pipe2(output, O_CLOEXEC) != 0) {
        (void)close(input[0]);
        (void)close(input[1]);
        return false;
    }
    started.pid = spawn(argv, input, output);
    started.input = input[1];
    (void)close(input[0]);
    (void)close(output[1]);
    if (!read_port(output[0], &started) || started.pid == 0) {
        backend_kill(&started);
        return false;
    }
    set_address(&started, flags);
    *ret_backend = started;
    return true;
}

bool backend_start_on(backend *ret_backend, int port)
{
    char text[16];
    const char *const flags[] = {"--port", text, NULL};

    (void)snprintf(text, sizeof text, "%d", port);
    for (int i = 0; i < PATIENCE_MS; i += 100) {
        if (backend_start(ret_backend, flags)) {
            return true;
        }
        (void)poll(NULL, 0, 100);
    }
    return false;
}

bool backend_await_call(backend *server)
{
    char line[16];

    return fgets(line, sizeof line, server->output) != NULL &&
           strcmp(line, "CALL\n") == 0;
}

/* Sends a line and reads the one that answers it, over what is told of calls.
 */
static bool ask(backend *server, const char *command, char *line, int size)
{
    if (dprintf(server->input, "%s\n", command) < 0) {
        return false;
    }
    do {
        if (fgets(line, size, server->output) == NULL) {
            return false;
        }
    } while (strcmp(line, "CALL\n") == 0);
    return true;
}

bool backend_tell(backend *server, const char *command)
{
    char line[512];

    return ask(server, command, line, sizeof line) && strcmp(line, "OK\n") == 0;
}

uint64_t backend_count(backend *server, const char *name)
{
    char line[512];
    char *rest = NULL;
    const size_t length = strlen(name);

    if (!ask(server, "counts", line, sizeof line)) {
        return UINT64_MAX;
    }
    for (const char *item = strtok_r(line, " ", &rest); item != NULL;
         item = strtok_r(NULL, " ", &rest)) {
        if (strncmp(item, name, length) == 0 && item[length] == '=') {
            return strtoumax(item + length + 1, NULL, 10);
        }
    }
    return UINT64_MAX;
}

bool backend_await_count(backend *server, const char *name, uint64_t expected)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (backend_count(server, name) == expected) {
            return true;
        }
        (void)poll(NULL, 0, 1);
    }
    return false;
}

/* A signal stops threads one by one; the parent is told when all are. */
void backend_freeze(backend *server)
{
    if (server->pid != 0) {
        (void)kill(server->pid, SIGSTOP);
        (void)waitpid(server->pid, NULL, WUNTRACED);
    }
}

void backend_thaw(backend *server)
{
    if (server->pid != 0) {
        (void)kill(server->pid, SIGCONT);
    }
}

static void end_with(backend *server, int signal_number)
{
    if (server->pid != 0) {
        (void)kill(server->pid, signal_number);
        (void)waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
    if (server->output != NULL) {
        (void)fclose(server->output);
        server->output = NULL;
    }
    if (server->input != 0) {
        (void)close(server->input);
        server->input = 0;
    }
}

void backend_stop(backend *server)
{
    end_with(server, SIGTERM);
}

void backend_kill(backend *server)
{
    end_with(server, SIGKILL);
}
