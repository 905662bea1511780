/* SPDX-License-Identifier: Apache-2.0 */
/* Unary calls, one after another, and what became of them. */
#include "load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include "cluster.h"
#include "server_port.h"

enum { MAX_CALLERS = 64, N_PORTS = 65536, MAX_SHOWN = 30, AWAIT_S = 120 };

/* A call that takes longer hangs: a failure like any other. */
#define CALL_DEADLINE_NS UINT64_C(30000000000)

struct load {
    muster_channel *channel;
    size_t n_in_flight;
    pthread_t threads[MAX_CALLERS];
    size_t n_threads;
    atomic_bool is_ending;
    atomic_size_t n_callers;
    _Atomic uint64_t ended_by[MAX_CALLERS]; /* by each that blocks */
    _Atomic uint64_t n_ended;
    _Atomic uint64_t n_failed;
    _Atomic uint64_t awaited; /* n_ended that somebody waits for */
    pthread_mutex_t mutex;    /* of the condition alone */
    pthread_cond_t has_ended;
    _Atomic uint32_t answered[N_PORTS]; /* by the port of the peer */
    _Atomic uint32_t failed[N_PORTS];
    sightings seen;
};

static grpc_byte_buffer *make_request(void)
{
    grpc_slice slice = grpc_slice_from_static_string("hello");

    return grpc_raw_byte_buffer_create(&slice, 1);
}

static muster_call *make_call(load *self)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .deadline_ns =
                                             now_ns() + CALL_DEADLINE_NS};
    muster_call *call = NULL;
    muster_error err;

    if (muster_call_create(self->channel, "/echo.Echo/Unary", &options, &call,
                           &err) != MUSTER_OK) {
        cluster_die("call: %s", err.message);
    }
    return call;
}

/* gRFC A6: then it is not tried again. */
static bool is_cut(const muster_call_result *result)
{
    return result->initial_metadata->count > 0 || result->response != NULL;
}

/* begun_ns is before the call was made, 0: not known. */
static void record(load *self, muster_call *call, uint64_t begun_ns)
{
    muster_call_result result = {.struct_size = sizeof result};
    const char *peer = muster_call_peer(call);

    muster_call_get_result(call, &result);
    if (result.status == GRPC_STATUS_OK) {
        atomic_fetch_add(&self->answered[server_port(peer)], 1);
        sightings_note(&self->seen, peer, result.initial_metadata, begun_ns);
    } else {
        const int port = server_port_of_failed(peer, result.message);

        atomic_fetch_add(&self->failed[port], 1);
        if (atomic_fetch_add(&self->n_failed, 1) < MAX_SHOWN) {
            (void)fprintf(stderr,
                          "a call failed: status %d, peer %s, "
                          "%u attempts, %.3f ms%s: %s\n",
                          (int)result.status, peer == NULL ? "none" : peer,
                          result.n_attempts, (double)result.latency_ns / 1e6,
                          is_cut(&result) ? ", amid its answer" : "",
                          result.message);
        }
    }
    if (atomic_fetch_add(&self->n_ended, 1) + 1 ==
        atomic_load(&self->awaited)) {
        pthread_mutex_lock(&self->mutex);
        pthread_cond_broadcast(&self->has_ended);
        pthread_mutex_unlock(&self->mutex);
    }
    muster_call_destroy(call);
}

static void start_queued(load *self, const grpc_byte_buffer *request,
                         muster_call_queue *queue)
{
    muster_status status =
        muster_call_start_unary(make_call(self), request, queue, NULL);

    if (status != MUSTER_OK) {
        cluster_die("start: %s", muster_status_name(status));
    }
}

