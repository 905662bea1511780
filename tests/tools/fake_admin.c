/* SPDX-License-Identifier: Apache-2.0 */
/* fake_admin PATH FILE: an admin socket that answers what FILE says, a line a
 * request, whoever asks; the last line again and again. At a line "gone" it
 * ends. So it does when its standard input ends. Says "ready" when it listens.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTENER, STANDARD_INPUT, FIRST_CLIENT, MAX_FDS = 16 };

typedef struct fake {
    FILE *answers;
    char *answer; /* the latest */
    size_t size;
    struct pollfd fds[MAX_FDS];
    nfds_t n_fds;
} fake;

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path) {
        return -1;
    }
    strcpy(address.sun_path, path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 8) != 0) {
        return -1;
    }
    return fd;
}

static void take_client(fake *self)
{
    int fd = accept(self->fds[LISTENER].fd, NULL, NULL);

    if (fd >= 0 && self->n_fds < MAX_FDS) {
        self->fds[self->n_fds++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
}

static void next_answer(fake *self)
{
    char *line = NULL;
    size_t size = 0;

    if (getline(&line, &size, self->answers) > 0) {
        free(self->answer);
        self->answer = line;
        self->size = strlen(line);
    } else {
        free(line);
    }
}

/* False: it is to end. */
static bool answer(fake *self, nfds_t i)
{
    char request[256];
    ssize_t n = recv(self->fds[i].fd, request, sizeof request, 0);

    if (n <= 0) {
        (void)close(self->fds[i].fd);
        self->fds[i] = self->fds[--self->n_fds];
        return true;
    }
    next_answer(self);
    if (self->answer == NULL || strcmp(self->answer, "gone\n") == 0) {
        return false;
    }
    (void)send(self->fds[i].fd, self->answer, self->size, MSG_NOSIGNAL);
    return true;
}

static void serve(fake *self)
{
    for (;;) {
        if (poll(self->fds, self->n_fds, -1) < 0 ||
            self->fds[STANDARD_INPUT].revents != 0) {
            return;
        }
        for (nfds_t i = self->n_fds; i-- > FIRST_CLIENT;) {
            if (self->fds[i].revents != 0 && !answer(self, i)) {
                return;
            }
        }
        if (self->fds[LISTENER].revents != 0) {
            take_client(self);
        }
    }
}

int main(int argc, char **argv)
{
    fake self = {.n_fds = FIRST_CLIENT};

    if (argc != 3) {
        return EXIT_FAILURE;
    }
    self.answers = fopen(argv[2], "re");
    self.fds[LISTENER] =
        (struct pollfd){.fd = listen_at(argv[1]), .events = POLLIN};
    self.fds[STANDARD_INPUT] =
        (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    if (self.answers == NULL || self.fds[LISTENER].fd < 0) {
        perror("fake_admin");
        return EXIT_FAILURE;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    serve(&self);
    (void)unlink(argv[1]);
    (void)fclose(self.answers);
    free(self.answer);
    return EXIT_SUCCESS;
}
