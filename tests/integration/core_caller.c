/* SPDX-License-Identifier: Apache-2.0 */
/* Unary calls over a channel of plain C core. */
#include "core_caller.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "cluster.h"
#include "core_call.h"

enum { PAUSE_MS = 1, DEADLINE_S = 30 };

struct core_caller {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    pthread_t thread;
    atomic_bool is_ending;
    _Atomic uint64_t n_answered;
    _Atomic uint64_t n_failed;
    sightings seen;
};

static void record(core_caller *self, const core_call *made, uint64_t begun_ns)
{
    char *peer;

    if (made->status != GRPC_STATUS_OK) {
        atomic_fetch_add(&self->n_failed, 1);
        return;
    }
    peer = grpc_call_get_peer(made->call);
    sightings_note(&self->seen, peer, &made->initial, begun_ns);
    gpr_free(peer);
    atomic_fetch_add(&self->n_answered, 1);
}

static void call(core_caller *self)
{
    const uint64_t begun_ns = now_ns();
    core_call made;

    core_call_start(
        &made, self->channel, self->queue, "/echo.Echo/Unary", NULL, NULL, 0,
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_seconds(DEADLINE_S, GPR_TIMESPAN)));
    (void)grpc_completion_queue_next(self->queue,
                                     gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    record(self, &made, begun_ns);
    core_call_fini(&made);
}

static void *run(void *arg)
{
    core_caller *self = arg;

    while (!atomic_load(&self->is_ending)) {
        call(self);
        (void)poll(NULL, 0, PAUSE_MS);
    }
    return NULL;
}

core_caller *core_caller_start(const char *target)
{
    core_caller *self = calloc(1, sizeof *self);

    if (self == NULL || setenv("GRPC_DNS_RESOLVER", "ares", 1) != 0) {
        cluster_die("no C core caller");
    }
    grpc_init();
    self->channel = core_channel_create(target, NULL, NULL, 0);
    self->queue = grpc_completion_queue_create_for_next(NULL);
    if (pthread_create(&self->thread, NULL, run, self) != 0) {
        cluster_die("no thread");
    }
    return self;
}

sightings *core_caller_sightings(core_caller *self)
{
    return &self->seen;
}

uint64_t core_caller_answered(const core_caller *self)
{
    return atomic_load(&self->n_answered);
}

uint64_t core_caller_failed(const core_caller *self)
{
    return atomic_load(&self->n_failed);
}

void core_caller_destroy(core_caller *self)
{
    atomic_store(&self->is_ending, true);
    (void)pthread_join(self->thread, NULL);
    core_queue_destroy(self->queue);
    grpc_channel_destroy(self->channel);
    grpc_shutdown();
    free(self);
}
