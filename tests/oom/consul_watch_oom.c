/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a watch on consul fails once, those of libcurl too, and
 * eight in a row: nothing crashes, hangs or leaks, every error is an error, and
 * when memory is back the next list comes, to the same watch.
 * The agent is a process of its own, whose allocations do not fail.
 *   consul_watch_oom [STEP]   waits for that in every STEP-th run; 1: in all
 */
#include <muster/muster.h>
#include <muster/plugin.h>

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "http_server.h"
#include "passes.h"

const muster_plugin *muster_builtin_consul(void);

enum { HANG_S = 20, STEP_DEFAULT = 8, ADDRESS_SIZE = 32 };

/* What both processes see. */
typedef struct agent {
    atomic_int port; /* 0: does not listen yet */
    atomic_int generation;
} agent;

static agent *shared;
static pid_t agent_pid;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t step = STEP_DEFAULT; /* of the runs that wait */
static bool has_event;               /* by mutex, as what follows */
static char last[ADDRESS_SIZE];

static void die(const char *what)
{
    (void)failing_malloc_disarm();
    (void)kill(agent_pid, SIGKILL);
    passes_die(what);
}

/* ---- the agent ---- */

/* A list of one address, 10.0.0.GENERATION, again when that changes. */
static bool answer(void *arg, http_exchange *exchange)
{
    const char *index = strstr(exchange->target, "index=");
    int known = index != NULL ? atoi(index + strlen("index=")) : 0;
    int now;
    char body[128];
    char header[16];

    (void)arg;
    while ((now = atomic_load(&shared->generation)) == known) {
        if (!http_wait(exchange, 1)) {
            return false;
        }
    }
    (void)snprintf(header, sizeof header, "%d", now);
    (void)snprintf(body, sizeof body,
                   "[{\"Service\":{\"Address\":\"10.0.0.%d\",\"Port\":80}}]",
                   now);
    return http_list(exchange, header, body);
}

static void run_agent(void)
{
    http_server *server = http_server_start(answer, NULL);

    if (server == NULL || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        _exit(1);
    }
    atomic_store(&shared->port, http_server_port(server));
    for (;;) {
        (void)pause(); /* until it is killed */
    }
}

static void start_agent(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        die("cannot begin");
    }
    atomic_store(&shared->generation, 1);
    agent_pid = fork();
    if (agent_pid == 0) {
        run_agent();
    }
    (void)alarm(HANG_S);
    while (agent_pid > 0 && atomic_load(&shared->port) == 0 &&
           waitpid(agent_pid, NULL, WNOHANG) == 0) {
    }
    if (atomic_load(&shared->port) == 0) {
        die("there is no agent");
    }
}

/* ---- the watch ---- */

static void on_event(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)pthread_mutex_lock(&mutex);
    has_event = true;
    (void)snprintf(last, sizeof last, "%s",
                   event->n_endpoints > 0 ? event->endpoints[0].address : "");
    (void)pthread_cond_signal(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

/* Need no memory. A hang is for alarm(). */
static void await_event(void)
{
    (void)pthread_mutex_lock(&mutex);
    while (!has_event) {
        (void)pthread_cond_wait(&changed, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

static void await_next(void)
{
    int now = atomic_load(&shared->generation) % 250 + 1;
    char newest[ADDRESS_SIZE];

    (void)snprintf(newest, sizeof newest, "10.0.0.%d:80", now);
    atomic_store(&shared->generation, now);
    (void)pthread_mutex_lock(&mutex);
    while (strcmp(last, newest) != 0) {
        (void)pthread_cond_wait(&changed, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

/* Whether the countdown-th allocation was reached. */
static bool run(void *arg, const passes_failure *failure)
{
    const char *target = arg;
    const bool waits = failure->pass < 2 && failure->countdown % step == 0;
    muster_watch *watch = NULL;
    muster_status status;
    bool has_failed;

    has_event = false;
    (void)alarm(HANG_S);
    failing_malloc_arm(failure->countdown, failure->n);
    status = muster_watch_create(target, on_event, NULL, &watch, NULL);
    if (status == MUSTER_OK) {
        await_event();
    } else if (status != MUSTER_NOMEM && status != MUSTER_UNAVAILABLE) {
        die(muster_status_name(status));
    }
    has_failed = failing_malloc_disarm();
    if (status == MUSTER_OK && (waits || !has_failed)) {
        await_next();
    }
    if (status != MUSTER_OK && !has_failed) {
        die("failed without a reason");
    }
    muster_watch_destroy(watch);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    return has_failed;
}

static void set_step(const char *text)
{
    if (text != NULL) {
        step = strtoull(text, NULL, 10);
        step = step != 0 ? step : 1;
    }
}

int main(int argc, char **argv)
{
    char target[64];
    int code;

    set_step(argc > 1 ? argv[1] : NULL);
    start_agent();
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free, realloc, strdup,
                             calloc) != CURLE_OK ||
        muster_plugin_register(muster_builtin_consul, NULL) != MUSTER_OK) {
        die("cannot begin");
    }
    (void)snprintf(target, sizeof target, "consul://127.0.0.1:%d/web",
                   atomic_load(&shared->port));
    code = passes_run(0, NULL, run, target);
    (void)kill(agent_pid, SIGKILL);
    (void)waitpid(agent_pid, NULL, 0);
    return code;
}
