/* SPDX-License-Identifier: Apache-2.0 */
/* Calls made before there is any endpoint. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"
#include "scale.h"

enum { N_SERVERS = 3, ALL = (1 << N_SERVERS) - 1 };

typedef struct parked {
    cluster *cluster;
    uint64_t n;
} parked;

static bool are_parked(void *arg)
{
    const parked *self = arg;

    return cluster_stats(self->cluster).parked == self->n;
}

static void await_parked(cluster *c, size_t n)
{
    parked waiting = {.cluster = c, .n = n};

    cr_assert(eventually(are_parked, &waiting), "%lu of %zu are parked",
              cluster_stats(c).parked, n);
}

static muster_call *make_call(cluster *c)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .deadline_ns =
                                             now_ns() + UINT64_C(60000000000)};
    muster_call *call = NULL;

    cr_assert_eq(muster_call_create(c->channel, "/echo.Echo/Unary", &options,
                                    &call, NULL),
                 MUSTER_OK);
    return call;
}

static bool has_succeeded(const muster_call *call)
{
    muster_call_result result = {.struct_size = sizeof result};

    muster_call_get_result(call, &result);
    if (result.status != GRPC_STATUS_OK) {
        (void)fprintf(stderr, "status %d: %s\n", (int)result.status,
                      result.message);
    }
    return result.status == GRPC_STATUS_OK;
}

typedef struct caller {
    cluster *cluster;
    pthread_t thread;
    bool is_good;
} caller;

static void *call_once(void *arg)
{
    caller *self = arg;
    muster_call *call = make_call(self->cluster);

    self->is_good =
        muster_call_unary(call, NULL) == MUSTER_OK && has_succeeded(call);
    muster_call_destroy(call);
    return NULL;
}

static void start_callers(cluster *c, caller *callers, size_t n)
{
    pthread_attr_t attributes;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, 256 * 1024);
    for (size_t i = 0; i < n; i++) {
        callers[i].cluster = c;
        cr_assert_eq(pthread_create(&callers[i].thread, &attributes, call_once,
                                    &callers[i]),
                     0);
    }
    (void)pthread_attr_destroy(&attributes);
}

Test(parked_calls, that_block_all_succeed_when_endpoints_come)
{
    const size_t n = scale(500, 2000);
    caller *callers = calloc(n, sizeof *callers);
    size_t n_good = 0;
    cluster c;

    cluster_init(&c, "blocking", N_SERVERS, NULL, NULL);
    start_callers(&c, callers, n);
    await_parked(&c, n);
    cluster_list(&c, ALL);
    for (size_t i = 0; i < n; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        n_good += callers[i].is_good;
    }
    cr_expect_eq(n_good, n, "%zu of %zu", n_good, n);
    cluster_await_calm(&c, N_SERVERS);
    cluster_fini(&c);
    free(callers);
}

Test(parked_calls, that_are_queued_all_succeed_when_endpoints_come)
{
    const size_t n = scale(3000, 10000);
    muster_call_queue *queue = NULL;
    muster_call_event event;
    size_t n_good = 0;
    cluster c;

    cluster_init(&c, "queued", N_SERVERS, NULL, NULL);
    cr_assert_eq(muster_call_queue_create(&queue, NULL), MUSTER_OK);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(muster_call_start_unary(make_call(&c), NULL, queue, NULL),
                     MUSTER_OK);
    }
    await_parked(&c, n);
    cluster_list(&c, ALL);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(muster_call_queue_next(
                         queue, now_ns() + UINT64_C(60000000000), &event),
                     MUSTER_OK);
        n_good += has_succeeded(event.call);
        muster_call_destroy(event.call);
    }
    cr_expect_eq(n_good, n, "%zu of %zu", n_good, n);
    muster_call_queue_destroy(queue);
    cluster_await_calm(&c, N_SERVERS);
    cluster_fini(&c);
}

/* In which order the picks were served. */
static size_t served[10000];
static _Atomic size_t n_served;

static void on_picked(void *arg, muster_status status, muster_lease *lease,
                      const muster_error *err)
{
    (void)err;
    if (status == MUSTER_OK) {
        muster_lease_finish(lease, NULL);
    }
    served[atomic_load(&n_served)] = (size_t)(uintptr_t)arg;
    atomic_fetch_add(&n_served, 1);
}

static bool are_served(void *arg)
{
    return atomic_load(&n_served) == *(const size_t *)arg;
}

Test(parked_calls, are_served_first_come_first_served)
{
    size_t n = scale(3000, 10000);
    cluster c;

    cluster_init(&c, "fifo", N_SERVERS, NULL, NULL);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(muster_channel_pick_async(c.channel, NULL, on_picked,
                                               (void *)(uintptr_t)i, NULL),
                     MUSTER_OK);
    }
    cluster_list(&c, ALL);
    cr_assert(eventually(are_served, &n), "%zu of %zu", atomic_load(&n_served),
              n);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(served[i], i, "pick %zu was served as number %zu",
                     served[i], i);
    }
    cluster_await_calm(&c, N_SERVERS);
    cluster_fini(&c);
}
