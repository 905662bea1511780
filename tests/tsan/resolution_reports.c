/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver that reports from four threads while watches come and go. */
#include <muster/watch.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill.h"

#define N_REPORTERS 4
#define N_WATCHERS 2
#define ROUNDS 60

/* The newest env may be an instance's that is going away: reporters
 * use the host table and the ctx, as a careless plugin would. */
static const muster_resolver_host *_Atomic host;
static _Atomic(void *) newest_ctx;
static atomic_bool is_over;
static atomic_uint n_events;

static void remember(const muster_resolver_env *env)
{
    atomic_store(&newest_ctx, env->ctx);
    atomic_store(&host, env->host);
}

static void report_list(void *ctx, unsigned round)
{
    char address[32];
    muster_endpoint endpoints[2] = {{.address = "10.0.0.1:1"},
                                    {.address = address}};
    muster_update update = {.struct_size = sizeof update,
                            .endpoint_size = sizeof *endpoints,
                            .endpoints = endpoints,
                            .n_endpoints = 2};

    (void)snprintf(address, sizeof address, "10.0.0.2:%u", 1 + round % 50);
    (void)host->report(ctx, &update, NULL);
}

static void report_delta(void *ctx, unsigned round)
{
    char address[32];
    muster_endpoint endpoint = {.address = address};
    muster_delta delta = {.struct_size = sizeof delta,
                          .endpoint_size = sizeof endpoint};

    (void)snprintf(address, sizeof address, "10.0.0.3:%u", 1 + round % 50);
    if (round % 2 == 0) {
        delta.upserted = &endpoint;
        delta.n_upserted = 1;
    } else {
        delta.removed = &endpoint;
        delta.n_removed = 1;
    }
    (void)host->report_delta(ctx, &delta, NULL);
}

static void ignore(void *arg)
{
    (void)arg;
}

static void *reporter(void *arg)
{
    (void)arg;
    for (unsigned round = 0; !atomic_load(&is_over); round++) {
        void *ctx = atomic_load(&newest_ctx);
        uint64_t timer = 0;

        report_list(ctx, round);
        report_delta(ctx, round);
        (void)host->call_later(ctx, round % 3, ignore, NULL, &timer);
        (void)host->post(ctx, ignore, NULL);
        if (round % 7 == 0) {
            host->fail(ctx, MUSTER_UNAVAILABLE, "down");
        }
    }
    return NULL;
}

static void on_event(void *arg, const muster_watch_event *event)
{
    size_t length = 0;

    (void)arg;
    for (size_t i = 0; i < event->n_endpoints; i++) {
        length += strlen(event->endpoints[i].address);
    }
    atomic_fetch_add(&n_events, length > 0);
}

static void *watcher(void *arg)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        muster_watch *watch = NULL;
        muster_error error;

        if (muster_watch_create(arg, on_event, NULL, &watch, &error) !=
            MUSTER_OK) {
            (void)fprintf(stderr, "%s\n", error.message);
            abort();
        }
        muster_watch_refresh(watch);
        muster_watch_destroy(watch);
    }
    return NULL;
}

static void run(const char *target)
{
    pthread_t reporters[N_REPORTERS];
    pthread_t watchers[N_WATCHERS];
    muster_watch *steady = NULL;

    atomic_store(&is_over, false);
    if (muster_watch_create(target, on_event, NULL, &steady, NULL) !=
        MUSTER_OK) {
        abort();
    }
    AWAIT(atomic_load(&host) != NULL);
    for (int i = 0; i < N_REPORTERS; i++) {
        (void)pthread_create(&reporters[i], NULL, reporter, NULL);
    }
    for (int i = 0; i < N_WATCHERS; i++) {
        (void)pthread_create(&watchers[i], NULL, watcher, (void *)target);
    }
    for (int i = 0; i < N_WATCHERS; i++) {
        (void)pthread_join(watchers[i], NULL);
    }
    muster_watch_destroy(steady);
    /* Nobody listens: these are all late. */
    report_list(atomic_load(&newest_ctx), 1);
    watcher((void *)target);
    atomic_store(&is_over, true);
    for (int i = 0; i < N_REPORTERS; i++) {
        (void)pthread_join(reporters[i], NULL);
    }
}

int main(void)
{
    drill.in_create = remember;
    drill.stop = STOPS_ON_ANOTHER_THREAD;
    drill_open();
    run("drill:///a");
    run("block:///a");
    drill_close();
    (void)printf("%u events, %u instances\n", atomic_load(&n_events),
                 drill.n_creates);
    return drill.was_entered_twice || drill.n_creates != drill.n_frees;
}
