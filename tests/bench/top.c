/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs a process that muster top looks at it:
 * top [--json] [--quick] [--limit PERCENT]
 *
 * 1 000 endpoints, 50 000 picks a second, with and without muster top in turn:
 * the processor time of this process, control thread and workers included. It
 * looks ten times a second here, and a tenth is told: the time of the picks
 * alone varies by more than what one look a second costs. The calls themselves
 * are left out, so the cost is told of one processor, which is less than what
 * so many calls take. With a limit it fails above that. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <muster/muster.h>

#include "figure.h"
#include "many.h"

extern char **environ;

enum { ENDPOINTS = 1000, PICKS_PER_MS = 50, MAX_ROUNDS = 7, LOOKS_PER_S = 10 };

typedef struct watched {
    char folder[32];
    char socket[64];
    muster_channel *channel;
    pthread_t thread;
    atomic_bool is_ending;
    _Atomic uint64_t n_picks;
} watched;

static void die(const char *what)
{
    (void)fprintf(stderr, "top: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- the process that is looked at ---- */

static void sleep_until(struct timespec *next)
{
    next->tv_nsec += 1000000;
    if (next->tv_nsec >= 1000000000) {
        next->tv_nsec -= 1000000000;
        next->tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) ==
           EINTR) {
        /* again */
    }
}

static void *pick_steadily(void *arg)
{
    watched *self = arg;
    struct timespec next;

    (void)clock_gettime(CLOCK_MONOTONIC, &next);
    while (!atomic_load(&self->is_ending)) {
        for (int i = 0; i < PICKS_PER_MS; i++) {
            muster_lease lease = {0};

            if (muster_channel_pick(self->channel, NULL, &lease, NULL) ==
                MUSTER_OK) {
                atomic_fetch_add(&self->n_picks, 1);
            }
            muster_lease_finish(&lease, NULL);
        }
        sleep_until(&next);
    }
    return NULL;
}

static void await_ready(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    do {
        if (muster_channel_get_stats(channel, &stats) != MUSTER_OK) {
            die("no statistics");
        }
    } while (stats.ready < ENDPOINTS);
}

static void begin(watched *self)
{
    muster_channel_options options = {.struct_size = sizeof options};
    char address[80];
    muster_error err;

    strcpy(self->folder, "/tmp/muster-bench-top-XXXXXX");
    if (mkdtemp(self->folder) == NULL) {
        die(strerror(errno));
    }
    (void)snprintf(self->socket, sizeof self->socket, "%s/socket",
                   self->folder);
    (void)snprintf(address, sizeof address, "unix:%s", self->socket);
    if (muster_plugin_register(muster_builtin_many, &err) != MUSTER_OK ||
        muster_channel_create("many:///1000", &options, &self->channel, &err) !=
            MUSTER_OK ||
        muster_admin_listen(address, &err) != MUSTER_OK) {
        die(err.message);
    }
    await_ready(self->channel);
    if (pthread_create(&self->thread, NULL, pick_steadily, self) != 0) {
        die("no thread");
    }
}

static void end(watched *self)
{
    atomic_store(&self->is_ending, true);
    (void)pthread_join(self->thread, NULL);
    muster_channel_destroy(self->channel);
    muster_admin_close();
    (void)rmdir(self->folder);
}

/* ---- who looks at it ---- */

static pid_t start_top(watched *self)
{
    static char command[] = MUSTER_COMMAND_PATH;
    char *argv[] = {command,    "top",        "--plain", "--interval=100ms",
                    "--socket", self->socket, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
                                           O_WRONLY, 0);
    if (posix_spawn(&pid, command, &actions, NULL, argv, environ) != 0) {
        die("cannot start muster top");
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* It must have been there all the time. */
static void stop_top(pid_t pid)
{
    if (waitpid(pid, NULL, WNOHANG) != 0) {
        die("muster top has ended");
    }
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
}

/* ---- measuring ---- */

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double used_s(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Percent of a processor that this process used in seconds. */
static double percent_used(unsigned seconds)
{
    double began = now_s();
    double used = used_s();

    (void)sleep(seconds);
    return 100 * (used_s() - used) / (now_s() - began);
}

static int compare(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;

    return (*a > *b) - (*a < *b);
}

/* The median of the differences, round by round, for one look a second. */
static double measure(watched *self)
{
    int n = figure_is_quick() ? 1 : MAX_ROUNDS;
    unsigned seconds = figure_is_quick() ? 1 : 5;
    double costs[MAX_ROUNDS];
    double alone = 0;

    for (int i = 0; i < n; i++) {
        pid_t top;

        alone = percent_used(seconds);
        top = start_top(self);
        costs[i] = (percent_used(seconds) - alone) / LOOKS_PER_S;
        stop_top(top);
    }
    qsort(costs, (size_t)n, sizeof *costs, compare);
    figure_print("without_top", alone, "% of a processor");
    figure_print("top_least", costs[0], "% of a processor");
    figure_print("top_most", costs[n - 1], "% of a processor");
    return costs[n / 2];
}

int main(int argc, char **argv)
{
    static watched self;
    double limit = 100;
    double began;
    double cost;

    figure_init(&argc, argv);
    if (argc == 3 && strcmp(argv[1], "--limit") == 0) {
        limit = strtod(argv[2], NULL);
    } else if (argc != 1) {
        die("usage: top [--json] [--quick] [--limit PERCENT]");
    }
    begin(&self);
    began = now_s();
    cost = measure(&self);
    figure_print("picks_per_s",
                 (double)atomic_load(&self.n_picks) / (now_s() - began), "/s");
    figure_print("top_cost", cost, "% of a processor");
    end(&self);
    return cost < limit ? EXIT_SUCCESS : EXIT_FAILURE;
}
