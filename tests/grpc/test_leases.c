/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that C core makes on the connections of leases. */
#include <criterion/criterion.h>
#include <string.h>

#include <grpc/support/time.h>

#include "backend.h"
#include "calling.h"
#include "core_call.h"
#include "thread_status.h"

enum { N_CALLS = 1000 };

static void call_once(muster_channel *channel, grpc_completion_queue *queue)
{
    muster_call_info info = {.struct_size = sizeof info};
    const muster_outcome outcome = {.struct_size = sizeof outcome};
    muster_lease lease;
    core_call made;

    cr_assert_eq(muster_channel_pick_wait(channel, &info, &lease, NULL),
                 MUSTER_OK);
    core_call_start(&made, muster_lease_grpc_channel(&lease), queue,
                    "/echo.Echo/Unary", NULL, NULL, 0,
                    gpr_inf_future(GPR_CLOCK_MONOTONIC));
    (void)grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                     NULL);
    cr_assert_eq(made.status, GRPC_STATUS_OK);
    muster_lease_finish(&lease, &outcome);
    core_call_fini(&made);
}

static uint64_t sleeps_of_poller(void)
{
    thread_status threads[THREAD_STATUS_MAX];
    const size_t n = thread_status_list(threads);
    uint64_t n_sleeps = 0;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(threads[i].name, "muster-poll") == 0) {
            n_sleeps += threads[i].n_sleeps;
        }
    }
    cr_assert_gt(n_sleeps, 0);
    return n_sleeps;
}

/* Its thread keeps away, as from muster's own calls: else it takes their
 * events, and half as much CPU again goes into each. It looks every 20 ms. */
Test(leases, are_polled_for_by_those_who_wait)
{
    grpc_completion_queue *queue;
    muster_channel *channel;
    uint64_t n_sleeps;
    backend server;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    queue = grpc_completion_queue_create_for_next(NULL);
    call_once(channel, queue);
    n_sleeps = sleeps_of_poller();
    for (int i = 0; i < N_CALLS; i++) {
        call_once(channel, queue);
    }
    n_sleeps = sleeps_of_poller() - n_sleeps;
    cr_log_info("%d calls, the poller slept %lu times", N_CALLS, n_sleeps);
    cr_expect_lt(n_sleeps, N_CALLS / 4);
    core_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&server);
}
