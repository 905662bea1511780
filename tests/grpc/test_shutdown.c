/* SPDX-License-Identifier: Apache-2.0 */
/* Graceful shutdown with calls on real servers. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <muster/muster.h>

#include "backend.h"
#include "calling.h"

TestSuite(grpc_shutdown, .timeout = 110);

typedef struct caller {
    muster_channel *channel;
    atomic_int n_good;
    grpc_status_code status; /* of the call that was not */
    char message[256];
    pthread_t thread;
} caller;

static void *call_until_it_fails(void *arg)
{
    caller *self = arg;

    do {
        char *answer = NULL;
        self->status = ask(self->channel, "hello", &patient, &answer);
        if (self->status == GRPC_STATUS_OK) {
            atomic_fetch_add(&self->n_good, 1);
        } else {
            strncpy(self->message, answer, sizeof self->message - 1);
        }
        free(answer);
    } while (self->status == GRPC_STATUS_OK);
    return NULL;
}

static void start(caller *self, muster_channel *channel)
{
    memset(self, 0, sizeof *self);
    self->channel = channel;
    cr_assert_eq(pthread_create(&self->thread, NULL, call_until_it_fails, self),
                 0);
}

/* A call of delay_ms is with the server when the channel is shut down. */
static muster_shutdown_numbers shut_down(const char *delay_ms,
                                         uint64_t grace_ms, caller *self)
{
    const char *const flags[] = {"--delay-ms", delay_ms, "--tell-calls", NULL};
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};
    backend server;
    muster_channel *channel;

    cr_assert(backend_start(&server, flags));
    channel = open_channel("static:///%s", server.address);
    start(self, channel);
    cr_assert(backend_await_call(&server));
    cr_assert_eq(muster_channel_shutdown(channel, grace_ms, &numbers),
                 MUSTER_OK);
    (void)pthread_join(self->thread, NULL);
    muster_channel_destroy(channel);
    backend_kill(&server);
    return numbers;
}

Test(grpc_shutdown, lets_a_call_end)
{
    caller self;
    const muster_shutdown_numbers numbers = shut_down("2000", 60000, &self);

    cr_expect_eq(self.n_good, 1);
    cr_expect_eq(numbers.finished, 1);
    cr_expect_eq(numbers.cancelled, 0);
}

Test(grpc_shutdown, cancels_a_call_that_takes_longer)
{
    caller self;
    const uint64_t begin_ns = now_ns();
    const muster_shutdown_numbers numbers = shut_down("60000", 50, &self);

    cr_expect_eq(self.n_good, 0);
    cr_expect_eq(self.status, GRPC_STATUS_UNAVAILABLE, "%s", self.message);
    cr_expect_eq(numbers.finished, 0);
    cr_expect_eq(numbers.cancelled, 1);
    cr_expect_leq(now_ns() - begin_ns, 30000 * MILLISECOND);
}
