/* SPDX-License-Identifier: Apache-2.0 */
/* One-shot timers of the control thread. */
#include "loop.h"

#include <assert.h>
#include <stdlib.h>

#include "loop_internal.h"

struct muster__timer {
    uv_timer_t uv; /* first: the handle is the timer */
    void (*fn)(void *arg);
    void *arg;
    uint64_t due_ms; /* of muster__now_ms(), while active */
};

static void on_due(uv_timer_t *handle)
{
    muster__timer *timer = (muster__timer *)handle;

    timer->fn(timer->arg);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

muster_status muster__timer_create(void (*fn)(void *arg), void *arg,
                                   muster__timer **ret_timer)
{
    uv_loop_t *loop = muster__loop_uv();
    muster__timer *timer = (muster__timer *)calloc(1, sizeof *timer);

    if (timer == NULL) {
        return MUSTER_NOMEM;
    }
    (void)uv_timer_init(loop, &timer->uv); /* cannot fail */
    timer->fn = fn;
    timer->arg = arg;
    *ret_timer = timer;
    return MUSTER_OK;
}

/* libuv counts a delay from its cached time, in whole milliseconds. The lag of
 * that cache is added here, not removed with uv_update_time(): libuv before
 * 1.45 runs timers until none is due, so a clock that moves under it lets
 * timers that restart each other starve everything else. One more millisecond
 * makes up for rounding down: a timer is never early. */
static uint64_t uv_delay_ms(uint64_t now_ms, uint64_t delay_ms)
{
    uint64_t cached_ms = uv_now(muster__loop_uv());
    uint64_t lag_ms = now_ms > cached_ms ? now_ms - cached_ms : 0;

    return delay_ms < UINT64_MAX - lag_ms ? delay_ms + lag_ms + 1 : UINT64_MAX;
}

void muster__timer_start(muster__timer *timer, uint64_t delay_ms)
{
    uint64_t now_ms = muster__now_ms();

    timer->due_ms =
        delay_ms < UINT64_MAX - now_ms ? now_ms + delay_ms : UINT64_MAX;
    (void)uv_timer_start(&timer->uv, on_due, uv_delay_ms(now_ms, delay_ms), 0);
}

void muster__timer_stop(muster__timer *timer)
{
    assert(muster__loop_is_current());
    (void)uv_timer_stop(&timer->uv);
}

bool muster__timer_is_active(const muster__timer *timer)
{
    return uv_is_active((const uv_handle_t *)&timer->uv) != 0;
}

uint64_t muster__timer_left_ms(const muster__timer *timer)
{
    uint64_t now_ms = muster__now_ms();

    if (!muster__timer_is_active(timer) || timer->due_ms <= now_ms) {
        return 0;
    }
    return timer->due_ms - now_ms;
}

void muster__timer_destroy(muster__timer *timer)
{
    if (timer == NULL) {
        return;
    }
    assert(muster__loop_is_current());
    uv_close((uv_handle_t *)&timer->uv, on_closed);
}
