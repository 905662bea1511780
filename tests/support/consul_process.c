/* SPDX-License-Identifier: Apache-2.0 */
/* Starts, stops and ends Consul agents. */
#include "consul_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_SIZE = 128, LINE_SIZE = 512 };

static char *binary(void)
{
    static char fetched[] = MUSTER_CONSUL_PATH;
    static char elsewhere[] = "consul";
    char *chosen = getenv("MUSTER_CONSUL");

    if (chosen != NULL) {
        return chosen;
    }
    return access(fetched, X_OK) == 0 ? fetched : elsewhere;
}

/* setpriv becomes consul, which the kernel then kills with its parent. */
pid_t consul_process_spawn(const consul *self)
{
    static char setpriv[] = "setpriv";
    static char pdeathsig[] = "--pdeathsig";
    static char signal_name[] = "KILL";
    static char agent[] = "agent";
    static char dev[] = "-dev";
    static char config_file[] = "-config-file";
    char config[PATH_SIZE];
    char log[PATH_SIZE];
    char *argv[] = {
        setpriv, pdeathsig,   signal_name, binary(),
        agent,   config_file, config,      self->options.has_data ? NULL : dev,
        NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;

    (void)snprintf(config, sizeof config, "%s/config.json", self->folder);
    (void)snprintf(log, sizeof log, "%s/log", self->folder);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                           O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log,
                                           O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO,
                                           STDERR_FILENO);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0) {
        perror("setpriv");
        pid = 0;
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

bool consul_process_has_ended(consul *self)
{
    if (self->pid != 0 && waitpid(self->pid, NULL, WNOHANG) == 0) {
        return false;
    }
    self->pid = 0;
    return true;
}

void consul_process_show_log(const consul *self)
{
    char path[PATH_SIZE];
    char line[LINE_SIZE];
    FILE *log;

    (void)snprintf(path, sizeof path, "%s/log", self->folder);
    log = fopen(path, "re");
    while (log != NULL && fgets(line, sizeof line, log) != NULL) {
        (void)fprintf(stderr, "consul: %s", line);
    }
    if (log != NULL) {
        (void)fclose(log);
    }
}

void consul_kill(consul *self)
{
    if (self->pid != 0) {
        (void)kill(self->pid, SIGKILL);
        (void)waitpid(self->pid, NULL, 0);
        self->pid = 0;
    }
}

/* A signal stops threads one by one; the parent is told when all are. */
void consul_freeze(consul *self)
{
    int status;

    if (self->pid != 0) {
        (void)kill(self->pid, SIGSTOP);
        if (waitpid(self->pid, &status, WUNTRACED) != self->pid ||
            !WIFSTOPPED(status)) {
            self->pid = 0;
        }
    }
}

void consul_thaw(consul *self)
{
    if (self->pid != 0) {
        (void)kill(self->pid, SIGCONT);
    }
}
