/* SPDX-License-Identifier: Apache-2.0 */
/* One thread makes the calls; this one looks on, and at signals. */
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PROGRESS_MS = 500 };

typedef struct bench_run {
    const run_plan *plan;
    muster_channel *channel;
    load_progress warmup_progress;
    load_progress progress;
    atomic_bool is_measuring;
    atomic_bool has_ended;
    run_outcome *outcome;
    muster_error *err;
    muster_status status;
} bench_run;

/* What a handler of signals may touch: it wakes the thread that looks on. */
static int wake_fd = -1;
static atomic_bool is_signalled;

static void wake(void)
{
    const uint64_t one = 1;
    const int code = errno;

    (void)!write(wake_fd, &one, sizeof one);
    errno = code;
}

static void on_signal(int number)
{
    (void)number;
    atomic_store(&is_signalled, true);
    wake();
}

/* Of the next signal the process ends as usual. */
static void heed_signals(void)
{
    const struct sigaction action = {.sa_handler = on_signal,
                                     .sa_flags = (int)SA_RESETHAND};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* ---- the thread that makes the calls ---- */

/* So that the first calls do not stand for the time it takes to connect. A pick
 * has also those policies connect that wait for one; when it fails, the calls
 * tell why. */
static void connect_first(bench_run *self)
{
    const request *sent = self->plan->measured.request;
    const uint64_t begin_ns = request_now_ns();
    const muster_call_info info = {.struct_size = sizeof info,
                                   .hash_key = sent->call.hash_key,
                                   .deadline_ns =
                                       request_deadline_ns(sent, begin_ns)};
    const muster_outcome outcome = {.struct_size = sizeof outcome,
                                    .flags = MUSTER_OUTCOME_GIVEN_BACK,
                                    .status = GRPC_STATUS_UNAVAILABLE};
    muster_lease lease = {NULL, 0};

    self->outcome->was_ready =
        muster_channel_pick_wait(self->channel, &info, &lease, NULL) ==
        MUSTER_OK;
    if (self->outcome->was_ready) {
        muster_lease_finish(&lease, &outcome);
    }
    self->outcome->ready_ns = request_now_ns() - begin_ns;
}

static muster_status warm_up(bench_run *self)
{
    load_outcome outcome;
    muster_status status;

    if (self->plan->warmup.n_calls == 0) {
        return MUSTER_OK;
    }
    status = load_run(&self->plan->warmup, self->channel,
                      &self->warmup_progress, &outcome, self->err);
    if (status == MUSTER_OK) {
        tally_release(&outcome.tally);
    }
    return status;
}

/* After an interruption the channel has none any more. */
static void count_listed(bench_run *self)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    muster_channel_get_stats(self->channel, &stats);
    if (stats.endpoints > 0) {
        self->outcome->n_listed = stats.endpoints;
    }
}

static void *make_calls(void *arg)
{
    bench_run *self = arg;

    connect_first(self);
    self->status = warm_up(self);
    if (self->status == MUSTER_OK) {
        atomic_store(&self->is_measuring, true);
        count_listed(self);
        self->status =
            load_run(&self->plan->measured, self->channel, &self->progress,
                     &self->outcome->load, self->err);
        count_listed(self);
    }
    atomic_store(&self->has_ended, true);
    wake();
    return NULL;
}

/* ---- the thread that looks on ---- */

static void interrupt(bench_run *self)
{
    atomic_store(&self->warmup_progress.is_interrupted, true);
    atomic_store(&self->progress.is_interrupted, true);
    self->outcome->is_interrupted = true;
    (void)muster_channel_shutdown(self->channel, 0, NULL);
}

static void show_progress(bench_run *self)
{
    const bool is_measuring = atomic_load(&self->is_measuring);
    const load_progress *progress =
        is_measuring ? &self->progress : &self->warmup_progress;

    (void)fprintf(stderr, "\r%s: %llu calls, %llu errors ",
                  is_measuring ? "measuring" : "warming up",
                  (unsigned long long)atomic_load(&progress->n_ended),
                  (unsigned long long)atomic_load(&progress->n_errors));
}

static void look_on(bench_run *self)
{
    const bool is_terminal = isatty(STDERR_FILENO) == 1;
    struct pollfd woken = {.fd = wake_fd, .events = POLLIN};
    uint64_t count;

    while (!atomic_load(&self->has_ended)) {
        if (poll(&woken, 1, is_terminal ? PROGRESS_MS : -1) > 0) {
            (void)!read(wake_fd, &count, sizeof count);
        }
        if (atomic_exchange(&is_signalled, false)) {
            interrupt(self);
        }
        if (is_terminal) {
            show_progress(self);
        }
    }
    if (is_terminal) {
        (void)fputs("\r\x1b[K", stderr);
    }
}

muster_status run_bench(const run_plan *plan, muster_channel *channel,
                        run_outcome *ret_outcome, muster_error *err)
{
    bench_run self = {
        .plan = plan, .channel = channel, .outcome = ret_outcome, .err = err};
    pthread_t thread;

    memset(ret_outcome, 0, sizeof *ret_outcome);
    wake_fd = eventfd(0, EFD_CLOEXEC);
    if (wake_fd < 0) {
        return muster_error_set(err, MUSTER_UNAVAILABLE, "%s", strerror(errno));
    }
    if (pthread_create(&thread, NULL, make_calls, &self) != 0) {
        return muster_error_set(err, MUSTER_NOMEM, "no thread can be started");
    }
    heed_signals();
    look_on(&self);
    (void)pthread_join(thread, NULL);
    return self.status;
}
