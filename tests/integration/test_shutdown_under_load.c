/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that are shut down at random instants of their load: each in time,
 * with numbers that agree with what its calls saw, and nothing stays of it. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/muster.h>

#include "cluster.h"
#include "limit.h"
#include "scale.h"
#include "stream.h"
#include "usage.h"

enum {
    N_SERVERS = 2,
    N_QUICK = 4,
    MAX_SLOW = 2,
    MAX_STREAMS = 4,
    MAX_CALLERS = N_QUICK + MAX_SLOW + MAX_STREAMS,
    MAX_CALLS = 50,
    MAX_GRACE_MS = 20,
    MARGIN_MS = 2000,
    WARM_UP = 10
};

typedef enum kind { QUICK, SLOW, STREAM } kind;

typedef struct caller {
    struct trial *trial;
    kind kind;
    bool is_stubborn; /* a stream that outlives the grace period */
    pthread_t thread;
    atomic_int n_good;
    uint64_t n_late; /* of them, ended when the shutdown had begun */
    grpc_status_code status;
    uint32_t n_attempts; /* of the call that was not good */
    char message[256];
} caller;

typedef struct trial {
    muster_channel *channel;
    atomic_bool is_begun; /* the shutdown, or it is about to */
    muster_shutdown_numbers numbers;
    atomic_bool is_over;
    caller callers[MAX_CALLERS];
    size_t n_callers;
    size_t n_kind[STREAM + 1];
} trial;

static struct {
    uint64_t n_good;
    uint64_t finished;
    uint64_t cancelled;
    uint64_t parked_failed;
    uint64_t longest_ns; /* over the grace period */
} sums;

/* ---- callers ---- */

/* Whether it was good; otherwise self has how it was not. */
static bool call(caller *self, const muster_call_options *options)
{
    muster_call *made = NULL;
    muster_call_result result = {.struct_size = sizeof result};

    if (muster_call_create(self->trial->channel, "/echo.Echo/Unary", options,
                           &made, NULL) != MUSTER_OK ||
        muster_call_unary(made, NULL) != MUSTER_OK) {
        cluster_die("a call could not be made");
    }
    muster_call_get_result(made, &result);
    self->status = result.status;
    if (result.status == GRPC_STATUS_OK) {
        self->n_late += atomic_load(&self->trial->is_begun);
        atomic_fetch_add(&self->n_good, 1);
    } else {
        self->n_attempts = result.n_attempts;
        (void)snprintf(self->message, sizeof self->message, "%s",
                       result.message);
    }
    muster_call_destroy(made);
    return self->status == GRPC_STATUS_OK;
}

static void call_until_it_fails(caller *self)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = MUSTER_CALL_WAIT_FOR_READY};

    while (call(self, &options)) {
    }
}

/* The server takes longer than any grace period. */
static void call_slowly(caller *self)
{
    grpc_metadata delay;
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = MUSTER_CALL_WAIT_FOR_READY,
                                         .metadata = &delay,
                                         .n_metadata = 1};

    memset(&delay, 0, sizeof delay);
    delay.key = grpc_slice_from_static_string("x-envoy-fault-delay-request");
    delay.value = grpc_slice_from_static_string("600000");
    (void)call(self, &options);
}

static bool goes_on(const caller *self)
{
    return self->is_stubborn
               ? !atomic_load(&self->trial->is_over)
               : muster_channel_state(self->trial->channel) != MUSTER_SHUTDOWN;
}

/* It is the program's own, so that nobody cancels it. */
static void echo_until_closed(caller *self)
{
    stream *opened = stream_open(self->trial->channel);

    while (goes_on(self) && stream_echo(opened)) {
        atomic_fetch_add(&self->n_good, 1);
    }
    self->status = stream_finish(opened);
}

static void *run_caller(void *arg)
{
    static void (*const runs[])(caller * self) = {
        [QUICK] = call_until_it_fails,
        [SLOW] = call_slowly,
        [STREAM] = echo_until_closed,
    };
    caller *self = arg;

    runs[self->kind](self);
    return NULL;
}

static void start(trial *self, kind which, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        caller *added = &self->callers[self->n_callers++];

        added->trial = self;
        added->kind = which;
        added->is_stubborn = which == STREAM && i % 2 == 0;
        if (pthread_create(&added->thread, NULL, run_caller, added) != 0) {
            cluster_die("no thread");
        }
    }
    self->n_kind[which] = n;
}

/* ---- a trial ---- */

static void open_channel(trial *self, const backend *servers)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 50,
                                            .max_backoff_ms = 100};
    char target[300];
    muster_error err;

    (void)snprintf(target, sizeof target, "static:///%s,%s", servers[0].address,
                   servers[1].address);
    if (muster_grpc_channel_create(target, &options, NULL, &self->channel,
                                   &err) != MUSTER_OK) {
        cluster_die("%s", err.message);
    }
}

static bool all_are_in_flight(void *arg)
{
    const trial *self = arg;
    muster_channel_stats stats = {.struct_size = sizeof stats};

    return muster_channel_get_stats(self->channel, &stats) == MUSTER_OK &&
           stats.in_flight == self->n_callers;
}

/* Those that stay in flight first; half of the trials have none, so that their
 * end may come before there is a connection. */
static void load(trial *self, unsigned *random)
{
    const int n_calls = rand_r(random) % MAX_CALLS;
    const caller *first;

    if (rand_r(random) % 2 == 0) {
        start(self, SLOW, (size_t)rand_r(random) % (MAX_SLOW + 1));
        start(self, STREAM, (size_t)rand_r(random) % (MAX_STREAMS + 1));
        cr_assert(eventually(all_are_in_flight, self));
    }
    first = &self->callers[self->n_callers];
    start(self, QUICK, N_QUICK);
    while (atomic_load(&first->n_good) < n_calls) {
        (void)sched_yield();
    }
}

