/* SPDX-License-Identifier: Apache-2.0 */
/* All channels of the process, and shutting them down together. */
#include "shutdown.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "channel_internal.h"
#include "fork.h"
#include "request.h"
#include "thread.h"
#include "timing.h"

/* Control thread only. */
static muster_channel *channels;
static uint64_t last_number;

/* Relaxed: who asks while a channel comes or goes may get either answer. */
static atomic_size_t n_channels;

static pthread_mutex_t runs_lock = PTHREAD_MUTEX_INITIALIZER;
static muster__shutdown_run *runs; /* guarded by runs_lock, as all in them */

/* ---- the channels. Thread: control ---- */

void muster__shutdown_enrol(muster_channel *channel)
{
    muster__shutdown *shutdown = &channel->shutdown;

    shutdown->number = ++last_number;
    shutdown->next = channels;
    shutdown->link = &channels;
    if (channels != NULL) {
        channels->shutdown.link = &shutdown->next;
    }
    channels = channel;
    atomic_fetch_add_explicit(&n_channels, 1, memory_order_relaxed);
}

/* Runs that begin later do not count it, and must not be told of it. */
void muster__shutdown_dismiss(muster_channel *channel)
{
    muster__shutdown *shutdown = &channel->shutdown;

    shutdown->is_counted = true;
    *shutdown->link = shutdown->next;
    if (shutdown->next != NULL) {
        shutdown->next->shutdown.link = shutdown->link;
    }
    atomic_fetch_sub_explicit(&n_channels, 1, memory_order_relaxed);
}

const muster_channel *muster__shutdown_first(void)
{
    return channels;
}

static bool is_complete(const muster_channel *channel)
{
    return channel->shutdown.is_over && channel->is_closed;
}

/* ---- runs ---- */

static void tell_locked(muster__shutdown_run *run)
{
    if (run->n_pending == 0 && run->changed != NULL) {
        pthread_cond_signal(run->changed);
    }
    if (run->n_pending == 0 && run->done != NULL) {
        muster__nudge_post(run->done);
    }
}

static void count_locked(muster__shutdown_run *run,
                         const muster_channel *channel)
{
    const muster_shutdown_numbers *numbers = &channel->shutdown.numbers;

    if (channel->shutdown.number > run->last_number) {
        return;
    }
    run->numbers.channels += numbers->channels;
    run->numbers.finished += numbers->finished;
    run->numbers.cancelled += numbers->cancelled;
    run->numbers.parked_failed += numbers->parked_failed;
    if (channel->close_status != MUSTER_OK) {
        run->status = channel->close_status;
    }
    run->n_pending--;
    tell_locked(run);
}

void muster__shutdown_check(muster_channel *channel)
{
    if (channel->shutdown.is_counted || !is_complete(channel)) {
        return;
    }
    channel->shutdown.is_counted = true;
    pthread_mutex_lock(&runs_lock);
    for (muster__shutdown_run *run = runs; run != NULL; run = run->next) {
        count_locked(run, channel);
    }
    pthread_mutex_unlock(&runs_lock);
}

/* Asking changes no channel, so it may be done inside a callback. */
static uint64_t ask_all(uint64_t deadline_ns)
{
    uint64_t n_asked = 0;

    for (muster_channel *channel = channels; channel != NULL;
         channel = channel->shutdown.next) {
        if (!channel->shutdown.is_counted) {
            muster__channel_ask_shutdown(channel, deadline_ns);
            n_asked++;
        }
    }
    return n_asked;
}

void muster__shutdown_begin_all(muster__shutdown_run *run, uint64_t deadline_ns)
{
    uint64_t n_asked = ask_all(deadline_ns);

    if (run == NULL) {
        return;
    }
    run->last_number = last_number;
    run->n_pending = n_asked;
    run->status = MUSTER_OK;
    run->numbers = (muster_shutdown_numbers){0};
    pthread_mutex_lock(&runs_lock);
    run->next = runs;
    runs = run;
    tell_locked(run);
    pthread_mutex_unlock(&runs_lock);
}

