/* SPDX-License-Identifier: Apache-2.0 */
/* The signals of the threads that a channel brings, C core's among them. */
#include <criterion/criterion.h>
#include <signal.h>

#include "backend.h"
#include "calling.h"
#include "thread_status.h"

TestSuite(grpc_signals, .timeout = 60);

static void expect_mask(const thread_status *thread)
{
    static const int others[] = {SIGTERM, SIGUSR1, SIGPROF};
    static const int own[] = {SIGSEGV, SIGABRT};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_expect(thread->blocked & thread_status_bit(others[i]), "%s: %d",
                  thread->name, others[i]);
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        cr_expect_not(thread->blocked & thread_status_bit(own[i]), "%s: %d",
                      thread->name, own[i]);
    }
}

Test(grpc_signals, leaves_to_threads_only_what_they_cause)
{
    thread_status threads[THREAD_STATUS_MAX];
    muster_channel *channel;
    backend server;
    size_t n;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    cr_assert_eq(ask(channel, "x", &patient, NULL), GRPC_STATUS_OK);
    n = thread_status_list_settled(threads);
    cr_expect_gt(n, 3);
    for (size_t i = 0; i < n; i++) {
        expect_mask(&threads[i]);
    }
    muster_channel_destroy(channel);
    backend_kill(&server);
}
