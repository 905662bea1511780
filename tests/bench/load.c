/* SPDX-License-Identifier: Apache-2.0 */
/* Drives one side and measures it. */
#include "load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <grpc/byte_buffer.h>

/* Alone on its line of cache, so that counting costs nothing. */
typedef struct caller {
    _Alignas(64) pthread_t thread;
    const load_side *side;
    int n_in_flight; /* 0: blocks */
    _Atomic uint64_t n_calls;
} caller;

static atomic_bool is_over;
static atomic_bool has_failed;

static grpc_byte_buffer *make_request(void)
{
    static const char text[] = "a request of thirty-two letters";
    grpc_slice slice = grpc_slice_from_static_string(text);

    return grpc_raw_byte_buffer_create(&slice, 1);
}

static void count(caller *self)
{
    uint64_t n_calls =
        atomic_load_explicit(&self->n_calls, memory_order_relaxed);

    atomic_store_explicit(&self->n_calls, n_calls + 1, memory_order_relaxed);
}

static bool block(caller *self, void *context, grpc_byte_buffer *request)
{
    bool ok = true;

    while (ok && !atomic_load_explicit(&is_over, memory_order_relaxed)) {
        ok = self->side->call(context, request);
        count(self);
    }
    return ok;
}

static bool keep_in_flight(caller *self, void *context,
                           grpc_byte_buffer *request)
{
    bool ok = true;
    int n_out = 0;

    while (ok && n_out < self->n_in_flight) {
        ok = self->side->start(context, request);
        n_out++;
    }
    while (ok && !atomic_load_explicit(&is_over, memory_order_relaxed)) {
        ok = self->side->finish(context) && self->side->start(context, request);
        count(self);
    }
    while (ok && n_out > 0) {
        ok = self->side->finish(context);
        n_out--;
    }
    return ok;
}

static void *run_caller(void *arg)
{
    caller *self = arg;
    void *context = self->side->enter();
    grpc_byte_buffer *request = make_request();
    bool ok = self->n_in_flight == 0 ? block(self, context, request)
                                     : keep_in_flight(self, context, request);

    if (!ok) {
        atomic_store(&has_failed, true);
    }
    grpc_byte_buffer_destroy(request);
    self->side->leave(context);
    return NULL;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void pass(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds};

    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    (void)nanosleep(&time, NULL);
}

static uint64_t total(const caller *callers, int n_callers)
{
    uint64_t n_calls = 0;

    for (int i = 0; i < n_callers; i++) {
        n_calls +=
            atomic_load_explicit(&callers[i].n_calls, memory_order_relaxed);
    }
    return n_calls;
}

static void measure(const caller *callers, int n_threads, double run_s,
                    load_result *ret_result)
{
    const uint64_t calls_before = total(callers, n_threads);
    const double cpu_before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    const double time_before = seconds_of(CLOCK_MONOTONIC);
    double n_calls;

    pass(run_s);
    n_calls = (double)(total(callers, n_threads) - calls_before);
    ret_result->calls_per_s =
        n_calls / (seconds_of(CLOCK_MONOTONIC) - time_before);
    ret_result->cpu_us_per_call =
        1e6 * (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_before) /
        (n_calls > 0 ? n_calls : 1);
}

bool load_run(const load_side *side, const char *addresses, bool is_blocking,
              int n_callers, double warm_s, double run_s,
              load_result *ret_result)
{
    const int n_threads = is_blocking ? n_callers : 1;
    caller *callers = aligned_alloc(64, sizeof *callers * (size_t)n_threads);

    if (callers == NULL || !side->open(addresses)) {
        free(callers);
        return false;
    }
    memset(callers, 0, sizeof *callers * (size_t)n_threads);
    for (int i = 0; i < n_threads; i++) {
        callers[i].side = side;
        callers[i].n_in_flight = is_blocking ? 0 : n_callers;
        if (pthread_create(&callers[i].thread, NULL, run_caller, &callers[i]) !=
            0) {
            abort();
        }
    }
    pass(warm_s);
    measure(callers, n_threads, run_s, ret_result);
    atomic_store(&is_over, true);
    for (int i = 0; i < n_threads; i++) {
        (void)pthread_join(callers[i].thread, NULL);
    }
    free(callers);
    return !atomic_load(&has_failed);
}
