/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that polls while no call does. */
#include "poller.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/grpc.h>
#include <grpc/support/time.h>

#include "runtime.h"

/* How often the thread looks whether calls still poll. Twice this, and not more
 * than 50 ms, is how late a change of state may be noticed after the last. */
#define TICK_NS UINT64_C(20000000)

/* How long it polls at a time, unless it is sent away. */
#define SLICE_NS UINT64_C(200000000)

/* Lower half: threads that poll now. Upper half: how many ever came, so that a
 * thread which looks between two calls sees that they go on. Relaxed: a late
 * look costs a tick, nothing else hangs on it. */
static _Atomic uint64_t traffic;
#define TRAFFIC_CAME (UINT64_C(1) << 32)

/* Calls that may begin while the thread polls before it is sent away: a call
 * now and then is served as well by it, a burst better without. */
#define MAX_CALLS_BESIDE 3

/* Where the upper half of traffic stood when the thread began to poll, and
 * whether it does. Relaxed: at worst it is sent away late, or for nothing. */
static _Atomic uint32_t slice_began_at;
static atomic_bool is_polling;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t held = PTHREAD_COND_INITIALIZER;
static uint64_t n_holds; /* guarded by mutex */
static grpc_completion_queue *idle_queue;
static grpc_call *kicker; /* an empty batch on it ends a wait in idle_queue */

bool muster__grpc_poller_serves_all(void)
{
    const char *strategy = getenv("GRPC_POLL_STRATEGY");

    return strategy == NULL || strcmp(strategy, "all") == 0 ||
           strncmp(strategy, "epoll1", strlen("epoll1")) == 0;
}

static void kick(uint32_t n_came)
{
    const uint32_t began_at =
        atomic_load_explicit(&slice_began_at, memory_order_relaxed);

    if (n_came - began_at >= MAX_CALLS_BESIDE &&
        atomic_exchange_explicit(&is_polling, false, memory_order_relaxed)) {
        (void)grpc_call_start_batch(kicker, NULL, 0, NULL, NULL);
    }
}

static void add(uint64_t added)
{
    const uint64_t before =
        atomic_fetch_add_explicit(&traffic, added, memory_order_relaxed);

    if (atomic_load_explicit(&is_polling, memory_order_relaxed)) {
        kick((uint32_t)(before >> 32));
    }
}

void muster__grpc_poller_enter(void)
{
    add(TRAFFIC_CAME + 1);
}

void muster__grpc_poller_came(void)
{
    add(TRAFFIC_CAME);
}

void muster__grpc_poller_leave(void)
{
    atomic_fetch_sub_explicit(&traffic, 1, memory_order_relaxed);
}

void muster__grpc_poller_hold(void)
{
    pthread_mutex_lock(&mutex);
    n_holds++;
    if (n_holds == 1) {
        pthread_cond_signal(&held);
    }
    pthread_mutex_unlock(&mutex);
}

void muster__grpc_poller_release(void)
{
    pthread_mutex_lock(&mutex);
    n_holds--;
    pthread_mutex_unlock(&mutex);
}

static void wait_until_held(void)
{
    pthread_mutex_lock(&mutex);
    while (n_holds == 0) {
        pthread_cond_wait(&held, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static gpr_timespec after_ns(uint64_t delay_ns)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_nanos((int64_t)delay_ns, GPR_TIMESPAN));
}

static void poll_slice(uint32_t n_came)
{
    atomic_store_explicit(&slice_began_at, n_came, memory_order_relaxed);
    atomic_store_explicit(&is_polling, true, memory_order_relaxed);
    (void)grpc_completion_queue_next(idle_queue, after_ns(SLICE_NS), NULL);
    atomic_store_explicit(&is_polling, false, memory_order_relaxed);
}

/* Calls carry the descriptors, or did within the tick; look again in another.
 * Not even a glance meanwhile: it would take the events of all of them. */
static void keep_away(void)
{
    gpr_sleep_until(after_ns(TICK_NS));
}

static void *run(void *unused)
{
    uint64_t seen = 0;

    (void)unused;
    for (;;) {
        uint64_t now;

        wait_until_held();
        now = atomic_load_explicit(&traffic, memory_order_relaxed);
        if ((uint32_t)now != 0 || now != seen) {
            keep_away();
        } else {
            poll_slice((uint32_t)(now >> 32));
        }
        seen = now;
    }
    return NULL;
}

muster_status muster__grpc_poller_start(void)
{
    if (!muster__grpc_poller_serves_all()) {
        return MUSTER_OK;
    }
    if (idle_queue == NULL) {
        idle_queue = grpc_completion_queue_create_for_next(NULL);
        kicker = grpc_channel_create_call(
            muster__grpc_lame_channel(), NULL, GRPC_PROPAGATE_DEFAULTS,
            idle_queue, grpc_slice_from_static_string("/muster.reserved/Kick"),
            NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    }
    return muster__grpc_thread("muster-poll", run);
}
