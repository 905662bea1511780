/* SPDX-License-Identifier: Apache-2.0 */
/* A C program outside the tree: watches a target until its list is there. */
#include <semaphore.h>
#include <stdio.h>

#include <muster/muster.h>

static sem_t is_listed;

static void on_event(void *arg, const muster_watch_event *event)
{
    size_t *n_endpoints = arg;

    *n_endpoints = event->n_endpoints;
    (void)sem_post(&is_listed);
}

int main(void)
{
    size_t n_endpoints = 0;
    muster_watch *watch;
    muster_error err;

    (void)sem_init(&is_listed, 0, 0);
    if (muster_watch_create("static:///10.0.0.1:1,10.0.0.2:1", on_event,
                            &n_endpoints, &watch, &err) != MUSTER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    (void)sem_wait(&is_listed);
    muster_watch_destroy(watch);
    (void)printf("muster %s: %zu endpoints\n", muster_version(), n_endpoints);
    return muster_shutdown() == MUSTER_OK && n_endpoints == 2 ? 0 : 1;
}
