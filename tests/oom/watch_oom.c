/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a watch fails once, each in a run of its own: when memory
 * is back it is told the list, though the resolver says nothing more.
 *   watch_oom [FIRST [LAST]] */
#include <muster/muster.h>

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "passes.h"
#include "timing.h"

enum { ENDPOINTS = 2, WAITING_PASSES = 2, HANG_S = 20 };

static const char *const target = "static:///10.0.0.1:1,10.0.0.2:1";

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool has_event; /* by mutex, as what follows */
static bool has_list;  /* the last event was the list */

static void on_event(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)pthread_mutex_lock(&mutex);
    has_event = true;
    has_list = event->type != MUSTER_WATCH_ERROR &&
               event->n_endpoints == ENDPOINTS && event->endpoints != NULL;
    (void)pthread_cond_signal(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

/* Needs no memory. A hang is for alarm(). */
static void await(const bool *condition)
{
    (void)pthread_mutex_lock(&mutex);
    while (!*condition) {
        (void)pthread_cond_wait(&changed, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

/* Whether the countdown-th allocation was reached. */
static bool run(void *arg, const passes_failure *failure)
{
    muster_watch *watch = NULL;
    muster_status status;
    bool has_failed;

    (void)arg;
    (void)alarm(HANG_S);
    has_event = false;
    has_list = false;
    failing_malloc_arm(failure->countdown, failure->n);
    status = muster_watch_create(target, on_event, NULL, &watch, NULL);
    if (status == MUSTER_OK) {
        await(&has_event);
    } else if (status != MUSTER_NOMEM) {
        passes_die(muster_status_name(status));
    }
    has_failed = failing_malloc_disarm();
    if (status == MUSTER_OK && failure->pass < WAITING_PASSES) {
        await(&has_list);
    }
    muster_watch_destroy(watch);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    muster__timing_scale_waits_for_test(1000);
    return passes_run(argc, argv, run, NULL);
}
