/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends a fake admin socket. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_admin.h"

static void be_the_process(const fake_admin *self, const char *answers,
                           int input, int output)
{
    (void)dup2(input, STDIN_FILENO);
    (void)dup2(output, STDOUT_FILENO);
    (void)execl(MUSTER_FAKE_ADMIN_PATH, "fake_admin", self->path, answers,
                (char *)NULL);
    _exit(127);
}

bool fake_admin_start(fake_admin *self, const char *answers)
{
    int input[2];
    int output[2];
    char ready[8] = "";

    strcpy(self->folder, "/tmp/muster-fake-admin-XXXXXX");
    if (mkdtemp(self->folder) == NULL || pipe2(input, O_CLOEXEC) != 0 ||
        pipe2(output, O_CLOEXEC) != 0) {
        perror("fake_admin_start");
        return false;
    }
    (void)snprintf(self->path, sizeof self->path, "%s/socket", self->folder);
    self->pid = fork();
    if (self->pid == 0) {
        be_the_process(self, answers, input[0], output[1]);
    }
    (void)close(input[0]);
    (void)close(output[1]);
    self->input = input[1];
    (void)!read(output[0], ready, sizeof ready - 1);
    (void)close(output[0]);
    return self->pid > 0 && strcmp(ready, "ready\n") == 0;
}

void fake_admin_end(fake_admin *self)
{
    if (self->pid > 0) {
        (void)close(self->input);
        (void)waitpid(self->pid, NULL, 0);
        (void)rmdir(self->folder);
        self->pid = 0;
    }
}
