/* SPDX-License-Identifier: Apache-2.0 */
/* Watches that plugins do not hold up the control thread. */
#include "watchdog.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fork.h"
#include "log_internal.h"
#include "loop.h"
#include "thread.h"
#include "timing.h"

#define WATCHDOG_NAME_SIZE 64u
#define WATCHDOG_MAX_DEPTH 16u

/* A call into a plugin that the control thread is inside of. */
typedef struct plugin_call {
    const char *who;
    const char *what;
    uint64_t since_ns;
    uint64_t logged_ns; /* of it, spent in nested calls that were logged */
    bool is_reported;   /* as stuck */
} plugin_call;

/* A call found stuck, copied: the names live only until the call returns. */
typedef struct stuck_call {
    char who[WATCHDOG_NAME_SIZE];
    char what[WATCHDOG_NAME_SIZE];
} stuck_call;

/* Guards calls, depth and is_ending. Held for a copy at most. */
static pthread_mutex_t watchdog_lock = PTHREAD_MUTEX_INITIALIZER;
static plugin_call calls[WATCHDOG_MAX_DEPTH]; /* outermost first */
static uint32_t depth;                        /* may exceed the array */
static bool is_ending;

static pthread_cond_t watchdog_wake; /* is_ending was set */
static pthread_t watchdog_thread;

void muster__loop_enter_plugin(const char *who, const char *what)
{
    if (!muster__loop_is_current()) {
        return; /* a unit test without a loop */
    }
    pthread_mutex_lock(&watchdog_lock);
    if (depth < WATCHDOG_MAX_DEPTH) {
        calls[depth] = (plugin_call){who, what, muster__now_ns(), 0, false};
    }
    depth++;
    pthread_mutex_unlock(&watchdog_lock);
}

/* Takes the innermost call off and answers what it took, less what was blamed
 * on calls inside it. */
static uint64_t pop_locked(uint64_t now_ns, plugin_call *ret_call)
{
    plugin_call call = calls[depth];
    uint64_t took_ns = now_ns - call.since_ns;
    uint64_t own_ns = took_ns - call.logged_ns;
    uint64_t slow_ns = muster__timing_ms(MUSTER__SLOW_CALL_MS) * 1000000u;

    if (depth > 0) {
        calls[depth - 1].logged_ns +=
            own_ns > slow_ns ? took_ns : call.logged_ns;
    }
    *ret_call = call;
    return own_ns > slow_ns ? own_ns : 0;
}

void muster__loop_leave_plugin(void)
{
    plugin_call call = {NULL, NULL, 0, 0, false};
    uint64_t slow_ns = 0;

    if (!muster__loop_is_current()) {
        return;
    }
    pthread_mutex_lock(&watchdog_lock);
    depth--;
    if (depth < WATCHDOG_MAX_DEPTH) {
        slow_ns = pop_locked(muster__now_ns(), &call);
    }
    pthread_mutex_unlock(&watchdog_lock);
    if (slow_ns > 0) {
        muster__log(MUSTER_LOG_WARNING,
                    "plugin %s: %s took %llu ms on the control thread",
                    call.who, call.what,
                    (unsigned long long)(slow_ns / 1000000u));
    }
}

/* Only this thread changes it. */
uint32_t muster__loop_plugin_depth(void)
{
    return depth;
}

/* The innermost call that has run too long: it, not its callers, is to blame.
 * NULL when there is none. */
static plugin_call *find_stuck_locked(void)
{
    uint64_t stuck_ns = muster__timing_ms(MUSTER__STUCK_CALL_MS) * 1000000u;
    uint64_t now_ns = muster__now_ns();
    uint32_t i = depth < WATCHDOG_MAX_DEPTH ? depth : WATCHDOG_MAX_DEPTH;

    while (i > 0) {
        i--;
        if (now_ns - calls[i].since_ns >= stuck_ns) {
            return &calls[i];
        }
    }
    return NULL;
}

bool muster__loop_is_stuck(char *who, size_t who_size)
{
    const plugin_call *call;

    if (muster__is_forked()) {
        return false;
    }
    pthread_mutex_lock(&watchdog_lock);
    call = find_stuck_locked();
    if (call != NULL) {
        (void)snprintf(who, who_size, "%s", call->who);
    }
    pthread_mutex_unlock(&watchdog_lock);
    return call != NULL;
}

/* ---- the thread ---- */

/* Whether there is a stuck call that was not reported yet. It counts as
 * reported from here on, and so do those around it. */
static bool take_incident_locked(stuck_call *ret_stuck)
{
    plugin_call *call = find_stuck_locked();

    if (call == NULL || call->is_reported) {
        return false;
    }
    (void)snprintf(ret_stuck->who, sizeof ret_stuck->who, "%s", call->who);
    (void)snprintf(ret_stuck->what, sizeof ret_stuck->what, "%s", call->what);
    for (plugin_call *at = calls; at <= call; at++) {
        at->is_reported = true;
    }
    return true;
}

static void report(const stuck_call *stuck)
{
    muster__log(MUSTER_LOG_ERROR,
                "plugin %s: %s has been holding the control thread for %u s",
                stuck->who, stuck->what, MUSTER__STUCK_CALL_MS / 1000u);
}

static void *watchdog_main(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&watchdog_lock);
    while (!is_ending) {
        stuck_call stuck;

        (void)muster__cond_wait_until(
            &watchdog_wake, &watchdog_lock,
            muster__deadline_ns(muster__timing_ms(MUSTER__WATCHDOG_PERIOD_MS)));
        if (take_incident_locked(&stuck)) {
            pthread_mutex_unlock(&watchdog_lock);
            report(&stuck);
            pthread_mutex_lock(&watchdog_lock);
        }
    }
    pthread_mutex_unlock(&watchdog_lock);
    return NULL;
}

muster_status muster__watchdog_start(void)
{
    muster_status status = muster__cond_init(&watchdog_wake);

    if (status != MUSTER_OK) {
        return status;
    }
    is_ending = false;
    depth = 0;
    status = muster__thread_start("muster-watch", watchdog_main, NULL,
                                  &watchdog_thread);
    if (status != MUSTER_OK) {
        (void)pthread_cond_destroy(&watchdog_wake);
    }
    return status;
}

void muster__watchdog_stop(void)
{
    pthread_mutex_lock(&watchdog_lock);
    is_ending = true;
    pthread_cond_signal(&watchdog_wake);
    pthread_mutex_unlock(&watchdog_lock);
    (void)pthread_join(watchdog_thread, NULL);
    (void)pthread_cond_destroy(&watchdog_wake);
}