static void *run_queued(void *arg)
{
    load *self = arg;
    grpc_byte_buffer *request = make_request();
    muster_call_queue *queue = NULL;
    muster_call_event event;
    size_t n_out = 0;

    if (muster_call_queue_create(&queue, NULL) != MUSTER_OK) {
        cluster_die("no queue");
    }
    for (; n_out < self->n_in_flight; n_out++) {
        start_queued(self, request, queue);
    }
    while (n_out > 0 &&
           muster_call_queue_next(queue, MUSTER_FOREVER, &event) == MUSTER_OK) {
        record(self, event.call, 0);
        if (atomic_load(&self->is_ending)) {
            n_out--;
        } else {
            start_queued(self, request, queue);
        }
    }
    muster_call_queue_destroy(queue);
    grpc_byte_buffer_destroy(request);
    return NULL;
}

static void *run_blocking(void *arg)
{
    load *self = arg;
    grpc_byte_buffer *request = make_request();
    const size_t number = atomic_fetch_add(&self->n_callers, 1);

    while (!atomic_load(&self->is_ending)) {
        const uint64_t begun_ns = now_ns();
        muster_call *call = make_call(self);

        if (muster_call_unary(call, request) != MUSTER_OK) {
            cluster_die("a call could not be made");
        }
        record(self, call, begun_ns);
        atomic_fetch_add(&self->ended_by[number], 1);
    }
    grpc_byte_buffer_destroy(request);
    return NULL;
}

static load *start(muster_channel *channel, size_t n_threads,
                   size_t n_in_flight, void *(*run)(void *arg))
{
    load *self = calloc(1, sizeof *self);
    pthread_condattr_t attributes;

    if (self == NULL || n_threads > MAX_CALLERS) {
        cluster_die("a load of %zu threads", n_threads);
    }
    self->channel = channel;
    self->n_in_flight = n_in_flight;
    (void)pthread_mutex_init(&self->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->has_ended, &attributes);
    for (; self->n_threads < n_threads; self->n_threads++) {
        if (pthread_create(&self->threads[self->n_threads], NULL, run, self) !=
            0) {
            cluster_die("no thread");
        }
    }
    return self;
}

load *load_start_queued(muster_channel *channel, size_t n_in_flight)
{
    return start(channel, 1, n_in_flight, run_queued);
}

load *load_start_blocking(muster_channel *channel, size_t n_callers)
{
    return start(channel, n_callers, 0, run_blocking);
}

bool load_await(load *self, uint64_t n)
{
    struct timespec end;
    int failure = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += AWAIT_S;
    pthread_mutex_lock(&self->mutex);
    atomic_store(&self->awaited, n);
    while (atomic_load(&self->n_ended) < n && failure == 0) {
        failure = pthread_cond_timedwait(&self->has_ended, &self->mutex, &end);
    }
    pthread_mutex_unlock(&self->mutex);
    return atomic_load(&self->n_ended) >= n;
}

typedef struct settling {
    const load *load;
    uint64_t before[MAX_CALLERS];
} settling;

static bool have_all_ended_one(void *arg)
{
    const settling *self = arg;

    for (size_t i = 0; i < self->load->n_threads; i++) {
        if (atomic_load(&self->load->ended_by[i]) == self->before[i]) {
            return false;
        }
    }
    return true;
}

bool load_settle(load *self)
{
    settling begun = {.load = self};

    for (size_t i = 0; i < self->n_threads; i++) {
        begun.before[i] = atomic_load(&self->ended_by[i]);
    }
    return eventually(have_all_ended_one, &begun);
}

uint64_t load_ended(const load *self)
{
    return atomic_load(&self->n_ended);
}

uint64_t load_failed(const load *self)
{
    return atomic_load(&self->n_failed);
}

uint64_t load_answered_by(const load *self, int port)
{
    return atomic_load(&self->answered[port]);
}

uint64_t load_failed_on(const load *self, int port)
{
    return atomic_load(&self->failed[port]);
}

sightings *load_sightings(load *self)
{
    return &self->seen;
}

void load_stop(load *self)
{
    atomic_store(&self->is_ending, true);
    for (; self->n_threads > 0; self->n_threads--) {
        (void)pthread_join(self->threads[self->n_threads - 1], NULL);
    }
}

void load_destroy(load *self)
{
    load_stop(self);
    (void)pthread_cond_destroy(&self->has_ended);
    (void)pthread_mutex_destroy(&self->mutex);
    free(self);
}