static void shut_down(trial *self, unsigned *random)
{
    const uint64_t grace_ms = (uint64_t)rand_r(random) % (MAX_GRACE_MS + 1);
    const bool is_all = rand_r(random) % 4 == 0;
    uint64_t begun_ns;
    uint64_t took_ns;

    self->numbers.struct_size = sizeof self->numbers;
    atomic_store(&self->is_begun, true);
    begun_ns = now_ns();
    cr_expect_eq(is_all ? muster_shutdown_all(grace_ms, &self->numbers)
                        : muster_channel_shutdown(self->channel, grace_ms,
                                                  &self->numbers),
                 MUSTER_OK);
    took_ns = now_ns() - begun_ns;
    atomic_store(&self->is_over, true);
    cr_expect_leq(took_ns, grace_ms * 1000000 + limit_ns(MARGIN_MS));
    if (took_ns > grace_ms * 1000000 + sums.longest_ns) {
        sums.longest_ns = took_ns - grace_ms * 1000000;
    }
    for (size_t i = 0; i < self->n_callers; i++) {
        (void)pthread_join(self->callers[i].thread, NULL);
    }
}

/* ---- what the callers saw ---- */

typedef struct sight {
    uint64_t n_broken;   /* calls that failed on a connection */
    uint64_t n_refused;  /* that never had one */
    uint64_t n_late;     /* good ones that ended after the shutdown began */
    uint64_t n_stubborn; /* streams */
} sight;

static void look_at(const caller *one, sight *seen)
{
    sums.n_good += (uint64_t)atomic_load(&one->n_good);
    if (one->kind == STREAM) {
        cr_expect_eq(one->status, GRPC_STATUS_OK);
        seen->n_stubborn += one->is_stubborn;
        return;
    }
    cr_expect_eq(one->status, GRPC_STATUS_UNAVAILABLE, "%d: %s",
                 (int)one->status, one->message);
    cr_expect(one->kind == QUICK || one->n_attempts == 1);
    seen->n_broken += one->n_attempts > 0;
    seen->n_refused += one->n_attempts == 0;
    seen->n_late += one->n_late;
}

/* A call that was answered while the shutdown began, or as it was cancelled,
 * may be in one number, the other or none; all else is exact. */
static void check_numbers(const trial *self)
{
    const muster_shutdown_numbers *numbers = &self->numbers;
    const uint64_t n_ended = numbers->finished + numbers->cancelled;
    const uint64_t n_streams = self->n_kind[STREAM];
    sight seen = {0};

    for (size_t i = 0; i < self->n_callers; i++) {
        look_at(&self->callers[i], &seen);
    }
    cr_expect_eq(numbers->channels, 1);
    cr_expect_geq(n_ended, seen.n_broken + n_streams);
    cr_expect_leq(n_ended, seen.n_broken + n_streams + seen.n_late,
                  "%" PRIu64 " finished and %" PRIu64 " cancelled of %" PRIu64
                  " broken, %" PRIu64 " streams and %" PRIu64 " late",
                  numbers->finished, numbers->cancelled, seen.n_broken,
                  n_streams, seen.n_late);
    cr_expect_geq(numbers->cancelled, seen.n_broken + seen.n_stubborn);
    cr_expect_leq(numbers->cancelled, seen.n_broken + n_streams + seen.n_late);
    cr_expect_leq(numbers->parked_failed, seen.n_refused);
    sums.finished += numbers->finished;
    sums.cancelled += numbers->cancelled;
    sums.parked_failed += numbers->parked_failed;
}

static void run_trials(const backend *servers, size_t n, unsigned *random)
{
    for (size_t i = 0; i < n; i++) {
        trial self;

        memset(&self, 0, sizeof self);
        open_channel(&self, servers);
        load(&self, random);
        shut_down(&self, random);
        check_numbers(&self);
        muster_channel_destroy(self.channel);
    }
    while (muster_shutdown() == MUSTER_BUSY) {
    }
}

/* ---- what stays ---- */

typedef struct held {
    size_t n_descriptors;
    size_t n_threads;
} held;

/* C core ends its connections and idle threads a while later. */
static bool holds_no_more(void *arg)
{
    const held *before = arg;

    return usage_descriptors() <= before->n_descriptors &&
           usage_threads() <= before->n_threads;
}

Test(shutdown_under_load, is_in_time_counts_right_and_leaves_nothing)
{
    const size_t n_trials = scale(20, 200);
    backend servers[N_SERVERS];
    unsigned random = 1;
    held before;

    for (int i = 0; i < N_SERVERS; i++) {
        cr_assert(backend_start(&servers[i], NULL));
    }
    run_trials(servers, WARM_UP, &random);
    before.n_descriptors = usage_descriptors();
    before.n_threads = usage_threads();
    run_trials(servers, n_trials, &random);
    cr_expect(eventually(holds_no_more, &before),
              "%zu descriptors, were %zu; %zu threads, were %zu",
              usage_descriptors(), before.n_descriptors, usage_threads(),
              before.n_threads);
    (void)printf("%zu + %d shutdowns, at most %.1f ms over the grace period; "
                 "%lu good calls and echoes; at the end %lu finished, %lu "
                 "cancelled, %lu parked; %zu descriptors (were %zu), %zu "
                 "threads (were %zu)\n",
                 n_trials, WARM_UP, (double)sums.longest_ns / 1e6, sums.n_good,
                 sums.finished, sums.cancelled, sums.parked_failed,
                 usage_descriptors(), before.n_descriptors, usage_threads(),
                 before.n_threads);
    for (int i = 0; i < N_SERVERS; i++) {
        backend_kill(&servers[i]);
    }
}
