/* SPDX-License-Identifier: Apache-2.0 */
/* A process that calls exit() with channels, streams and calls open says
 * nothing, returns its code, and is gone within a second. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster.h"
#include "limit.h"
#include "load.h"
#include "scale.h"
#include "stream.h"

enum { CODE = 7, N_STREAMS = 10, N_CALLERS = 4, EXIT_MS = 1000 };

/* In the child. report gets a byte right before exit(). */
_Noreturn static void use_and_exit(int report)
{
    static cluster c; /* outlives this function, as what it holds does */

    cluster_init(&c, "exit", 3, NULL, NULL);
    cluster_list_ready(&c, 7);
    (void)stream_load_start(c.channel, N_STREAMS);
    (void)load_await(load_start_blocking(c.channel, N_CALLERS), 200);
    (void)load_await(load_start_queued(c.channel, N_CALLERS), 200);
    if (write(report, "x", 1) != 1) {
        cluster_die("no pipe");
    }
    exit(CODE);
}

static pid_t start_child(const int report[2], const int output[2])
{
    const pid_t pid = fork();

    if (pid == 0) {
        (void)dup2(output[1], STDOUT_FILENO);
        (void)dup2(output[1], STDERR_FILENO);
        (void)close(output[0]);
        (void)close(output[1]);
        (void)close(report[0]);
        use_and_exit(report[1]);
    }
    (void)close(report[1]);
    (void)close(output[1]);
    return pid;
}

static size_t read_all(int descriptor, char *text, size_t size)
{
    size_t length = 0;
    ssize_t n = 1;

    while (n > 0 && length < size - 1) {
        n = read(descriptor, text + length, size - 1 - length);
        length += n > 0 ? (size_t)n : 0;
    }
    text[length] = '\0';
    return length;
}

/* True when the child behaved. */
static bool exit_once(uint64_t *slowest_ns)
{
    int report[2];
    int output[2];
    char text[4096];
    char unused;
    int status = 0;
    uint64_t begun_ns;
    uint64_t taken_ns;
    pid_t pid;

    if (pipe(report) != 0 || pipe(output) != 0) {
        cluster_die("no pipe");
    }
    pid = start_child(report, output);
    if (read(report[0], &unused, 1) != 1) {
        (void)fprintf(stderr, "it never came to exit()\n");
    }
    begun_ns = now_ns();
    (void)waitpid(pid, &status, 0);
    taken_ns = now_ns() - begun_ns;
    *slowest_ns = taken_ns > *slowest_ns ? taken_ns : *slowest_ns;
    if (read_all(output[0], text, sizeof text) > 0) {
        (void)fprintf(stderr, "it said: %s\n", text);
    }
    (void)close(report[0]);
    (void)close(output[0]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != CODE) {
        (void)fprintf(stderr, "wait status 0x%x\n", (unsigned)status);
        return false;
    }
    return text[0] == '\0' && taken_ns < limit_ns(EXIT_MS);
}

int main(void)
{
    const size_t n_times = scale(5, 100);
    uint64_t slowest_ns = 0;
    size_t n_good = 0;

    for (size_t i = 0; i < n_times; i++) {
        n_good += exit_once(&slowest_ns);
    }
    (void)printf("%zu of %zu exits were quiet, the slowest took %.1f ms\n",
                 n_good, n_times, (double)slowest_ns / 1e6);
    return n_good == n_times ? EXIT_SUCCESS : EXIT_FAILURE;
}