void muster__shutdown_leave(const muster__shutdown_run *run)
{
    pthread_mutex_lock(&runs_lock);
    for (muster__shutdown_run **at = &runs; *at != NULL; at = &(*at)->next) {
        if (*at == run) {
            *at = run->next;
            break;
        }
    }
    pthread_mutex_unlock(&runs_lock);
}

/* ---- a thread that waits ---- */

typedef struct all_request {
    muster__request request; /* first */
    uint64_t deadline_ns;
    muster__shutdown_run run;
    pthread_cond_t changed;
} all_request;

static void all_on_control(muster__request *base)
{
    all_request *request = (all_request *)base;

    muster__shutdown_begin_all(&request->run, request->deadline_ns);
}

static void all_free(muster__request *base)
{
    all_request *request = (all_request *)base;

    muster__shutdown_leave(&request->run);
    (void)pthread_cond_destroy(&request->changed);
    muster__request_fini(base);
    free(request);
}

static all_request *all_new(uint64_t deadline_ns)
{
    all_request *request = calloc(1, sizeof *request);

    if (request == NULL) {
        return NULL;
    }
    if (muster__cond_init(&request->changed) != MUSTER_OK) {
        free(request);
        return NULL;
    }
    if (muster__request_init(&request->request, all_on_control, all_free) !=
        MUSTER_OK) {
        (void)pthread_cond_destroy(&request->changed);
        free(request);
        return NULL;
    }
    request->deadline_ns = deadline_ns;
    request->run.changed = &request->changed;
    return request;
}

static muster_status wait_complete(all_request *request,
                                   muster_shutdown_numbers *ret_numbers)
{
    const muster__shutdown_run *run = &request->run;
    muster_status status = MUSTER_OK;
    char who[64];

    pthread_mutex_lock(&runs_lock);
    while (run->n_pending > 0 && status == MUSTER_OK) {
        uint64_t check_ms = muster__timing_ms(MUSTER__CLOSE_CHECK_MS);
        if (muster__cond_wait_until(&request->changed, &runs_lock,
                                    muster__deadline_ns(check_ms)) ==
                ETIMEDOUT &&
            muster__loop_is_stuck(who, sizeof who)) {
            status = MUSTER_TIMEOUT;
        }
    }
    if (status == MUSTER_OK) {
        status = run->status;
    }
    muster__shutdown_give(&run->numbers, ret_numbers);
    pthread_mutex_unlock(&runs_lock);
    return status;
}

static muster_status shut_all_down(uint64_t deadline_ns,
                                   muster_shutdown_numbers *ret_numbers)
{
    all_request *request = all_new(deadline_ns);
    muster_status status;

    if (request == NULL) {
        return MUSTER_NOMEM;
    }
    status = muster__request_run(&request->request, NULL);
    if (status != MUSTER_OK) {
        return status; /* the request is the control thread's now */
    }
    status = wait_complete(request, ret_numbers);
    all_free(&request->request);
    return status;
}

muster_status muster_shutdown_all(uint64_t grace_ms,
                                  muster_shutdown_numbers *ret_numbers)
{
    static const muster_shutdown_numbers none = {0};
    uint64_t deadline_ns = muster__deadline_ns(grace_ms);
    muster_status status;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if (muster__loop_is_current() ||
        atomic_load_explicit(&n_channels, memory_order_relaxed) == 0) {
        if (muster__loop_is_current()) {
            muster__shutdown_begin_all(NULL, deadline_ns);
        }
        muster__shutdown_give(&none, ret_numbers);
        return MUSTER_OK;
    }
    status = muster__loop_acquire(NULL);
    if (status == MUSTER_OK) {
        status = shut_all_down(deadline_ns, ret_numbers);
        muster__loop_release();
    }
    return status;
}
