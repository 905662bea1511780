/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends knotd, and finds out when it serves. */
#include "knot_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "knot_control.h"

enum {
    WAIT_S = 20,
    ANSWER_MS = 200,
    POLL_MS = 2,
    PATH_SIZE = 128,
    LINE_SIZE = 256
};

static char *knotd_path(void)
{
    static char usual[] = "/usr/sbin/knotd"; /* seldom in a user's PATH */
    static char elsewhere[] = "knotd";
    char *chosen = getenv("MUSTER_KNOTD");

    if (chosen != NULL) {
        return chosen;
    }
    return access(usual, X_OK) == 0 ? usual : elsewhere;
}

/* setpriv becomes knotd, which the kernel then kills with its parent. */
static pid_t spawn(const knot *self)
{
    char config[PATH_SIZE];
    char log[PATH_SIZE];
    char *argv[] = {"setpriv", "--pdeathsig", "KILL", knotd_path(),
                    "-c",      config,        NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid = 0;

    (void)snprintf(config, sizeof config, "%s/knot.conf", self->folder);
    (void)snprintf(log, sizeof log, "%s/log", self->folder);
    (void)sigemptyset(&none);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                           O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(
        &actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND,
        0600);
    (void)posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO,
                                           STDERR_FILENO);
    if (posix_spawnp(&pid, argv[0], &actions, &attributes, argv, environ) !=
        0) {
        pid = 0;
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return pid;
}

/* ---- whether it serves ---- */

static bool takes_commands(const knot *self)
{
    char path[PATH_SIZE];
    knot_control control;

    (void)snprintf(path, sizeof path, "%s/control", self->folder);
    if (!knot_control_open(&control, path)) {
        return false;
    }
    knot_control_close(&control);
    return true;
}

static int connect_udp(const knot *self)
{
    struct sockaddr_storage address;
    const socklen_t size =
        loopback_address(self->port.family, self->port.number, &address);
    const int fd = loopback_bind(self->port.family, SOCK_DGRAM, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, size) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool send_query(const knot *self, int fd)
{
    const bool is_root = strcmp(self->zone, ".") == 0;
    char name[DNS_NAME_SIZE + 16];
    uint8_t bytes[DNS_UDP_SIZE];
    dns_writer query = dns_writer_over(bytes, sizeof bytes);

    (void)snprintf(name, sizeof name, "knot-token.%s",
                   is_root ? "" : self->zone);
    dns_write_query(&query, 0, name, DNS_TYPE_TXT);
    return send(fd, bytes, query.length, 0) == (ssize_t)query.length;
}

/* False also when nobody answers, or one who does not know the token. */
static bool knows_token(const knot *self)
{
    const int fd = connect_udp(self);
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    char reply[DNS_UDP_SIZE];
    ssize_t n = -1;

    if (fd < 0) {
        return false;
    }
    if (send_query(self, fd) && poll(&waited, 1, ANSWER_MS) == 1) {
        n = recv(fd, reply, sizeof reply, 0);
    }
    (void)close(fd);
    return n > 0 &&
           memmem(reply, (size_t)n, self->token, strlen(self->token)) != NULL;
}

static bool has_ended(knot *self)
{
    if (waitpid(self->pid, NULL, WNOHANG) == 0) {
        return false;
    }
    self->pid = 0;
    return true;
}

static time_t now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static FILE *open_log(const knot *self)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "%s/log", self->folder);
    return fopen(path, "re");
}

static bool log_says(const knot *self, const char *text)
{
    FILE *log = open_log(self);
    char line[LINE_SIZE];
    bool says = false;

    while (log != NULL && !says && fgets(line, sizeof line, log) != NULL) {
        says = strstr(line, text) != NULL;
    }
    if (log != NULL) {
        (void)fclose(log);
    }
    return says;
}

/* It ends when it cannot bind, and takes commands when it has read the zone. */
static knot_outcome await(knot *self)
{
    const time_t end = now_s() + WAIT_S;

    while (now_s() <= end) {
        if (has_ended(self)) {
            return log_says(self, "cannot bind") ? KNOT_HAS_NO_PORT
                                                 : KNOT_FAILED;
        }
        if (takes_commands(self)) {
            if (knows_token(self)) {
                return KNOT_SERVES;
            }
            if (log_says(self, "failed to load zone")) {
                return KNOT_FAILED;
            }
        }
        (void)poll(NULL, 0, POLL_MS);
    }
    return KNOT_FAILED;
}

knot_outcome knot_process_start(knot *self)
{
    char control[PATH_SIZE];
    knot_outcome outcome;

    (void)snprintf(control, sizeof control, "%s/control", self->folder);
    (void)unlink(control);
    self->pid = spawn(self);
    if (self->pid == 0) {
        perror("setpriv");
        return KNOT_FAILED;
    }
    outcome = await(self);
    if (outcome != KNOT_SERVES) {
        knot_kill(self);
    }
    return outcome;
}

void knot_process_show_log(const knot *self)
{
    FILE *log = open_log(self);
    char line[LINE_SIZE];

    if (log == NULL) {
        return;
    }
    while (fgets(line, sizeof line, log) != NULL) {
        (void)fprintf(stderr, "knotd: %s", line);
    }
    (void)fclose(log);
}

/* ---- ending ---- */

static void end_with(knot *self, int signal_number)
{
    if (self->pid != 0) {
        (void)kill(self->pid, signal_number);
        (void)kill(self->pid, SIGCONT); /* should it be frozen */
        (void)waitpid(self->pid, NULL, 0);
        self->pid = 0;
    }
}

void knot_stop(knot *self)
{
    end_with(self, SIGTERM);
}

void knot_kill(knot *self)
{
    end_with(self, SIGKILL);
}

/* A signal stops threads one by one; the parent is told when all are. */
void knot_freeze(knot *self)
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

void knot_thaw(knot *self)
{
    if (self->pid != 0) {
        (void)kill(self->pid, SIGCONT);
    }
}
