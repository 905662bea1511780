/* SPDX-License-Identifier: Apache-2.0 */
/* Names looked up for a plugin, while watches of the same names come and go and
 * a worker loads the plugin that serves them. */
#include <muster/muster.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asker.h"
#include "loop.h"

enum { N_WATCHERS = 3, ROUNDS = 40, LOOKUPS = 100 };

static sem_t answered;
static unsigned n_good; /* control thread only, until the end */

static void die(const char *what)
{
    (void)fprintf(stderr, "%s\n", what);
    abort();
}

static void on_event(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)event;
}

static muster_watch *watch_of(const char *target)
{
    muster_watch *watch = NULL;
    muster_error err;

    if (muster_watch_create(target, on_event, NULL, &watch, &err) !=
        MUSTER_OK) {
        die(err.message);
    }
    return watch;
}

static void *watcher(void *unused)
{
    (void)unused;
    for (unsigned round = 0; round < ROUNDS; round++) {
        muster_watch_destroy(watch_of("dns:///one.test"));
    }
    return NULL;
}

static void on_answer(void *arg, muster_status status,
                      const char *const *addresses, size_t n)
{
    (void)arg;
    n_good +=
        status == MUSTER_OK && n == 1 && strcmp(addresses[0], "10.0.0.1") == 0;
    (void)sem_post(&answered);
}

static void ask(void *name)
{
    if (asker_host->resolve(asker_ctx, name, on_answer, NULL) != MUSTER_OK) {
        die("a lookup was refused");
    }
}

static void ask_on_control(const char *name)
{
    (void)muster__loop_call(ask, (void *)(size_t)name, MUSTER_FOREVER);
}

int main(void)
{
    pthread_t watchers[N_WATCHERS];
    muster_watch *asker;

    (void)sem_init(&answered, 0, 0);
    (void)setenv("MUSTER_PLUGIN_PATH", MUSTER_TEST_NAMES_DIR, 1);
    if (muster_plugin_register(asker_entry, NULL) != MUSTER_OK) {
        die("the plugin was refused");
    }
    asker = watch_of("asker:///x");
    ask_on_control("one.test");
    for (int i = 0; i < N_WATCHERS; i++) {
        (void)pthread_create(&watchers[i], NULL, watcher, NULL);
    }
    for (int i = 1; i < LOOKUPS; i++) {
        ask_on_control("one.test");
    }
    for (int i = 0; i < LOOKUPS; i++) {
        while (sem_wait(&answered) != 0) {
        }
    }
    for (int i = 0; i < N_WATCHERS; i++) {
        (void)pthread_join(watchers[i], NULL);
    }
    ask_on_control("silent.test"); /* and muster ends with it */
    muster_watch_destroy(asker);
    if (muster_shutdown() != MUSTER_OK) {
        die("a lookup kept muster from ending");
    }
    (void)printf("%u of %d lookups were answered\n", n_good, LOOKUPS);
    return n_good != LOOKUPS;
}
