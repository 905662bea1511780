/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket is opened, asked on several threads and closed, while lists
 * change, channels come and go, and the process forks: who asks gets whole
 * lines. A plain program, for all lanes. */
#include <muster/muster.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "script_resolver.h"

enum { ASKERS = 3, ROUNDS = 150, MAX_ENDPOINTS = 20, ROUNDS_A_FORK = 50 };

static char path[64];
static char address[80];
static atomic_bool is_stopping;
static atomic_uint n_answers;

static void must(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "admin_socket: %s\n", what);
        abort();
    }
}

/* Whether a whole line came, of which the last byte but one must be "}". */
static bool read_line(int fd)
{
    char last = '\0';
    char byte = '\0';

    while (recv(fd, &byte, 1, 0) == 1) {
        if (byte == '\n') {
            must(last == '}', "half an object");
            return true;
        }
        last = byte;
    }
    return false;
}

static void *ask(void *unused)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};

    (void)unused;
    strcpy(place.sun_path, path);
    while (!atomic_load(&is_stopping)) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (connect(fd, (const struct sockaddr *)&place, sizeof place) == 0) {
            for (int i = 0; i < 3; i++) {
                (void)send(fd, "channels\n", 9, MSG_NOSIGNAL);
                if (!read_line(fd)) {
                    break;
                }
                atomic_fetch_add(&n_answers, 1);
            }
            (void)send(fd, "channels\n", 9, MSG_NOSIGNAL); /* and goes */
        }
        (void)close(fd);
    }
    return NULL;
}

static void report(size_t n)
{
    muster_endpoint endpoints[MAX_ENDPOINTS] = {{0}};
    char addresses[MAX_ENDPOINTS][32];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.0.%zu:1",
                       i + 1);
        endpoints[i].address = addresses[i];
    }
    script_report("asked", endpoints, n);
}

static void live_once(void)
{
    muster_channel *channel = NULL;

    must(muster_channel_create("script:///asked", NULL, &channel, NULL) ==
             MUSTER_OK,
         "no channel");
    for (size_t n = 1; n <= MAX_ENDPOINTS; n++) {
        report(n);
    }
    muster_channel_destroy(channel);
}

static void await_answers(void)
{
    const unsigned n = atomic_load(&n_answers);

    while (atomic_load(&n_answers) < n + ASKERS) {
        (void)sched_yield();
    }
}

static void fork_once(void)
{
    pid_t child = fork();

    if (child == 0) {
        muster_admin_close();
        _exit(0);
    }
    must(child > 0 && waitpid(child, NULL, 0) == child, "no child");
}

/* The control thread lives on: libuv closes its descriptors unseen by the
 * sanitizer, and another thread may get their numbers. */
static void live(void)
{
    muster_channel *channel = NULL;

    must(muster_channel_create("script:///asked", NULL, &channel, NULL) ==
             MUSTER_OK,
         "no channel");
    for (int i = 0; i < ROUNDS; i++) {
        must(muster_admin_listen(address, NULL) == MUSTER_OK, "no socket");
        live_once();
        await_answers();
        if (i % ROUNDS_A_FORK == 0) {
            fork_once();
        }
        muster_admin_close();
    }
    must(muster_admin_listen(address, NULL) == MUSTER_OK, "no socket");
    muster_channel_destroy(channel);
}

int main(void)
{
    char folder[] = "/tmp/muster-admin-XXXXXX";
    pthread_t threads[ASKERS];

    must(mkdtemp(folder) != NULL, "no folder");
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    (void)snprintf(address, sizeof address, "unix:%s", path);
    script_register();
    for (int i = 0; i < ASKERS; i++) {
        must(pthread_create(&threads[i], NULL, ask, NULL) == 0, "no thread");
    }
    live();
    atomic_store(&is_stopping, true);
    for (int i = 0; i < ASKERS; i++) {
        must(pthread_join(threads[i], NULL) == 0, "no end of a thread");
    }
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    must(rmdir(folder) == 0, "the socket is left");
    (void)printf("%u answers\n", atomic_load(&n_answers));
    return 0;
}
