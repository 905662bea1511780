/* SPDX-License-Identifier: Apache-2.0 */
/* Fail-fast calls and calls that wait for ready, without a server. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "limit.h"
#include "scale.h"

enum { FAIL_FAST_MS = 10 };

static const muster_channel_options impatient = {.struct_size =
                                                     sizeof impatient,
                                                 .initial_backoff_ms = 20,
                                                 .max_backoff_ms = 20};

static muster_call_result call(cluster *c, uint32_t flags, muster_call **ret)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = flags,
                                         .deadline_ns =
                                             now_ns() + UINT64_C(20000000000)};
    muster_call_result result = {.struct_size = sizeof result};

    cr_assert_eq(
        muster_call_create(c->channel, "/echo.Echo/Unary", &options, ret, NULL),
        MUSTER_OK);
    cr_assert_eq(muster_call_unary(*ret, NULL), MUSTER_OK);
    muster_call_get_result(*ret, &result);
    return result;
}

/* A cluster of one, whose server is dead. */
static void init_dead(cluster *c, const char *name,
                      const muster_channel_options *options)
{
    cluster_init(c, name, 1, NULL, options);
    backend_kill(&c->servers[0]);
    cluster_list(c, 1);
    cr_assert(cluster_await_state(c, MUSTER_TRANSIENT_FAILURE));
}

/* A busy machine may be late once; in a full run it may not. */
Test(readiness, fail_fast_calls_fail_at_once_and_name_address_and_cause)
{
    muster_call *made = NULL;
    uint64_t slowest_ns = 0;
    size_t n_late = 0;
    cluster c;

    init_dead(&c, "fail-fast", NULL);
    for (int i = 0; i < 100; i++) {
        const muster_call_result result = call(&c, 0, &made);

        cr_expect_eq(result.status, GRPC_STATUS_UNAVAILABLE);
        cr_expect(strstr(result.message, c.servers[0].address) != NULL, "%s",
                  result.message);
        cr_expect(strstr(result.message, "refused") != NULL, "%s",
                  result.message);
        n_late += result.latency_ns >= limit_ns(FAIL_FAST_MS);
        slowest_ns =
            result.latency_ns > slowest_ns ? result.latency_ns : slowest_ns;
        if (i == 0) {
            (void)printf("%s\n", result.message);
        }
        muster_call_destroy(made);
    }
    (void)printf("the slowest of 100 took %.3f ms\n", (double)slowest_ns / 1e6);
    cr_expect_leq(n_late, scale(1, 0));
    cluster_fini(&c);
}

typedef struct parked {
    cluster *cluster;
    uint64_t n;
} parked;

static bool are_parked(void *arg)
{
    const parked *self = arg;

    return cluster_stats(self->cluster).parked == self->n;
}

static void *call_patiently(void *arg)
{
    muster_call *made = NULL;
    const muster_call_result result =
        call(arg, MUSTER_CALL_WAIT_FOR_READY, &made);

    cr_expect_eq(result.status, GRPC_STATUS_OK, "%s", result.message);
    muster_call_destroy(made);
    return NULL;
}

Test(readiness, calls_that_wait_for_ready_succeed_when_a_server_comes)
{
    enum { N_WAITING = 8 };
    pthread_t threads[N_WAITING];
    cluster c;
    parked waiting = {.cluster = &c, .n = N_WAITING};
    int port;

    init_dead(&c, "patient", &impatient);
    port = c.servers[0].port;
    for (int i = 0; i < N_WAITING; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, call_patiently, &c), 0);
    }
    cr_assert(eventually(are_parked, &waiting));
    cr_expect_eq(muster_channel_state(c.channel), MUSTER_TRANSIENT_FAILURE);
    cr_assert(backend_start_on(&c.servers[0], port));
    for (int i = 0; i < N_WAITING; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    cluster_fini(&c);
}
