/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a resolver for one target: makes its instance, hands its reports up one
 * at a time, and asks it again when it failed or when somebody hints. Thread:
 * control, all of it. */
#ifndef MUSTER_CORE_RESOLVER_RUNNER_H
#define MUSTER_CORE_RESOLVER_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver_report.h"
#include "target.h"

/* How long a plugin may take to stop; then its instance is left behind. */
#define MUSTER__RESOLVER_STOP_MS 5000u
/* A source that refuses is being restarted, most likely: for the first 5 s it
 * is asked every 250 ms. */
#define MUSTER__REFUSED_RETRY_MS 250u
#define MUSTER__REFUSED_PERIOD_MS 5000u

typedef struct muster__runner muster__runner;

/* Who hears of it. Never called from inside create; from inside stop only
 * ended() may be. */
typedef struct muster__runner_events {
    /* A list or a delta. What it answers is what the plugin will be told. */
    muster_status (*reported)(void *owner, muster__report *report);

    /* The source failed, or said something malformed (is_refusal). */
    void (*failed)(void *owner, muster_status status, const char *message,
                   bool is_refusal);

    /* The instance is gone, or MUSTER_TIMEOUT: was left behind. Once, after
     * stop. */
    void (*ended)(void *owner, muster_status status);
} muster__runner_events;

/* Takes ownership of target when it succeeds. What the plugin's init and the
 * class's create answer; MUSTER_NOMEM, MUSTER_UNAVAILABLE. When the class may
 * block, or this is called inside a resolver's code (by a callback that
 * subscribes), create() comes later and says so by failed(). */
muster_status muster__runner_create(muster__target *target,
                                    uint64_t initial_backoff_ms,
                                    uint64_t max_backoff_ms,
                                    const muster__runner_events *events,
                                    void *owner, muster__runner **ret_runner,
                                    muster_error *err);

/* Begins to end; ended() follows. */
void muster__runner_stop(muster__runner *runner);

/* After ended(), and not from inside it. NULL is ignored. */
void muster__runner_destroy(muster__runner *runner);

/* A hint that the list is stale. While the class's cooldown runs it waits for
 * that, and while a failure is backed off it waits for the next attempt. The
 * cooldown is for hints: an attempt after a failure comes when backoff says. */
void muster__runner_refresh(muster__runner *runner);

/* Backoff starts anew, and an attempt that waits for it comes at once. */
void muster__runner_reset_backoff(muster__runner *runner);

/* Between these nothing is handed up: reports wait. They nest. */
void muster__runner_hold(muster__runner *runner);
void muster__runner_release(muster__runner *runner);

uint64_t muster__runner_late_reports(const muster__runner *runner);

/* ---- for the instance ---- */

bool muster__runner_is_busy(const muster__runner *runner);

/* Hands up at most max of what was reported; nothing while busy. */
void muster__runner_drain(muster__runner *runner, size_t max);

/* Looks at what became of the instance. */
void muster__runner_attend(muster__runner *runner);

#endif
