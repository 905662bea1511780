/* SPDX-License-Identifier: Apache-2.0 */
/* Unary calls over a channel of plain C core. */
#include "core_caller.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "cluster.h"

enum { PAUSE_MS = 1, DEADLINE_S = 30, N_OPS = 6 };

struct core_caller {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    pthread_t thread;
    atomic_bool is_ending;
    _Atomic uint64_t n_answered;
    _Atomic uint64_t n_failed;
    sightings seen;
};

typedef struct core_call {
    grpc_call *call;
    grpc_byte_buffer *request;
    grpc_byte_buffer *response;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice details;
} core_call;

static void set_ops(core_call *made, grpc_op ops[N_OPS])
{
    memset(ops, 0, N_OPS * sizeof *ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = made->request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &made->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &made->response;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &made->trailing;
    ops[5].data.recv_status_on_client.status = &made->status;
    ops[5].data.recv_status_on_client.status_details = &made->details;
}

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

static void free_call(core_call *made)
{
    grpc_byte_buffer_destroy(made->request);
    grpc_byte_buffer_destroy(made->response);
    grpc_metadata_array_destroy(&made->initial);
    grpc_metadata_array_destroy(&made->trailing);
    grpc_slice_unref(made->details);
    grpc_call_unref(made->call);
}

static void call(core_caller *self)
{
    const uint64_t begun_ns = now_ns();
    core_call made = {.details = grpc_empty_slice()};
    grpc_op ops[N_OPS];

    grpc_metadata_array_init(&made.initial);
    grpc_metadata_array_init(&made.trailing);
    made.request = grpc_raw_byte_buffer_create(NULL, 0);
    made.call = grpc_channel_create_call(
        self->channel, NULL, GRPC_PROPAGATE_DEFAULTS, self->queue,
        grpc_slice_from_static_string("/echo.Echo/Unary"), NULL,
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_seconds(DEADLINE_S, GPR_TIMESPAN)),
        NULL);
    set_ops(&made, ops);
    if (grpc_call_start_batch(made.call, ops, N_OPS, &made, NULL) !=
        GRPC_CALL_OK) {
        cluster_die("a batch was refused");
    }
    (void)grpc_completion_queue_next(self->queue,
                                     gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    record(self, &made, begun_ns);
    free_call(&made);
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

static grpc_channel *open_channel(const char *target)
{
    static char config[] = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    static char key[] = GRPC_ARG_SERVICE_CONFIG;
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    grpc_arg arg = {
        .type = GRPC_ARG_STRING, .key = key, .value.string = config};
    const grpc_channel_args args = {.num_args = 1, .args = &arg};
    grpc_channel *channel = grpc_channel_create(target, insecure, &args);

    grpc_channel_credentials_release(insecure);
    return channel;
}

core_caller *core_caller_start(const char *target)
{
    core_caller *self = calloc(1, sizeof *self);

    if (self == NULL || setenv("GRPC_DNS_RESOLVER", "ares", 1) != 0) {
        cluster_die("no C core caller");
    }
    grpc_init();
    self->channel = open_channel(target);
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
    grpc_completion_queue_shutdown(self->queue);
    while (grpc_completion_queue_next(self->queue,
                                      gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL)
               .type != GRPC_QUEUE_SHUTDOWN) {
        /* Nothing is out. */
    }
    grpc_completion_queue_destroy(self->queue);
    grpc_channel_destroy(self->channel);
    grpc_shutdown();
    free(self);
}
