/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread: one libuv loop a process. */
#ifndef MUSTER_CORE_LOOP_H
#define MUSTER_CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <muster/status.h>

/* Starts the control thread when it does not run and counts a user of it.
 * Thread: any. MUSTER_NOMEM, MUSTER_FORKED, MUSTER_UNAVAILABLE (no thread). */
muster_status muster__loop_acquire(muster_error *err);

/* One user less. The thread goes on until muster__loop_stop(). Thread: any. */
void muster__loop_release(void);

/* Ends the thread when it has no user: runs at_end on it last. Thread: any but
 * control. MUSTER_BUSY while there are users. */
muster_status muster__loop_stop(void (*at_end)(void));

bool muster__loop_is_current(void);

/* Turns the loop while is_wanted() says so. Thread: control, in at_end only. */
void muster__loop_run_while(bool (*is_wanted)(void));

/* Work for the control thread. The memory is the poster's, and may be reused or
 * freed inside fn. Posting is lock-free and never fails. FIFO per poster. */
typedef struct muster__task {
    struct muster__task *next;
    void (*fn)(struct muster__task *task);
} muster__task;

/* Thread: any; the loop must have been acquired. */
void muster__loop_post(muster__task *task);

/* Runs fn(arg) on the control thread and waits for it; at once when called
 * there. MUSTER_TIMEOUT after timeout_ms (MUSTER_FOREVER: never): fn may still
 * run later, so arg must then not be on the stack. Thread: any. */
muster_status muster__loop_call(void (*fn)(void *arg), void *arg,
                                uint64_t timeout_ms);

/* One-shot timers on CLOCK_MONOTONIC. Thread: control, all of it. */
typedef struct muster__timer muster__timer;
muster_status muster__timer_create(void (*fn)(void *arg), void *arg,
                                   muster__timer **ret_timer);
void muster__timer_start(muster__timer *timer,
                         uint64_t delay_ms); /* restarts */
void muster__timer_stop(muster__timer *timer);
bool muster__timer_is_active(const muster__timer *timer);
uint64_t muster__timer_left_ms(const muster__timer *timer); /* 0: not active */
void muster__timer_destroy(muster__timer *timer); /* NULL is ignored */

/* Watches an fd, which becomes non-blocking. Thread: control. Closing the fd's
 * number is safe as soon as destroy has returned. fn's events: MUSTER_READABLE
 * | MUSTER_WRITABLE; error and hang-up arrive as both. MUSTER_INVAL: cannot be
 * polled. */
typedef struct muster__poll muster__poll;
muster_status
muster__poll_create(int fd, void (*fn)(void *arg, int fd, unsigned events),
                    void *arg, muster__poll **ret_poll);
muster_status muster__poll_start(muster__poll *poll, unsigned events);
void muster__poll_destroy(muster__poll *poll); /* NULL is ignored */

/* Runs work(arg) on a worker thread, then done(arg) on the control thread.
 * Thread: control. MUSTER_NOMEM, MUSTER_UNAVAILABLE (no thread). */
muster_status muster__loop_work(void (*work)(void *arg),
                                void (*done)(void *arg), void *arg);

/* Around every call into a plugin on the control thread, and around loading one
 * there: over 100 ms is logged with who and what; stuck for 5 s is reported by
 * the watchdog. who and what are static or live until leave. Nests. Nothing
 * happens on other threads. */
void muster__loop_enter_plugin(const char *who, const char *what);
void muster__loop_leave_plugin(void);

/* How many of these calls the control thread is inside of. Thread: control. */
uint32_t muster__loop_plugin_depth(void);

/* Whether the control thread has been inside one plugin call for 5 s. When it
 * has, who gets that plugin's name. Thread: any. */
bool muster__loop_is_stuck(char *who, size_t who_size);

/* CLOCK_MONOTONIC. Thread: any. */
uint64_t muster__now_ns(void);
uint64_t muster__now_ms(void);

/* 64 random bits, not for keys. Thread: any. */
uint64_t muster__random(void);

#endif
